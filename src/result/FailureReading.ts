/**
 * Reads values that anybody may have thrown: getters that throw, revoked proxies, cycles, a string of 100 MB. It never
 * throws, and reads no more than its limits.
 */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Exit from "effect/Exit"
import * as Redactable from "effect/Redactable"
import { cut } from "./FailureText.ts"

/** How much of a failure is shown or sent, at most. */
export interface Limits {
  /** Errors below each other, by `cause` and `errors`; 8, and never more than 16. */
  readonly depthMax?: number | undefined
  /** Reasons, and errors below these; 64. */
  readonly errorsMax?: number | undefined
  /** Frames of each error, and spans of each failure; 32. */
  readonly framesMax?: number | undefined
  /** Fields of an object, elements of an array; 16. */
  readonly fieldsMax?: number | undefined
  /** One message, in UTF-16 units; 4096. */
  readonly messageLengthMax?: number | undefined
  /** All text together, in UTF-16 units; 65,536. */
  readonly lengthMax?: number | undefined
}

export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

export const depthLimit = 16
/** Objects within an object's fields. */
export const fieldDepthMax = 3
const keyLengthMax = 256
const fieldLengthMax = 1024
const unreadable = "(cannot be read)"

/** What `f` gives, or, when it throws, something else. */
export const attempt = <A, B>(f: () => A, otherwise: B): A | B => {
  try {
    return f()
  } catch {
    return otherwise
  }
}

export const property = (value: object, key: PropertyKey): unknown =>
  attempt(() => (value as Record<PropertyKey, unknown>)[key], undefined)

export const isObject = (value: unknown): value is object =>
  (typeof value === "object" && value !== null) || typeof value === "function"

export const isError = (value: unknown): value is Error => attempt(() => value instanceof Error, false)

/** A cause, not an object that only says that it has everything. */
export const isCause = (value: unknown): value is Cause.Cause<unknown> =>
  attempt(
    () =>
      isObject(value) &&
      property(value, Cause.TypeId) === Cause.TypeId &&
      Array.isArray(property(value, "reasons")),
    false
  )

export const isExit = (value: unknown): value is Exit.Exit<unknown, unknown> =>
  attempt(() => Exit.isExit(value) && (value._tag === "Success" || isCause(value.cause)), false)

/** The classes between an error of `Data` or `Schema` and `Error` are called `Base` and `out`, which means nothing. */
const isEffectsOwn = (prototype: object): boolean =>
  prototype === Data.Error.prototype ||
  prototype === Object.getPrototypeOf(Data.Error.prototype) ||
  (Object.getPrototypeOf(prototype) === Data.Error.prototype &&
    Object.hasOwn(prototype, "name") &&
    /^(?:Base|out)$/.test(prototype.constructor.name))

/** The names of its class and of the classes that this extends, the nearest first. */
export const classNames = (value: object): ReadonlyArray<string> => {
  const names: Array<string> = []
  attempt(() => {
    let prototype: unknown = Object.getPrototypeOf(value)
    for (let depth = 0; isObject(prototype) && depth < depthLimit; depth++) {
      const constructor = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value
      const name: unknown = typeof constructor === "function" ? constructor.name : undefined
      if (typeof name === "string" && name !== "" && name !== "Object" && !isEffectsOwn(prototype)) {
        names.push(cut(name, keyLengthMax))
      }
      prototype = Object.getPrototypeOf(prototype)
    }
  }, undefined)
  return names
}

const hasOwnKeys = (value: object): boolean =>
  // Their keys would be as many as their bytes or characters.
  !(ArrayBuffer.isView(value) || value instanceof String)

/** Whether all text of it is about this long at most, without making it. Never throws. */
export const isShort = (value: unknown, lengthMax: number): boolean => {
  const seen = new Set<object>()
  let left = lengthMax
  const take = (value: unknown): void => {
    left -= typeof value === "string" || value instanceof String ? value.length : 1
    if (left < 0 || !isObject(value) || seen.has(value)) return
    seen.add(value)
    if (ArrayBuffer.isView(value)) left -= value.byteLength
    else if (Array.isArray(value)) left -= value.length
    if (left < 0 || !hasOwnKeys(value)) return
    const told = isError(value) ? ["message", "stack", "cause"] : []
    for (const key of [...told, ...Object.keys(value)]) {
      if (left < 0) return
      take(property(value, key))
    }
  }
  return attempt(() => {
    take(value)
    return left >= 0
  }, false)
}

/** A number that may be used as a limit. */
const limit = (value: number | undefined, otherwise: number): number =>
  value === undefined || Number.isNaN(value) ? otherwise : Math.max(0, value)

/** One reading: what is left of the limits, and what was seen already. */
export class Reading {
  readonly depthMax: number
  readonly errorsMax: number
  readonly framesMax: number
  readonly fieldsMax: number
  readonly messageLengthMax: number
  readonly seen = new Set<object>()
  #errors: number
  #length: number

  constructor(limits: Limits = {}) {
    this.depthMax = Math.min(depthLimit, limit(limits.depthMax, 8))
    this.framesMax = limit(limits.framesMax, 32)
    this.fieldsMax = limit(limits.fieldsMax, 16)
    this.messageLengthMax = limit(limits.messageLengthMax, 4096)
    this.errorsMax = limit(limits.errorsMax, 64)
    this.#errors = this.errorsMax
    this.#length = limit(limits.lengthMax, 65_536)
  }

  /** Whether one more error may be read. */
  takeError(): boolean {
    return this.#errors-- > 0
  }

  /** Whether there is no room for any more text. */
  get full(): boolean {
    return this.#length <= 0
  }

  text(text: string, lengthMax: number): string {
    if (this.full) return text === "" ? "" : "..."
    const taken = cut(text, Math.min(lengthMax, this.#length))
    this.#length = Math.max(0, this.#length - taken.length)
    return taken
  }

  /** The value as JSON: what cannot be written so as text in brackets, what is too deep or too much left out. */
  json(value: unknown, depth = 0): Json {
    if (this.full) return "..."
    this.#length--
    return attempt(() => this.#json(value, depth), unreadable)
  }

  #json(value: unknown, depth: number): Json {
    switch (typeof value) {
      case "string":
        return this.text(value, fieldLengthMax)
      case "boolean":
        return value
      case "number":
        return Number.isFinite(value) ? value : String(value)
      case "bigint":
        // The text of a huge one takes long to make.
        return BigInt.asIntN(1024, value) === value ? `${value}n` : "(huge bigint)"
      case "symbol":
        return this.text(value.toString(), fieldLengthMax)
      case "undefined":
        return "undefined"
      case "function":
        return this.text(`[${attempt(() => `Function ${value.name}`, "Function")}]`, keyLengthMax)
      default:
        return isObject(value) ? this.#object(value, depth) : null
    }
  }

  #object(value: object, depth: number): Json {
    if (Redactable.isRedactable(value)) return this.json(Redactable.redact(value), depth + 1)
    const name = classNames(value)[0] ?? "Object"
    if (!hasOwnKeys(value)) {
      return value instanceof String ? this.text(String(value), fieldLengthMax) : `[${name}]`
    }
    if (value instanceof Map || value instanceof Set) return `[${name} of ${value.size}]`
    if (depth >= fieldDepthMax || this.seen.has(value)) return `[${name}]`
    this.seen.add(value)
    try {
      if (Array.isArray(value)) return this.#array(value, depth)
      if (isError(value)) return this.#error(value, name, depth)
      const toJson = property(value, "toJSON")
      if (typeof toJson === "function") return this.json(toJson.call(value) as unknown, depth + 1)
      return this.fields(value, Object.keys(value), depth)
    } finally {
      this.seen.delete(value)
    }
  }

  /** An error among the fields of another: the reason of a tagged error is told with its fields, others by a line. */
  #error(value: Error, name: string, depth: number): Json {
    const message = property(value, "message")
    const tag = property(value, "_tag")
    if (typeof tag !== "string") return this.text(`${name}: ${String(message)}`, fieldLengthMax)
    const own = Object.keys(value).filter((key) => key !== "cause" && key !== "stack" && key !== "name")
    return this.fields(value, [...new Set(["_tag", ...(message === "" ? [] : ["message"]), ...own])], depth)
  }

  #array(value: ReadonlyArray<unknown>, depth: number): Json {
    const shown: Array<Json> = []
    for (let index = 0; index < value.length && index < this.fieldsMax; index++) {
      shown.push(this.json(property(value, index), depth + 1))
    }
    if (value.length > shown.length) shown.push(`... (${value.length - shown.length} more)`)
    return shown
  }

  fields(value: object, keys: ReadonlyArray<string>, depth: number): { readonly [key: string]: Json } {
    const shown: Record<string, Json> = {}
    const put = (key: string, field: Json): void => {
      // A field may be called `__proto__`.
      Object.defineProperty(shown, key, {
        value: field,
        enumerable: true,
        configurable: true,
        writable: true
      })
    }
    for (const key of keys.slice(0, this.fieldsMax)) {
      const field = attempt<unknown, string>(() => (value as Record<string, unknown>)[key], unreadable)
      put(this.text(key, keyLengthMax), this.json(field, depth + 1))
    }
    if (keys.length > this.fieldsMax) put("...", `${keys.length - this.fieldsMax} more`)
    return shown
  }
}
