/** What the pool and its threads say to one another, and how errors cross. Loaded by every thread: without Effect. */
import type { MessagePort } from "node:worker_threads"
import type { ThreadAnswer, ThreadQuestion } from "../reactor/ThreadJob.ts"

/** What a thread is given when it starts. */
export interface ThreadData {
  readonly flags: Int32Array
  /** Where answers come for which the thread stands still. */
  readonly answers: MessagePort
}

/** `flags`: the number of the job that was cancelled last. */
export const cancelledFlag = 0
/** `flags`: how many answers were sent to `ThreadData.answers`. */
export const answersFlag = 1
/** `flags`: the number of the job that the thread began last. */
export const begunFlag = 2
export const flagsCount = 3

export type ToThread =
  | {
      readonly _tag: "Run"
      readonly id: number
      readonly module: string
      readonly name: string
      readonly args: ReadonlyArray<unknown>
    }
  | { readonly _tag: "Cancel"; readonly id: number }
  | { readonly _tag: "Answer"; readonly call: number; readonly answer: CarriedAnswer }
  | { readonly _tag: "Stop" }

export type FromThread =
  | { readonly _tag: "Ended"; readonly id: number; readonly outcome: Outcome }
  | { readonly _tag: "Progress"; readonly id: number; readonly value: unknown }
  | {
      readonly _tag: "Call"
      readonly id: number
      readonly call: number
      readonly blocking: boolean
      readonly question: ThreadQuestion
    }

export type Outcome =
  | { readonly _tag: "Success"; readonly value: unknown }
  | {
      readonly _tag:
        | "Threw"
        | "NotFoundModule"
        | "NotFoundExport"
        | "NotLoaded"
        | "NotSerializable"
        | "NotTransferable"
      readonly detail: string
      readonly cause: Carried
    }
  // Nobody waits for it any more.
  | { readonly _tag: "Cancelled" }

/** A `ThreadAnswer` on its way: its cause is packed. */
export type CarriedAnswer = ThreadAnswer

/** What comes to `ThreadData.answers`. */
export interface BlockingAnswer {
  readonly call: number
  readonly answer: CarriedAnswer
}

// --- errors ---------------------------------------------------------------------------------------------

/** An error, or whatever was thrown, packed for the way. */
export type Carried =
  | {
      readonly kind: "error"
      readonly name: string
      readonly message: string
      readonly stack: string | undefined
      readonly fields: ReadonlyArray<readonly [string, unknown]>
      readonly cause: Carried | undefined
    }
  | { readonly kind: "value"; readonly value: unknown }

/** How far causes of causes are carried. */
const depthMax = 8

/** The structured clone of an error keeps name, message, stack and cause; this keeps its own fields as well, and `_tag`. */
export const carry = (thrown: unknown, depth = 0): Carried => {
  try {
    if (!(thrown instanceof Error)) return { kind: "value", value: copyable(thrown) }
    const { cause } = thrown
    return {
      kind: "error",
      name: String(thrown.name),
      message: String(thrown.message),
      stack: thrown.stack === undefined ? undefined : String(thrown.stack),
      fields: fieldsOf(thrown),
      cause: cause === undefined || depth === depthMax ? undefined : carry(cause, depth + 1)
    }
  } catch (error) {
    // A getter that throws: what is thrown may be anything.
    return { kind: "value", value: `something that cannot be looked at: ${String(error)}` }
  }
}

const own = new Set(["name", "message", "stack", "cause"])

const fieldsOf = (error: Error): ReadonlyArray<readonly [string, unknown]> => {
  const entries = Object.entries(error)
    .filter(([key]) => !own.has(key))
    .map(([key, value]) => [key, value instanceof Error ? carry(value, depthMax) : copyable(value)] as const)
  const tag = (error as { readonly _tag?: unknown })._tag
  return typeof tag === "string" && !Object.hasOwn(error, "_tag") ? [["_tag", tag], ...entries] : entries
}

const copyable = (value: unknown): unknown => {
  try {
    return structuredClone(value)
  } catch {
    return typeof value === "function" ? `[function ${value.name}]` : String(value)
  }
}

/** What was packed, as an `Error` again, or the value. */
export const uncarry = (carried: Carried): unknown => {
  if (carried.kind === "value") return carried.value
  const error = new Error(carried.message)
  const hidden = (key: string, value: unknown) =>
    Object.defineProperty(error, key, { value, configurable: true, writable: true })
  if (carried.stack !== undefined) hidden("stack", carried.stack)
  if (carried.name !== "Error") hidden("name", carried.name)
  if (carried.cause !== undefined) hidden("cause", uncarry(carried.cause))
  for (const [key, value] of carried.fields) {
    Object.defineProperty(error, key, { value: isCarried(value) ? uncarry(value) : value, enumerable: true })
  }
  return error
}

const isCarried = (value: unknown): value is Carried =>
  typeof value === "object" &&
  value !== null &&
  "kind" in value &&
  value.kind === "error" &&
  "fields" in value

export const messageOf = (error: unknown): string => {
  try {
    return error instanceof Error ? error.message : String(error)
  } catch {
    return "something without a text"
  }
}

/** Node has one error for both, what cannot be copied and what cannot be moved. */
export const isAboutMoving = (error: unknown, transfer: ReadonlyArray<unknown> | undefined): boolean =>
  transfer !== undefined && transfer.length > 0 && /transfer|detached/i.test(messageOf(error))
