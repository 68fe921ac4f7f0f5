/**
 * What a test leaves behind fails it, and is named with the place it was made: fibers and scopes, and what the platform
 * holds (sockets, servers, child processes, workers, timers, watched and open files). The setup file
 * `spindle/testing/setup` has it on for all tests of Vitest; `leakCheck` is the same for one effect, with any runner.
 *
 * ```ts
 * LeakCheck.start(NodeLeaks)
 * const tidy = LeakCheck.leakCheck(program)
 * ```
 */
import type * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as LeakFibers from "./LeakFibers.ts"
import * as LeakNote from "./LeakNote.ts"
import * as LeakOwner from "./LeakOwner.ts"

export type { Owner } from "./LeakOwner.ts"

/** What knows the platform: `NodeLeaks` of `spindle/node`. */
export interface Platform extends LeakNote.Locator {
  readonly watch: <Note extends object>(
    note: (generators: boolean) => Note
  ) => {
    readonly held: () => ReadonlyArray<{ readonly kind: string; readonly what: string; readonly note: Note }>
    /** Types of what keeps the process alive, whoever made it. */
    readonly active: () => ReadonlyArray<string>
  }
  /** A turn of the event loop. */
  readonly turn: Effect.Effect<void>
  /** 5 milliseconds of real time. */
  readonly pause: Effect.Effect<void>
}

/** One thing left behind. */
export interface Leak {
  /** `fiber`, `scope`, `socket`, `server`, `child process`, `worker`, `timer`, `descriptor`, ... */
  readonly kind: string
  readonly what: string
  /** `file:line:column`s where it was made, the innermost first; none, if only machinery was there. */
  readonly madeAt: ReadonlyArray<string>
  /** Where a fiber waits. */
  readonly waitsAt: ReadonlyArray<string>
}

/** Something was left behind. */
export class LeftBehind extends Data.TaggedError("LeftBehind")<{
  /** The first 20. */
  readonly leaks: ReadonlyArray<Leak>
  readonly message: string
}> {}

interface Found {
  readonly note: LeakNote.Note
  readonly describe: () => Leak
}

interface Watch {
  readonly held: () => ReadonlyArray<Found>
  readonly active: () => ReadonlyArray<string>
  readonly turn: Effect.Effect<void>
  readonly pause: Effect.Effect<void>
}

const key = Symbol.for("spindle/testing/LeakCheck")
const registry = globalThis as unknown as { [key]?: Watch }

const fiberLeak = ({ fiber, note }: LeakFibers.HeldFiber): Found => ({
  note,
  describe: () => {
    const span = fiber.cache.span?._tag === "Span" ? fiber.cache.span.name : undefined
    return {
      kind: "fiber",
      what: span === undefined ? `a fiber (#${fiber.id})` : `a fiber (#${fiber.id}, in ${span})`,
      madeAt: LeakNote.places(note),
      waitsAt: LeakNote.waitsAt(fiber)
    }
  }
})

const scopeLeak = ({ note }: LeakFibers.HeldScope): Found => ({
  note,
  describe: () => ({
    kind: "scope",
    what: "a scope with finalizers",
    madeAt: LeakNote.places(note),
    waitsAt: []
  })
})

const effectLeaks = (): ReadonlyArray<Found> => {
  const fibers = LeakFibers.heldFibers()
  const scopes = LeakFibers.heldScopes()
  // What such a fiber, or scope, will close is not told beside it.
  const ofFibers = new Set(fibers.map(({ fiber }) => fiber.context.mapUnsafe.get(Scope.Scope.key)))
  const open = new Set<unknown>(scopes.map(({ scope }) => scope))
  const isRoot = ({ scope }: LeakFibers.HeldScope): boolean =>
    !ofFibers.has(scope) && !open.has((scope as { readonly parent?: unknown }).parent)
  return [...fibers.map(fiberLeak), ...scopes.filter(isRoot).map(scopeLeak)]
}

/**
 * Notes from now on, for the whole process, what is made. Idempotent: the first platform stays. Without a platform only
 * fibers and scopes are seen.
 */
export const start = (platform?: Platform): void => {
  if (registry[key] !== undefined) return
  if (platform !== undefined) LeakNote.setLocator(platform)
  LeakFibers.watch()
  const watch = platform?.watch((generators) => LeakNote.take(generators))
  const platformLeaks = (): ReadonlyArray<Found> =>
    (watch?.held() ?? [])
      .filter(({ note }) => !LeakNote.isOfRunner(note))
      .map(({ kind, what, note }) => ({
        note,
        describe: () => ({ kind, what, madeAt: LeakNote.places(note), waitsAt: [] })
      }))
  registry[key] = {
    held: () => [...effectLeaks(), ...platformLeaks()],
    active: () => watch?.active() ?? [],
    turn: platform?.turn ?? Effect.yieldNow,
    pause: platform?.pause ?? Effect.yieldNow
  }
}

// --- asking -----------------------------------------------------------------------------------------------

const ownedBy = (owners: ReadonlySet<LeakOwner.Owner>): ReadonlyArray<Found> =>
  (registry[key]?.held() ?? []).filter(({ note }) => owners.has(note.owner))

/** What was closed may need a few turns of the event loop to be gone: a second, in pauses. */
const pausesMax = 200

/** What `look` sees when a second has passed; nothing, as soon as it sees nothing. Real time, whatever the clock. */
const settled = Effect.fnUntraced(function* <A>(look: () => ReadonlyArray<A>) {
  const { pause, turn } = registry[key] ?? { pause: Effect.yieldNow, turn: Effect.yieldNow }
  // What was just begun may not be there yet.
  yield* turn
  let found = look()
  for (let i = 0; found.length > 0 && i < pausesMax; i++) {
    yield* pause
    found = look()
  }
  return found
})

const tell = (leak: Leak): string => {
  const made = leak.madeAt.map((place) => `    at ${place}`)
  const waits = leak.waitsAt.map((place) => `    at ${place}`)
  return [
    `  ${leak.what}, made`,
    ...(made.length > 0 ? made : ["    where no code of yours was on the stack"]),
    ...(waits.length > 0 ? ["    and waiting", ...waits] : [])
  ].join("\n")
}

const complaint = (found: ReadonlyArray<Found>): LeftBehind => {
  const told = found.slice(0, 20).map(({ note, describe }) => ({ owner: note.owner, leak: describe() }))
  const owners = [...new Set(told.map(({ owner }) => owner))]
  const more = found.length > 20 ? [`  and ${found.length - 20} more`] : []
  const message = owners.flatMap((owner) => [
    `${owner.name} left behind:`,
    ...told.flatMap((each) => (each.owner === owner ? [tell(each.leak)] : []))
  ])
  return new LeftBehind({ leaks: told.map(({ leak }) => leak), message: [...message, ...more].join("\n") })
}

/** What these left behind, as a complaint. For whoever writes a setup for another test runner. */
export const verdict = (...owners: ReadonlyArray<LeakOwner.Owner>): Effect.Effect<LeftBehind | undefined> => {
  const asked = new Set(owners)
  return Effect.map(
    settled(() => ownedBy(asked)),
    (found) => (found.length === 0 ? undefined : complaint(found))
  )
}

/**
 * Counts what keeps the process alive, and gives an effect that says of what there is more then: also what nobody saw
 * being made.
 */
export const count = (): Effect.Effect<ReadonlyArray<string>> => {
  const active = (): ReadonlyMap<string, number> => {
    const counts = new Map<string, number>()
    for (const type of registry[key]?.active() ?? []) counts.set(type, (counts.get(type) ?? 0) + 1)
    return counts
  }
  const before = active()
  return settled(() =>
    [...active()].flatMap(([type, now]) => {
      const more = now - (before.get(type) ?? 0)
      return more > 0 ? [`${more} ${type}`] : []
    })
  )
}

/** Someone who answers for what is made within `runAs`. */
export const makeOwner = (name: string): LeakOwner.Owner => {
  LeakNote.refill()
  return LeakOwner.make(name)
}

export const runAs: <A>(owner: LeakOwner.Owner, f: () => A) => A = LeakOwner.run

/** Who answers for what is made outside of any test, from now on. */
export const setOutside: (owner: LeakOwner.Owner) => void = LeakOwner.setOutside

/** An effect that starts on this stack, so that what it makes is whose this stack is. */
const startedBy = <A, E, R>(effect: Effect.Effect<A, E, R>, enter: <B>(f: () => B) => B) =>
  Effect.contextWith((context: Context.Context<R>) =>
    Effect.callback<A, E>((resume) => {
      const fiber = enter(() => Effect.runForkWith(context)(effect))
      fiber.addObserver(resume)
      return Fiber.interrupt(fiber)
    })
  )

/**
 * The effect, which fails with `LeftBehind`, as a defect, when it is over and something is there still that it made.
 * Things have a second, of real time, to go. Without `start` before, only fibers and scopes are found.
 */
export const leakCheck = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  name = "the effect"
): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    start()
    const owner = makeOwner(name)
    return Effect.flatMap(Effect.exit(startedBy(effect, (f) => runAs(owner, f))), (exit) =>
      Effect.flatMap(verdict(owner), (left) =>
        left === undefined ? exit : Effect.andThen(Exit.asVoid(exit), Effect.die(left))
      )
    )
  })

/**
 * What `effect` makes may outlive the test: it is the file's, which answers for it at its end. For what tests share and
 * the first of them makes.
 */
export const shared = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  startedBy(effect, LeakOwner.outside)

const abandonedOwner = LeakOwner.make("what is abandoned")

/** Nobody answers for what `effect` makes. For what cannot end, where a test sees that nobody waits for it. */
export const abandoned = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  startedBy(effect, (f) => LeakOwner.run(abandonedOwner, f))
