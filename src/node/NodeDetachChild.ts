/** The daemon's side of `NodeDetach`: whether this process is one that was started so, and telling the parent how it goes. */
import * as fs from "node:fs"
import * as Effect from "effect/Effect"
import { vacate } from "./standardDescriptors.ts"

/** Tells a child that it is one, and where its standard error leads: `parent` or `file`. */
export const variable = "SPINDLE_DETACHED"
export const statusFd = 3

/** One line of JSON. */
export type Message = { readonly ready: true } | { readonly failed: string; readonly code: number }

const reasonLengthMax = 10_000

export const parse = (text: string): Message | undefined => {
  if (!text.includes("\n")) return undefined
  try {
    const message = JSON.parse(text) as Partial<Record<"ready" | "failed" | "code", unknown>>
    if (message.ready === true) return { ready: true }
    const { code, failed } = message
    return typeof failed === "string" && typeof code === "number" ? { failed, code } : undefined
  } catch {
    return undefined
  }
}

/** What a daemon says to who started it. It says one of the two, once; whatever comes later is dropped. */
export interface DetachedChild {
  /**
   * All is up: the parent may go. From now on the standard error leads nowhere, unless it leads to a file. Tells whether the parent
   * heard it: if it did not, it is gone, and the daemon is none the worse for it.
   */
  readonly ready: Effect.Effect<boolean>
  /** It does not start; `code` is what it will exit with. It should end soon. */
  readonly failed: (reason: string, code: number) => Effect.Effect<boolean>
}

/** Asked once: the variable is taken out of the environment, and the descriptor may be another one later. */
let found: { readonly child: DetachedChild | undefined } | undefined

/** `undefined` for a process that was not started by `NodeDetach.start`. To be asked before child processes are started. */
export const child: Effect.Effect<DetachedChild | undefined> = Effect.sync(
  () => (found ??= { child: look() }).child
)

const look = (): DetachedChild | undefined => {
  const error = process.env[variable]
  delete process.env[variable]
  if (error === undefined || !isPipe()) return undefined
  // Who started it may be gone: that makes no difference to a daemon that prints.
  const onError = () => {}
  if (error === "parent") process.stderr.on("error", onError)
  let said = false
  const say = (message: Message): boolean => {
    if (said) return false
    said = true
    const isReady = "ready" in message
    // In this order: having heard, the parent reads no more.
    if (isReady && error === "parent") vacate(2)
    const heard = write(`${JSON.stringify(message)}\n`)
    fs.closeSync(statusFd)
    return heard
  }
  return {
    ready: Effect.sync(() => say({ ready: true })),
    failed: (reason, code) => Effect.sync(() => say({ failed: reason.slice(0, reasonLengthMax), code }))
  }
}

const isPipe = (): boolean => {
  try {
    const kind = fs.fstatSync(statusFd)
    return kind.isSocket() || kind.isFIFO()
  } catch {
    return false
  }
}

const write = (text: string): boolean => {
  try {
    fs.writeSync(statusFd, text)
    return true
  } catch {
    return false
  }
}
