/**
 * Where something was made, taken down in passing and read only when it leaked: a stack, and the places where the
 * generators of the running fiber stood, which no stack shows. Both are dear enough to have a budget.
 */
import * as Fiber from "effect/Fiber"
import * as LeakOwner from "./LeakOwner.ts"

/** Knows where suspended generators stand (`NodeLeaks`); without one, notes have stacks only. */
export interface Locator {
  readonly locate: (generators: ReadonlyArray<object>) => ReadonlyArray<unknown>
  readonly describe: (locations: ReadonlyArray<never>) => ReadonlyArray<string>
}

export interface Note {
  readonly owner: LeakOwner.Owner
  /** Its `stack` is made into words when it is asked for. */
  readonly trace: { readonly stack?: string } | undefined
  readonly locations: ReadonlyArray<unknown>
}

/** A stack counts 1 (3 us), a fiber's generators 40. */
const budgetFull = 8000
const framesMax = 16
const generatorsMax = 6

let budget = budgetFull
let locator: Locator | undefined

/** At the begin of a test: about 25 ms may be spent on its notes. */
export const refill = (): void => {
  budget = budgetFull
}

export const setLocator = (by: Locator): void => {
  locator = by
}

// --- taking -----------------------------------------------------------------------------------------------

const spend = (cost: number): boolean => {
  if (budget < cost) return false
  budget -= cost
  return true
}

const capture = (): { readonly stack?: string } => {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = framesMax
  const trace: { readonly stack?: string } = {}
  Error.captureStackTrace(trace, take)
  Error.stackTraceLimit = limit
  return trace
}

/** The generators a fiber is in, the innermost first. What a fiber keeps them in is Effect's own: none, if it changed. */
export const generatorsOf = (fiber: Fiber.Fiber<unknown, unknown>): ReadonlyArray<object> => {
  const stack: unknown = Reflect.get(fiber, "_stack")
  if (!Array.isArray(stack)) return []
  const generators: Array<object> = []
  for (let i = stack.length - 1; i >= 0 && generators.length < generatorsMax; i--) {
    const iterator: unknown = (stack[i] as { readonly iterator?: unknown } | undefined)?.iterator
    if (typeof iterator === "object" && iterator !== null) generators.push(iterator)
  }
  return generators
}

/** Now, on this stack. With `generators`: also those of the running fiber. */
export const take = (generators: boolean): Note => {
  const parent = Fiber.getCurrent()
  const found = generators && parent !== undefined && locator !== undefined ? generatorsOf(parent) : []
  return {
    owner: LeakOwner.current(),
    trace: spend(1) ? capture() : undefined,
    locations: found.length > 0 && locator !== undefined && spend(40) ? locator.locate(found) : []
  }
}

// --- telling ----------------------------------------------------------------------------------------------

/** Frames that tell nobody anything: of the runtime, of Effect, of the test runner, and of this. */
const isMachinery = (frame: string): boolean =>
  /\bnode:|<anonymous>\)?$|[\\/]node_modules[\\/](?:effect|@effect[\\/][^\\/]+|vitest|@vitest[\\/][^\\/]+|vite|tinypool)[\\/]|[\\/]testing[\\/]Leak\w*\.[jt]s|[\\/]node[\\/]NodeLeaks\w*\.[jt]s|[\\/]testingSetup\.[jt]s/.test(
    frame
  )

const framesOf = (note: Note): ReadonlyArray<string> =>
  (note.trace?.stack ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.startsWith("at "))
    .map((line) => line.slice(3).replace("file://", ""))

const describeLocations = (locations: ReadonlyArray<unknown>): ReadonlyArray<string> =>
  locator?.describe(locations as ReadonlyArray<never>) ?? []

/** `file:line:column`s, the innermost first, as far as they are somebody's code. */
export const places = (note: Note): ReadonlyArray<string> => [
  ...new Set([...framesOf(note), ...describeLocations(note.locations)].filter((frame) => !isMachinery(frame)))
]

/** Whether a test runner made it, and nobody else: all of its frames are machinery, and some the runner's. */
export const isOfRunner = (note: Note): boolean => {
  const frames = framesOf(note)
  return (
    frames.every(isMachinery) &&
    frames.some((frame) => /[\\/]node_modules[\\/](vitest|@vitest|vite|tinypool)[\\/]/.test(frame))
  )
}

/** Where a fiber waits now. */
export const waitsAt = (fiber: Fiber.Fiber<unknown, unknown>): ReadonlyArray<string> =>
  describeLocations(locator?.locate(generatorsOf(fiber)) ?? []).filter((frame) => !isMachinery(frame))
