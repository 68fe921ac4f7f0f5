/**
 * A restart that interrupts nothing: this process starts its successor, hands its listening sockets to it, and goes on until that one
 * is ready. If it never is, nothing has changed.
 *
 * ```ts
 * // In the process that runs; `listeners` is what its reactor was given
 * const { pid } = yield* NodeSuccession.begin({ listeners })
 * // ... nothing is accepted here any more: stop all services, which drains them, and end
 * ```
 *
 * The new process is the same program; what it has to do is in `NodeHeir`. Both have the same socket in the system, with one queue of
 * connections, so none of those that wait is lost. Files and locks of UNIX sockets go over, too.
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { ListenReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import type { Binding } from "./NodeBinding.ts"
import { type Answer, NodeHeirHost } from "./NodeHeirHost.ts"
import { type Command, startProcess } from "./NodeHeirLine.ts"
import type { OpenSocket } from "./NodeListenerPlace.ts"
import type { NodeListeners } from "./NodeListeners.ts"

export type { Command } from "./NodeHeirLine.ts"

export interface Options {
  /** What the reactor was given. */
  readonly listeners: NodeListeners
  /** Default: this process's own command, environment and output. */
  readonly command?: Command | undefined
  /** How long the successor may take until all of it is up. Default 90 seconds. */
  readonly readyTimeout?: Duration.Input | undefined
  /** How long handshakes that were begun here may take before it is over. Default 5 seconds. */
  readonly settleTimeout?: Duration.Input | undefined
}

/** The process that serves from now on. */
export interface Successor {
  readonly pid: number
}

/**
 * - `Busy`: another succession of this process is under way, or done. - `NotStarted`: the system could not start it.
 * - `Ended`: it ended before it was ready. - `Failed`: it said why it cannot start. - `TimedOut`: it was not ready in time.
 */
export type Why = "Busy" | "NotStarted" | "Ended" | "Failed" | "TimedOut"

/** There is no successor, and nothing has changed. */
export class SuccessionError extends Data.TaggedError("SuccessionError")<{
  readonly reason: Why
  readonly detail: string
}> {
  override get message(): string {
    return `the new process did not take over: ${this.detail}`
  }
}

const readyTimeoutDefault = "90 seconds"
const settleTimeoutDefault = "5 seconds"
/** It was ready: what is left are a few messages. */
const beginTimeout = "30 seconds"
/** Between being asked to end, and being ended. */
const endTimeout = "2 seconds"

/** Those that are under way, or done: a process has one successor. */
const begun = new WeakSet<NodeListeners>()

/**
 * Starts a successor and hands over. When it succeeds, this process accepts nothing any more, and reads no datagrams: what it has
 * accepted goes on. Interrupting it before the successor is ready ends that one.
 */
export const begin = (options: Options): Effect.Effect<Successor, SuccessionError> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.suspend(() => {
      const { listeners } = options
      if (begun.has(listeners)) {
        return fail("Busy", "another one is under way, or has taken over already")
      }
      begun.add(listeners)
      return Effect.onError(handOver(options, restore), () => Effect.sync(() => begun.delete(listeners)))
    })
  ).pipe(Effect.withSpan("NodeSuccession.begin"))

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

const handOver = Effect.fnUntraced(function* (
  options: Options,
  restore: Restore
): Effect.fn.Return<Successor, SuccessionError> {
  const { command = {}, listeners } = options
  const given = new Map<string, OpenSocket>()
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const host = yield* Effect.try({
    try: () =>
      new NodeHeirHost(
        {
          slot: undefined,
          start: (events) => startProcess("successor", command, events),
          answer: (key, binding) => answer(listeners, given, key, binding)
        },
        run
      ),
    catch: (cause) => notStarted(cause instanceof Error ? cause.message : String(cause))
  })
  yield* Effect.onError(restore(isReady(host, options)), () => end(host))
  const hasBegun = yield* Effect.raceFirst(
    Effect.map(Effect.timeoutOption(host.begin, beginTimeout), Option.isSome),
    Effect.as(host.gone, false)
  )
  if (!hasBegun) {
    // It may have taken files and locks already: it is not to remove them.
    host.line.kill()
    yield* end(host)
    for (const socket of given.values()) socket.reclaim()
    return yield* fail("Ended", "it ended, or hung, just as it was to begin")
  }
  for (const socket of given.values()) socket.stepBack()
  yield* listeners.settled(Duration.toMillis(options.settleTimeout ?? settleTimeoutDefault))
  host.line.release()
  return { pid: host.line.pid }
})

const isReady = (host: NodeHeirHost, options: Options): Effect.Effect<void, SuccessionError> => {
  const timeout = Duration.fromInputUnsafe(options.readyTimeout ?? readyTimeoutDefault)
  return Effect.timeoutOption(Effect.result(host.ready), timeout).pipe(
    Effect.flatMap((answered) => {
      if (answered._tag === "None") {
        return fail("TimedOut", `it was not ready within ${Duration.format(timeout)}`)
      }
      if (Result.isSuccess(answered.value)) return Effect.void
      const { _tag, detail } = answered.value.failure
      if (host.line.pid === 0) return Effect.fail(notStarted(detail))
      return fail(_tag, detail)
    })
  )
}

const fail = (reason: Why, detail: string) => Effect.fail(new SuccessionError({ reason, detail }))
const notStarted = (detail: string) => new SuccessionError({ reason: "NotStarted", detail })

const answer = (
  listeners: NodeListeners,
  given: Map<string, OpenSocket>,
  key: string,
  binding: Binding
): Effect.Effect<Answer, ListenReason> =>
  Effect.suspend((): Effect.Effect<Answer, ListenReason> => {
    const socket = listeners.find(key)
    if (socket === undefined) return Effect.succeed({ _tag: "None" })
    const handle = socket.handle()
    // Bound a second time, it would fail as in use anyway.
    if (handle === undefined || (process.platform === "win32" && binding._tag !== "Tcp")) {
      return Effect.fail(
        new Reason.Unsupported({ detail: "this system cannot hand this kind of socket to another process" })
      )
    }
    given.set(key, socket)
    return Effect.succeed({ _tag: "Given", handle, held: true, owned: true, others: listeners.othersOf(key) })
  })

/** Asks it to end, then ends it, and waits until it is gone. */
const end = (host: NodeHeirHost): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (host.hasEnded) return Effect.void
    host.line.signal("SIGTERM")
    return Effect.timeoutOption(host.ended, endTimeout).pipe(
      Effect.andThen(Effect.sync(() => host.line.kill())),
      Effect.andThen(Effect.timeoutOption(host.ended, endTimeout)),
      Effect.andThen(Effect.sync(() => host.line.release()))
    )
  })
