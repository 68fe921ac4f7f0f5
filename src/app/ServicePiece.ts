/** Starting and stopping a service of one piece. Whoever does it has the turn. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Failure from "../result/Failure.ts"
import type { Piece } from "./ServiceBody.ts"
import { forkIn, phaseContext } from "./ServiceContexts.ts"
import { ServiceError } from "./ServiceError.ts"
import type { Ending } from "./ServiceInstance.ts"
import { Binding, Life } from "./ServiceLife.ts"
import type { Member } from "./ServiceMember.ts"
import type * as ServiceProbe from "./ServiceProbe.ts"
import * as ServiceReason from "./ServiceReason.ts"
import { type Operation, within } from "./ServiceTurn.ts"
import { awaitCode, awaitEnd, awaitLeftBehind, report, say } from "./ServiceWaiting.ts"

/** The first phase. */
export const bind = (member: Member, piece: Piece, operation: Operation): Effect.Effect<void, ServiceError> =>
  Effect.gen(function* () {
    if (member.binding !== undefined) return
    member.failure = undefined
    member.enter({ _tag: "Starting", since: member.now })
    yield* awaitLeftBehind(member, operation)
    const binding = new Binding()
    member.binding = binding
    if (piece.privileged === undefined) return
    const code = inPhase(member, binding, piece.privileged)
    binding.value = yield* awaitCode(member, operation, "privileged", code)
  }).pipe(
    Effect.tapCause((cause) => unbind(member, Exit.failCause(cause))),
    Effect.tapError((error) => note(member, error))
  )

/**
 * The second phase, and readiness. When it fails, nothing of it is left but what was bound; `ending` is what becomes of it then.
 */
export const start = (
  member: Member,
  piece: Piece,
  operation: Operation,
  ending: Ending
): Effect.Effect<void, ServiceError> =>
  Effect.gen(function* () {
    member.failure = undefined
    member.enter({ _tag: "Starting", since: member.now })
    yield* awaitLeftBehind(member, operation)
    yield* bind(member, piece, operation)
    const life = new Life()
    member.life = life
    const bound = member.binding?.value
    yield* awaitCode(
      member,
      operation,
      "start",
      inPhase(
        member,
        life,
        Effect.gen(function* () {
          life.started = piece.start === undefined ? bound : yield* piece.start(bound)
          if (piece.provides === undefined) return
          const provided = piece.provides(life.started)
          // A program that is not type-checked may give anything.
          if (!Context.isContext(provided)) throw new TypeError("provides gave no Context")
          life.provided = provided
        })
      )
    )
    if (piece.run !== undefined) {
      const { run } = piece
      const code = Effect.suspend(() => run(life.started))
      life.run = yield* forkIn(phaseContext(member, "run", life), code)
    }
    if (piece.ready !== undefined) {
      yield* awaitCode(member, operation, "ready", untilReady(member, life, piece.ready))
    }
    yield* goUp(member, piece, life)
  }).pipe(
    Effect.tapCause((cause) => end(member, ending, Exit.failCause(cause))),
    Effect.tapError((error) => note(member, error))
  )

const note = (member: Member, error: ServiceError): Effect.Effect<void> =>
  Effect.sync(() => {
    if (error.reason._tag !== "Stopped") member.failure = Failure.fail(error)
  })

/** Code that may throw before it is an effect, in its context. */
const inPhase = <A>(
  member: Member,
  own: Binding | Life,
  code: Effect.Effect<A, unknown, Scope.Scope>
): Effect.Effect<A, unknown> =>
  Effect.suspend(() => {
    const context = phaseContext(member, "start", own)
    return within(code, context)
  })

// --- while it runs ----------------------------------------------------------------------------------------

/** It has started: from now on, what becomes of it is the tree's business. */
const goUp = (member: Member, piece: Piece, life: Life): Effect.Effect<void> =>
  Effect.gen(function* () {
    life.up = true
    member.runningSince = member.uptime
    member.enter({ _tag: "Running", since: member.now, ready: true })
    const fallen = (failure: Failure.Failure<unknown> | undefined) =>
      member.tree.fallen(member, life, failure)
    if (life.run !== undefined) {
      yield* Effect.forkDetach(
        Effect.flatMap(Fiber.await(life.run), (exit) =>
          fallen(Exit.isSuccess(exit) ? undefined : Failure.fromCause(exit.cause))
        ),
        { startImmediately: true }
      )
    }
    const context = phaseContext(member, "run", life)
    const { live, ready } = piece
    if (live !== undefined) life.watchers.add(yield* forkIn(context, watchLive(member, life, live, fallen)))
    if (ready !== undefined) life.watchers.add(yield* forkIn(context, watchReady(member, life, ready)))
  })

/** Why the answer is no; undefined when it is yes. */
const ask = (life: Life, probe: ServiceProbe.Resolved): Effect.Effect<Failure.Failure<unknown> | undefined> =>
  Effect.suspend(() => probe.check(life.started)).pipe(
    Effect.timeout(probe.timeout),
    Effect.matchCause({
      onSuccess: (answer) =>
        answer === false ? Failure.fail(new Cause.NoSuchElementError("the answer is no")) : undefined,
      onFailure: (cause) => Failure.fromCause(cause)
    })
  )

const untilReady = (
  member: Member,
  life: Life,
  probe: ServiceProbe.Resolved
): Effect.Effect<void, unknown> => {
  const context = phaseContext(member, "run", life)
  const asked = within(
    Effect.gen(function* () {
      while ((yield* ask(life, probe)) !== undefined) yield* Effect.sleep(probe.period)
    }),
    context
  )
  if (life.run === undefined) return asked
  const { path } = member
  const over = Effect.flatMap(Fiber.await(life.run), (exit) => {
    if (Exit.isSuccess(exit)) return new ServiceError({ path, reason: new ServiceReason.EndedEarly() })
    life.told = true
    const failure = Failure.fromCause(exit.cause)
    return new ServiceError({ path, reason: new ServiceReason.StartFailed({ phase: "run", failure }) })
  })
  return Effect.raceFirst(asked, over)
}

const watchReady = (member: Member, life: Life, probe: ServiceProbe.Resolved): Effect.Effect<never> => {
  let noes = 0
  return Effect.gen(function* () {
    yield* Effect.sleep(probe.period)
    const no = yield* ask(life, probe)
    noes = no === undefined ? 0 : noes + 1
    const { value } = member.state
    if (!life.up || value._tag !== "Running") return
    if (no === undefined && !value.ready) member.enter({ ...value, ready: true })
    if (no !== undefined && value.ready && noes >= probe.failures) {
      yield* say(member, Effect.logWarning("not ready", no.cause))
      member.enter({ ...value, ready: false })
    }
  }).pipe(Effect.forever)
}

const watchLive = (
  member: Member,
  life: Life,
  probe: ServiceProbe.Resolved,
  fallen: (failure: Failure.Failure<unknown>) => Effect.Effect<void>
): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let noes = 0; ;) {
      yield* Effect.sleep(probe.period)
      const no = yield* ask(life, probe)
      noes = no === undefined ? 0 : noes + 1
      if (no === undefined || noes < probe.failures) continue
      const reason = new ServiceReason.NotAlive({ failures: noes, failure: no })
      return yield* fallen(Failure.fail(new ServiceError({ path: member.path, reason })))
    }
  })

// --- its end ----------------------------------------------------------------------------------------------

/** Ends the second phase: `run` and probes are interrupted, then its scope is closed. */
export const end = (member: Member, ending: Ending, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { life } = member
    if (life === undefined || life.ended) return
    life.ended = true
    life.up = false
    member.enter({ _tag: "Draining", since: member.now, ending })
    Deferred.doneUnsafe(life.ending, Effect.succeed(ending))
    const { run, watchers } = life
    const ran = run?.pollUnsafe()
    const work = Effect.gen(function* () {
      yield* Fiber.interruptAll(watchers)
      if (run !== undefined) {
        yield* Fiber.interrupt(run)
        const last = ran ?? run.pollUnsafe()
        // Whoever stops it did not ask what it was about to fail of.
        if (last?._tag === "Failure" && !life.told) yield* report(member, last.cause)
      }
      yield* Scope.close(life.scope, exit)
    })
    yield* awaitEnd(member, work)
    member.life = undefined
  })

/** Releases what the first phase acquired. */
export const unbind = (member: Member, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { binding } = member
    if (binding === undefined) return
    member.binding = undefined
    // Between two lives it shows something else; what its finalizers ask for would wait for them.
    const { _tag } = member.state.value
    const isBusy = _tag === "Draining" || _tag === "Starting"
    if (!isBusy && member.piece?.privileged !== undefined) {
      member.enter({ _tag: "Draining", since: member.now, ending: "Stop" })
    }
    Deferred.doneUnsafe(binding.ending, Effect.succeed("Stop"))
    yield* awaitEnd(member, Scope.close(binding.scope, exit))
  })
