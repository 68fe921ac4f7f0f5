/** In which order the services of a group start, and which depend on which. Pure. */
import * as Result from "effect/Result"
import { nearest } from "../reactor/EndpointSuggestion.ts"
import * as ServiceReason from "./ServiceReason.ts"

/** What the order is made of. */
export interface Entry {
  readonly name: string
  /** Names of siblings that it is to start after. */
  readonly after: ReadonlyArray<string>
  /** Whether it gives services to siblings that are listed after it. */
  readonly provides: boolean
}

/** Indexes into the list that it was made of. */
export interface Order {
  /** Every service, in the order in which they start. */
  readonly starts: ReadonlyArray<number>
  /** For each service: those it needs directly. */
  readonly dependencies: ReadonlyArray<ReadonlyArray<number>>
}

export type Problem =
  | ServiceReason.InvalidName
  | ServiceReason.DuplicateName
  | ServiceReason.UnknownName
  | ServiceReason.Cycle

/** A problem of the group, or of the one service that is named. */
export interface Refusal {
  readonly name: string | undefined
  readonly reason: Problem
}

// oxlint-disable-next-line no-control-regex -- a path is shown, and written in logs
const unfit = /[/\u0000-\u001f\u007f]/

export const isValidName = (name: string): boolean => name !== "" && name.trim() === name && !unfit.test(name)

/**
 * The order given, but that each service comes after those named in its `after`, and after the last provider that was listed
 * before it (which comes after the providers before that).
 */
export const make = (entries: ReadonlyArray<Entry>): Result.Result<Order, Refusal> => {
  const indexes = new Map<string, number>()
  for (const [index, { name }] of entries.entries()) {
    if (!isValidName(name)) return refuse(undefined, new ServiceReason.InvalidName({ name }))
    if (indexes.has(name)) return refuse(undefined, new ServiceReason.DuplicateName({ name }))
    indexes.set(name, index)
  }
  const dependencies: Array<ReadonlyArray<number>> = []
  let provider: number | undefined
  for (const [index, { after, name, provides }] of entries.entries()) {
    const needed = new Set<number>()
    for (const other of after) {
      const found = indexes.get(other)
      if (found === undefined) {
        const suggestion = nearest(
          other,
          [...indexes.keys()].filter((valid) => valid !== name)
        )
        return refuse(name, new ServiceReason.UnknownName({ name: other, suggestion }))
      }
      needed.add(found)
    }
    if (provider !== undefined) needed.add(provider)
    dependencies.push([...needed])
    if (provides) provider = index
  }
  const starts = sort(dependencies)
  if (starts.length === entries.length) return Result.succeed({ starts, dependencies })
  return refuse(undefined, describe(entries, findCycle(dependencies, starts)))
}

const refuse = (name: string | undefined, reason: Problem): Result.Result<never, Refusal> =>
  Result.fail({ name, reason })

/** As far as there is no cycle: always the first of the list whose dependencies are there already. */
const sort = (dependencies: ReadonlyArray<ReadonlyArray<number>>): ReadonlyArray<number> => {
  const missing = dependencies.map(({ length }) => length)
  const dependents = reverse(dependencies)
  const starts: Array<number> = []
  const free = missing.flatMap((count, index) => (count === 0 ? [index] : []))
  while (free.length > 0) {
    const next = free.shift()!
    starts.push(next)
    for (const dependent of dependents[next]!) if (--missing[dependent]! === 0) insert(free, dependent)
  }
  return starts
}

const insert = (sorted: Array<number>, value: number): void => {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle]! < value) low = middle + 1
    else high = middle
  }
  sorted.splice(low, 0, value)
}

/** For each: who needs it. */
export const reverse = (
  dependencies: ReadonlyArray<ReadonlyArray<number>>
): ReadonlyArray<ReadonlyArray<number>> => {
  const dependents: ReadonlyArray<Array<number>> = dependencies.map(() => [])
  for (const [index, needed] of dependencies.entries())
    for (const other of needed) dependents[other]!.push(index)
  return dependents
}

/** These, and all that can be reached from them. */
export const closure = (
  edges: ReadonlyArray<ReadonlyArray<number>>,
  from: Iterable<number>
): ReadonlySet<number> => {
  const reached = new Set(from)
  // A set's iteration sees what is added meanwhile.
  for (const index of reached) for (const next of edges[index]!) reached.add(next)
  return reached
}

/** Whoever is not sorted needs somebody who is not sorted: following that leads round. */
const findCycle = (
  dependencies: ReadonlyArray<ReadonlyArray<number>>,
  starts: ReadonlyArray<number>
): ReadonlyArray<number> => {
  const sorted = new Set(starts)
  const path: Array<number> = []
  let at = dependencies.findIndex((_, index) => !sorted.has(index))
  while (!path.includes(at)) {
    path.push(at)
    at = dependencies[at]!.find((index) => !sorted.has(index))!
  }
  return [...path.slice(path.indexOf(at)), at]
}

const describe = (entries: ReadonlyArray<Entry>, cycle: ReadonlyArray<number>): ServiceReason.Cycle => {
  const names = cycle.map((index) => entries[index]!.name)
  const steps = names.slice(0, -1).map((name, step) => {
    const other = names[step + 1]!
    return entries[cycle[step]!]!.after.includes(other)
      ? `${name} is after ${other}`
      : `${name} is listed after ${other}, which provides services`
  })
  return new ServiceReason.Cycle({ names, steps })
}
