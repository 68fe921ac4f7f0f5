/**
 * Exactly what happens on one transport, step by step: what it gives, what must be sent, how long nothing happens, how it
 * ends. Any other byte, or the right ones too early, fails. (tokio-test's `io::Builder`.)
 *
 * ```ts
 * yield* Script.run(protocol, [Script.gives("PING\r\n"), Script.expects("PONG\r\n"), Script.ends, Script.expectsClose])
 * ```
 */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { TransportReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import type { Conversation } from "../reactor/Conversation.ts"
import type { Transport } from "../reactor/Transport.ts"
import { visible } from "../result/VisibleText.ts"
import * as StringTransport from "./StringTransport.ts"

export type Step =
  | { readonly _tag: "Gives"; readonly bytes: Uint8Array }
  | { readonly _tag: "Expects"; readonly bytes: Uint8Array }
  | { readonly _tag: "Waits"; readonly duration: Duration.Duration }
  | { readonly _tag: "Ends" }
  | { readonly _tag: "Loses"; readonly reason: TransportReason }
  | { readonly _tag: "ExpectsEnd"; readonly how: "Ended" | "Closed" | "Aborted" }

const bytesOf = (bytes: Uint8Array | string): Uint8Array =>
  typeof bytes === "string" ? Buffer.from(bytes) : bytes

/** The next input, as one piece; a string as UTF-8. */
export const gives = (bytes: Uint8Array | string): Step => ({ _tag: "Gives", bytes: bytesOf(bytes) })

/** Exactly these bytes are sent, in however many pieces. */
export const expects = (bytes: Uint8Array | string): Step => ({ _tag: "Expects", bytes: bytesOf(bytes) })

/** So long, by the clock of the test, nothing comes and nothing may be sent. */
export const waits = (duration: Duration.Input): Step => ({
  _tag: "Waits",
  duration: Duration.fromInputUnsafe(duration)
})

/** The end of input. */
export const ends: Step = { _tag: "Ends" }

/** The connection is lost. Default: the peer resets it. */
export const loses = (reason?: TransportReason): Step => ({
  _tag: "Loses",
  reason: reason ?? new Reason.Reset({ detail: "the peer reset the connection", errno: "ECONNRESET" })
})

/** We half-close. */
export const expectsEnd: Step = { _tag: "ExpectsEnd", how: "Ended" }
/** We close; with `run`, that is the end of the protocol. */
export const expectsClose: Step = { _tag: "ExpectsEnd", how: "Closed" }
/** We reset the connection. */
export const expectsAbort: Step = { _tag: "ExpectsEnd", how: "Aborted" }

/** Something else happened than the script says. */
export class ScriptMismatch extends Data.TaggedError("ScriptMismatch")<{
  /** Counted from 1. */
  readonly step: number
  readonly message: string
}> {}

const show = (bytes: Uint8Array): string =>
  `"${visible(Buffer.from(bytes.subarray(0, 200)).toString("latin1"))}"${bytes.length > 200 ? `, and ${bytes.length - 200} bytes more` : ""}`

const say = (step: Step | undefined): string => {
  switch (step?._tag) {
    case undefined:
      return "nothing more"
    case "Gives":
      return `${show(step.bytes)} to be received`
    case "Expects":
      return `${show(step.bytes)} to be sent`
    case "Waits":
      return `nothing for ${Duration.format(step.duration)}`
    case "Ends":
      return "the end of input"
    case "Loses":
      return "the connection to be lost"
    case "ExpectsEnd":
      return { Ended: "a half-close", Closed: "the connection to be closed", Aborted: "a reset" }[step.how]
  }
}

class Player {
  transport!: StringTransport.StringTransport
  readonly outcome = Deferred.makeUnsafe<void, ScriptMismatch>()
  private readonly steps: ReadonlyArray<Step>
  private at = 0
  private sent = 0
  private wake: (() => void) | undefined

  constructor(steps: ReadonlyArray<Step>) {
    this.steps = steps
  }

  private mismatch(what: string): void {
    const message = `step ${this.at + 1}: expected ${say(this.steps[this.at])}, but ${what}`
    Deferred.doneUnsafe(this.outcome, Exit.fail(new ScriptMismatch({ step: this.at + 1, message })))
    this.wake?.()
  }

  readonly observer: StringTransport.Observer = {
    wrote: (bytes) => this.wrote(bytes),
    ended: (how) => this.ended(how)
  }

  private wrote(bytes: Uint8Array): void {
    for (let rest = bytes; rest.length > 0 && !Deferred.isDoneUnsafe(this.outcome);) {
      const step = this.steps[this.at]
      if (step?._tag !== "Expects") return this.mismatch(`${show(rest)} was sent`)
      const expected = step.bytes.subarray(this.sent)
      const length = Math.min(expected.length, rest.length)
      for (let i = 0; i < length; i++) {
        if (rest[i] !== expected[i]) {
          const where = this.sent + i > 0 ? ` after ${this.sent + i} bytes as expected` : ""
          return this.mismatch(`${show(rest.subarray(i))} was sent${where}`)
        }
      }
      this.sent += length
      rest = rest.subarray(length)
      if (this.sent === step.bytes.length) this.next()
    }
  }

  private ended(how: "Ended" | "Closed" | "Aborted"): void {
    if (Deferred.isDoneUnsafe(this.outcome)) return
    const step = this.steps[this.at]
    if (step?._tag === "ExpectsEnd" && step.how === how) return this.next()
    // Closing a connection that is over is no event.
    if (step === undefined && how === "Closed") return
    const what = { Ended: "half-closed", Closed: "closed", Aborted: "reset" }[how]
    const partly = this.sent > 0 ? `, ${this.sent} bytes of which were sent` : ""
    this.mismatch(`the connection was ${what}${partly}`)
  }

  private next(): void {
    this.at++
    this.sent = 0
    this.wake?.()
  }

  /** Plays our side until the script or the match is over. */
  readonly play: Effect.Effect<void> = Effect.suspend(() => {
    const step = this.steps[this.at]
    if (Deferred.isDoneUnsafe(this.outcome)) return Effect.void
    if (step === undefined) {
      return Effect.sync(() => void Deferred.doneUnsafe(this.outcome, Exit.void))
    }
    return Effect.andThen(this.perform(step), this.play)
  })

  private perform(step: Step): Effect.Effect<void> {
    const advance = Effect.sync(() => this.next())
    // Ahead of the event, so that what it causes is met by the next step.
    const then = (event: Effect.Effect<void>) => Effect.andThen(advance, event)
    switch (step._tag) {
      case "Gives":
        return then(this.transport.feed(step.bytes))
      case "Ends":
        return then(this.transport.feedEnd)
      case "Loses":
        return then(this.transport.lose(step.reason))
      case "Waits":
        return Effect.andThen(Effect.sleep(step.duration), advance)
      case "Expects":
        if (step.bytes.length === 0) return advance
        return this.moved
      case "ExpectsEnd":
        return this.moved
    }
  }

  /** Waits until the step is another one, or there is a mismatch. */
  private get moved(): Effect.Effect<void> {
    const from = this.at
    return Effect.callback((resume) => {
      const look = () => {
        if (this.at === from && !Deferred.isDoneUnsafe(this.outcome)) return
        this.wake = undefined
        resume(Effect.void)
      }
      this.wake = look
      look()
      return Effect.sync(() => void (this.wake = undefined))
    })
  }

  /** Where it stands when nothing more can happen. */
  finish(): void {
    if (this.at < this.steps.length && !Deferred.isDoneUnsafe(this.outcome)) {
      this.mismatch("the protocol was over")
    }
  }
}

export interface Script {
  readonly transport: Transport
  /** Waits until all has happened; fails as soon as something else does. */
  readonly done: Effect.Effect<void, ScriptMismatch>
}

const begin = (steps: ReadonlyArray<Step>, options: StringTransport.Options) =>
  Effect.gen(function* () {
    const player = new Player(steps)
    player.transport = yield* StringTransport.make({ ...options, observer: player.observer })
    yield* Effect.forkScoped(player.play)
    return player
  })

/** A transport on which this happens. Closing the scope closes it. */
export const make = (
  steps: ReadonlyArray<Step>,
  options: StringTransport.Options = {}
): Effect.Effect<Script, never, Scope.Scope> =>
  Effect.gen(function* () {
    const player = yield* begin(steps, options)
    yield* Effect.addFinalizer(() => player.transport.close)
    return { transport: player.transport, done: Deferred.await(player.outcome) }
  })

/**
 * Runs a protocol over such a transport, in a connection's scope, as a server does: its end closes the connection. Fails with
 * its failure (`Done` is none), or as soon as something happens that the script does not say, or when the protocol is over before the script is.
 */
export const run = <E, R>(
  protocol: Conversation<Transport, E, R>,
  steps: ReadonlyArray<Step>,
  options: StringTransport.Options = {}
): Effect.Effect<void, Exclude<E, Cause.Done> | ScriptMismatch, Exclude<R, Scope.Scope>> =>
  Effect.gen(function* () {
    const player = yield* begin(steps, options)
    const conversation = Effect.scoped(Effect.suspend(() => protocol(player.transport))).pipe(
      Effect.catchIf(Cause.isDone, () => Effect.void)
    )
    const whole = Effect.gen(function* () {
      const exit = yield* Effect.exit(conversation)
      yield* player.transport.close
      // What the end of the protocol set off.
      yield* Effect.yieldNow
      player.finish()
      return yield* Effect.andThen(Deferred.await(player.outcome), exit)
    })
    // A mismatch ends the protocol, too.
    const broken = Effect.andThen(Deferred.await(player.outcome), Effect.never)
    return yield* Effect.raceFirst(whole, broken)
  }).pipe(Effect.scoped) as Effect.Effect<
    void,
    Exclude<E, Cause.Done> | ScriptMismatch,
    Exclude<R, Scope.Scope>
  >
