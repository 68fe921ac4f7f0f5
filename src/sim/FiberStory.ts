/** What is known of fibers, for people: the name from a span or `Effect.fn`, and the place where they wait. */
import type * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import type { Machine } from "./Machine.ts"
import * as SuspendedPlaces from "./SuspendedPlaces.ts"

type AnyFiber = Fiber.Fiber<unknown, unknown>

/** `db: handle, at /app/db.ts:12:3` for each. */
export const tell = (fibers: ReadonlyArray<readonly [AnyFiber, Machine]>): ReadonlyArray<string> => {
  const places = SuspendedPlaces.of(fibers.map(([fiber]) => fiber))
  return fibers.map(([fiber, machine], i) => {
    const own = places[i]!.filter((place) => !isOurs(place))
    const name = spanOf(fiber)
    const place = own.at(-1) ?? madeAt(fiber) ?? places[i]!.at(-1)
    const state = machine.isStopped ? " (stopped)" : ""
    return `${machine.name}${state}: ${name ?? "a fiber without a name"}${place === undefined ? "" : `, at ${place}`}`
  })
}

export const nameOf = (fiber: AnyFiber): string => {
  const name = spanOf(fiber)
  const place = madeAt(fiber)
  if (name === undefined && place === undefined) return "a fiber without a name"
  return `${name ?? "a fiber"}${place === undefined ? "" : ` (${place})`}`
}

const spanOf = (fiber: AnyFiber): string | undefined => {
  const { span } = fiber.cache
  return span?._tag === "Span" ? span.name : fiber.getRef(References.CurrentStackFrame)?.name
}

const madeAt = (fiber: AnyFiber): string | undefined => {
  const frame = fiber.getRef(References.CurrentStackFrame)
  return frame === undefined ? undefined : placeOf(frame.stack() ?? "")
}

const ours =
  /node_modules|\/(?:src|dist)\/(?:sim|memory|reactor|result|testing)\/|node:internal|\(native\)|\(<anonymous>\)/

const isOurs = (place: string): boolean => ours.test(place)

/** The first place of a stack that is the program's own, `file:line:column`. */
export const placeOf = (stack: string): string | undefined => {
  for (const line of stack.split("\n")) {
    const found = /((?:file:\/\/)?\/[^\s()]+:\d+:\d+)/.exec(line)?.[1]
    if (found !== undefined && !isOurs(line)) return found.replace("file://", "")
  }
  return undefined
}
