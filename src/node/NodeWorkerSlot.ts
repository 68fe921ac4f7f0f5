/** One of several workers: started, watched, replaced, ended. */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import type { ListenReason } from "../reactor/ReactorError.ts"
import type { Binding } from "./NodeBinding.ts"
import { type Answer, NodeHeirHost } from "./NodeHeirHost.ts"
import { describeEnd, type Events, type HeirLine } from "./NodeHeirLine.ts"
import type { FromHeir } from "./NodeHeirMessage.ts"
import type { State, WorkerStatus } from "./NodeWorkerStatus.ts"

export interface Limits {
  readonly readyTimeout: Duration.Input
  readonly drainTimeout: Duration.Input
  readonly settleMillis: number
  readonly backoffFirstMillis: number
  readonly backoffMaxMillis: number
  readonly backoffResetAfterMillis: number
}

export interface Options extends Limits {
  readonly start: (events: Events) => HeirLine
  readonly answer: (
    key: string,
    binding: Binding,
    worker: { readonly host: NodeHeirHost; readonly slot: number; readonly held: boolean }
  ) => Effect.Effect<Answer, ListenReason>
  readonly onFeed: (host: NodeHeirHost, message: Extract<FromHeir, { readonly key: string }>) => void
  /** It serves; it is to end, or has ended. */
  readonly onBegun: (host: NodeHeirHost) => void
  readonly onLeaving: (host: NodeHeirHost) => void
  /** Until this process may serve at all, as it succeeds another one. */
  readonly mayBegin: Effect.Effect<void>
  readonly hasBegun: () => boolean
  /** One has ended that should not have. It may fail, and then nothing is started again. */
  readonly onCrash: (slot: number, detail: string) => Effect.Effect<void>
}

const beginTimeout = "30 seconds"
/** Between being ended and being gone. */
const killTimeout = "5 seconds"

export class NodeWorkerSlot {
  readonly number: number
  private readonly options: Options
  private readonly turn = Semaphore.makeUnsafe(1)
  private host: NodeHeirHost | undefined = undefined
  private readonly all = new Set<NodeHeirHost>()
  private state: State = "Starting"
  private since = 0
  private restarts = 0
  private failure: string | undefined = undefined
  private attempts = 0
  private isStopping = false
  private readonly begun = Deferred.makeUnsafe<void>()

  constructor(number: number, options: Options) {
    this.number = number
    this.options = options
  }

  get status(): WorkerStatus {
    const { failure, host, number, restarts, since, state } = this
    const line = host === undefined || host.hasEnded ? undefined : host.line
    return {
      slot: number,
      pid: line?.pid ?? 0,
      thread: line?.thread?.threadId,
      state,
      restarts,
      since,
      failure
    }
  }

  private enter(state: State): Effect.Effect<void> {
    return Effect.map(Clock.currentTimeMillis, (now) => {
      if (this.isStopping && state !== "Draining" && state !== "Stopped") return
      this.state = state
      this.since = now
    })
  }

  /** The first one. Completes when it is ready; it begins by itself as soon as it may. Fails with why not. */
  get start(): Effect.Effect<void, string> {
    return Effect.gen({ self: this }, function* () {
      yield* this.enter("Starting")
      this.host = yield* this.launch
    })
  }

  /** Completes when the first one serves. */
  get serves(): Effect.Effect<void> {
    return Deferred.await(this.begun)
  }

  /** Has it begin, then starts another one whenever it ends. Does not return. */
  get supervise(): Effect.Effect<never> {
    return Effect.gen({ self: this }, function* () {
      yield* this.options.mayBegin
      if (this.host !== undefined) yield* this.begin(this.host)
      yield* this.enter("Ready")
      yield* Deferred.succeed(this.begun, undefined)
      for (;;) {
        const host = this.host!
        const readySince = yield* Clock.currentTimeMillis
        const end = yield* host.ended
        yield* this.turn.withPermit(
          Effect.suspend(() => {
            // It was replaced.
            if (this.host !== host) return Effect.void
            return this.again(describeEnd(end), readySince)
          })
        )
      }
    })
  }

  /** Starts another one in place of one that has ended, until one is ready. */
  private again(detail: string, readySince: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { backoffFirstMillis, backoffMaxMillis, backoffResetAfterMillis, onCrash } = this.options
      const now = yield* Clock.currentTimeMillis
      if (Math.abs(now - readySince) >= backoffResetAfterMillis) this.attempts = 0
      let why = detail
      for (;;) {
        this.failure = why
        yield* onCrash(this.number, why)
        yield* this.enter("Waiting")
        yield* Effect.sleep(Math.min(backoffMaxMillis, backoffFirstMillis * 2 ** this.attempts++))
        yield* this.enter("Starting")
        this.restarts++
        const launched = yield* Effect.result(this.launch)
        if (launched._tag === "Success") {
          this.host = launched.success
          yield* this.begin(launched.success)
          return yield* this.enter("Ready")
        }
        why = launched.failure
      }
    })
  }

  /** Starts the next one beside it, and ends it when that one serves. Fails with why not; then it stays. */
  get replace(): Effect.Effect<void, string> {
    const replaced = Effect.gen({ self: this }, function* () {
      const old = this.host
      yield* this.enter("Replacing")
      const next = yield* Effect.onError(this.launch, () => this.enter("Ready"))
      this.host = next
      this.restarts++
      this.attempts = 0
      yield* this.begin(next)
      yield* this.enter("Ready")
      return old
    })
    return Effect.flatMap(this.turn.withPermit(replaced), (old) =>
      old === undefined ? Effect.void : this.end(old)
    )
  }

  /** Starts one, and waits until it is ready. What fails, or is interrupted, leaves none. */
  private get launch(): Effect.Effect<NodeHeirHost, string> {
    return Effect.gen({ self: this }, function* () {
      const run = Effect.runForkWith(yield* Effect.context<never>())
      if (this.isStopping) return yield* Effect.fail("it is to stop")
      const host = yield* Effect.try({ try: () => this.make(run), catch: (cause) => messageOf(cause) })
      this.all.add(host)
      const { readyTimeout } = this.options
      const ready = Effect.timeoutOption(host.ready, readyTimeout).pipe(
        Effect.mapError(({ detail }) => detail),
        Effect.flatMap((answered) =>
          Option.isSome(answered)
            ? Effect.void
            : Effect.fail(
                `it was not ready within ${Duration.format(Duration.fromInputUnsafe(readyTimeout))}`
              )
        )
      )
      yield* Effect.onError(ready, () => this.kill(host))
      return host
    })
  }

  private make(run: (effect: Effect.Effect<void>) => void): NodeHeirHost {
    const { answer, onFeed, onLeaving, start } = this.options
    const host: NodeHeirHost = new NodeHeirHost(
      {
        slot: this.number,
        start,
        // While another one serves, it holds back: what it takes and loses in a failing start would be lost.
        answer: (key, binding) => {
          const held = this.isServed || !this.options.hasBegun()
          return answer(key, binding, { host, slot: this.number, held })
        },
        onFeed: (message) => onFeed(host, message),
        // It cannot be told: it drains by itself, or is ended.
        onLost: () => run(this.end(host)),
        onEnded: () => {
          onLeaving(host)
          this.all.delete(host)
        }
      },
      run
    )
    return host
  }

  private get isServed(): boolean {
    return this.host !== undefined && !this.host.hasEnded
  }

  private begin(host: NodeHeirHost): Effect.Effect<void> {
    return Effect.raceFirst(Effect.asVoid(Effect.timeoutOption(host.begin, beginTimeout)), host.gone).pipe(
      Effect.andThen(Effect.sync(() => this.options.onBegun(host)))
    )
  }

  /** Has it drain; what is not gone in time is ended. */
  private end(host: NodeHeirHost): Effect.Effect<void> {
    const { drainTimeout, onLeaving, settleMillis } = this.options
    return Effect.suspend(() => {
      if (host.hasEnded) return Effect.void
      onLeaving(host)
      host.drain(settleMillis)
      return Effect.andThen(Effect.timeoutOption(host.ended, drainTimeout), this.kill(host))
    })
  }

  private kill(host: NodeHeirHost): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (host.hasEnded) return Effect.void
      this.options.onLeaving(host)
      host.line.kill()
      return Effect.asVoid(Effect.timeoutOption(host.ended, killTimeout))
    })
  }

  /** Its present worker reloads, or the one that is about to take its place; gives why it could not. */
  get reload(): Effect.Effect<string | undefined> {
    const present = Effect.suspend(() => (this.isServed ? this.host!.reload : Effect.undefined))
    // One that has ended is started again in its turn, and reads everything anew.
    return this.turn.withPermit(present)
  }

  /** Ends all there are of it. Nobody supervises it any more. */
  get stop(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.isStopping = true
      return this.enter("Draining").pipe(
        Effect.andThen(Effect.forEach([...this.all], (host) => this.end(host), { concurrency: "unbounded" })),
        Effect.andThen(this.enter("Stopped"))
      )
    })
  }
}

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
