/** An error that was thrown elsewhere, or earlier, and came as data. */
import { type Json, attempt } from "./FailureReading.ts"

/** Fields that would make it something else. */
const reserved = new Set([
  "_tag",
  "cause",
  "constructor",
  "errors",
  "message",
  "name",
  "names",
  "stack",
  "toString"
])

/**
 * Stands for an error whose class is not here. It has its `name`, `message`, stack trace, causes and fields, and is
 * matched by its `_tag`, or by the name of its class or of one that this extends.
 */
export class RemoteError extends Error {
  /** Its class, and the classes that this extends, the nearest first. */
  readonly names: ReadonlyArray<string>
  declare readonly _tag: string | undefined
  declare readonly errors: ReadonlyArray<unknown> | undefined

  constructor(options: {
    readonly name?: string | undefined
    readonly tag?: string | undefined
    readonly names?: ReadonlyArray<string> | undefined
    readonly message: string
    readonly stack: string
    readonly fields?: { readonly [key: string]: Json } | undefined
    readonly cause?: { readonly value: unknown } | undefined
    readonly errors?: ReadonlyArray<unknown> | undefined
  }) {
    const limit = Error.stackTraceLimit
    try {
      // Where it is decoded says nothing.
      Error.stackTraceLimit = 0
    } catch {
      // A frozen `Error`.
    }
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause.value })
    try {
      Error.stackTraceLimit = limit
    } catch {
      // As above.
    }
    this.names = options.names ?? []
    const put = (key: string, value: unknown, enumerable: boolean): void => {
      Object.defineProperty(this, key, { value, enumerable, configurable: true, writable: true })
    }
    put("names", this.names, false)
    put("name", options.name ?? "Error", false)
    put("stack", options.stack, false)
    if (options.tag !== undefined) put("_tag", options.tag, true)
    if (options.errors !== undefined) put("errors", options.errors, false)
    for (const [key, value] of Object.entries(options.fields ?? {})) {
      if (!reserved.has(key)) put(key, value, true)
    }
  }
}

export const isRemoteError = (value: unknown): value is RemoteError =>
  attempt(() => value instanceof RemoteError, false)
