/** What this side asks for: calls under way and those that wait for a place, their answers, their ends. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import { type Deadline, Deadlines, type Swept } from "../protocol/Deadlines.ts"
import { Abandoned } from "./AmpCancellation.ts"
import * as AmpCommand from "./AmpCommand.ts"
import { withPort } from "./AmpDescriptors.ts"
import {
  AmpError,
  type AmpReason,
  ConnectionLost,
  InvalidArguments,
  ProtocolSwitched,
  TimedOut,
  Undecodable,
  UnhandledCommand,
  UnknownRemoteError
} from "./AmpError.ts"
import { type LargeValues, tooLarge } from "./AmpLargeValues.ts"
import { type AmpOutlet, failureOf, type Sent } from "./AmpOutlet.ts"
import * as AmpSession from "./AmpSession.ts"
import { type Box, pairsOf } from "./AmpWire.ts"
import type { Pair } from "./AmpWire.ts"

export interface CallOptions {
  /** How long to wait for the answer, a sixteenth more at most. Default: as the connection's `callTimeout`. */
  readonly timeout?: Duration.Input | undefined
}

/** What is asked for, and what is made of the answer. */
export interface Question<A, E> {
  readonly name: string
  readonly encodedName: Uint8Array
  readonly encode: () => Result.Result<ReadonlyArray<Pair>, string>
  readonly decode: (box: Box) => Result.Result<A, string>
  /** The error that was declared for the code. */
  readonly errorOf: (code: string, description: string) => E | undefined
  /** Told in the step in which the answer came, after whoever asked. */
  readonly answered?: (() => void) | undefined
}

export const ofCommand = <C extends AmpCommand.Any>(
  command: C,
  args: AmpCommand.ArgumentsOf<C>
): Question<AmpCommand.ResponseOf<C>, AmpCommand.ErrorsOf<C>> => {
  const codec = AmpCommand.codecOf(command)
  return {
    name: command.name,
    encodedName: codec.name,
    encode: () => codec.arguments.encode(args, "all"),
    decode: (codec.hasResponse ? codec.response.decode : nothing) as (
      box: Box
    ) => Result.Result<AmpCommand.ResponseOf<C>, string>,
    errorOf: (code, description) =>
      Object.hasOwn(command.errors, code)
        ? (new command.errors[code]!({ description }) as AmpCommand.ErrorsOf<C>)
        : undefined
  }
}

const nothing = () => Result.succeed(undefined)

/** Boxes as they are. Twisted: `callRemoteString`. */
export const ofBox = (name: string, box: Box): Question<Box, never> => ({
  name,
  encodedName: Buffer.from(name, "latin1"),
  encode: () =>
    Result.mapError(pairsOf(box), (failure) => (typeof failure === "string" ? failure : failure.message)),
  decode: (answer) => {
    const own = new Map(answer)
    own.delete(AmpSession.answer)
    return Result.succeed(own)
  },
  errorOf: () => undefined
})

interface Pending {
  readonly question: Question<unknown, unknown>
  readonly resume: (effect: Effect.Effect<unknown, unknown>) => void
  deadline: Deadline | undefined
  /** While it is under way. */
  tag: string | undefined
  over: boolean
}

/** More durations than these are timed by a fiber for each call. */
const durationsMax = 8

export class AmpCalls {
  private readonly outlet: AmpOutlet
  private readonly large: LargeValues
  private readonly callsMax: number
  private readonly underWay = new Map<string, Pending>()
  private readonly waiting = new Set<Pending>()
  private readonly deadlines = new Map<number, { readonly deadlines: Deadlines; readonly keeper: Swept }>()
  private count = 0
  private ended: AmpReason | undefined = undefined
  readonly abandoned: Abandoned
  /** Told when the first call is under way. */
  onBusy: () => void = () => {}

  constructor(outlet: AmpOutlet, large: LargeValues, callsMax: number) {
    this.outlet = outlet
    this.large = large
    this.callsMax = callsMax
    this.abandoned = new Abandoned(outlet, callsMax)
  }

  get busy(): boolean {
    return this.underWay.size > 0
  }

  /**
   * Asks, and waits for the answer. Interrupting it frees its place, and interrupts whoever works on it, if the peer understands that;
   * an answer that still comes is thrown away.
   */
  call<A, E>(question: Question<A, E>, timeout: Duration.Input | undefined): Effect.Effect<A, E | AmpError> {
    if (timeout === undefined) return this.ask(question, undefined)
    return Effect.suspend(() => {
      const millis = Duration.toMillis(timeout)
      const shared = this.deadlinesOf(millis)
      const expired = () => this.error(question.name, new TimedOut({ timeoutMillis: millis }))
      if (shared === undefined) {
        return Effect.timeoutOrElse(this.ask(question, undefined), {
          duration: millis,
          orElse: () => Effect.fail(expired())
        })
      }
      let pending: Pending | undefined
      const deadline = shared.deadlines.make(() => {
        if (pending !== undefined) this.abandon(pending, Effect.fail(expired()))
      })
      deadline.touch()
      const asking = this.ask(question, (made) => {
        pending = made
        made.deadline = deadline
      })
      const keeping = shared.deadlines.watch(shared.keeper)
      const watching = shared.deadlines.watch(deadline)
      return keeping === Effect.void && watching === Effect.void
        ? asking
        : Effect.andThen(Effect.andThen(keeping, watching), asking)
    })
  }

  private ask<A, E>(
    question: Question<A, E>,
    made: ((pending: Pending) => void) | undefined
  ): Effect.Effect<A, E | AmpError> {
    return Effect.callback<A, E | AmpError>((resume) => {
      const pending: Pending = {
        question,
        resume: resume as Pending["resume"],
        deadline: undefined,
        tag: undefined,
        over: false
      }
      made?.(pending)
      if (this.underWay.size < this.callsMax) this.start(pending)
      else this.waiting.add(pending)
      return Effect.sync(() => this.abandon(pending, undefined))
    })
  }

  /** Asks now, however many calls are under way. Gives the way to give it up. */
  urge(
    question: Question<unknown, unknown>,
    resume: (effect: Effect.Effect<unknown, unknown>) => void
  ): () => void {
    const pending: Pending = { question, resume, deadline: undefined, tag: undefined, over: false }
    this.start(pending)
    return () => this.abandon(pending, undefined)
  }

  /** A call that nobody answers: over when it is sent. */
  tell(question: Question<unknown, unknown>): Effect.Effect<void, AmpError> {
    const attempt: Sent = Effect.suspend(() => {
      if (this.ended !== undefined) return Effect.fail(this.ended)
      const bytes = this.encoded(question, undefined)
      if (Result.isSuccess(bytes)) return this.outlet.send(bytes.success)
      return bytes.failure === tooLarge
        ? Effect.andThen(this.large.agree, attempt)
        : Effect.fail(bytes.failure)
    })
    return Effect.mapError(attempt, (reason) => this.error(question.name, reason))
  }

  private start(pending: Pending): void {
    if (this.ended !== undefined) return this.failed(pending, this.ended)
    const tag = AmpSession.tagOf(this.count + 1)
    const bytes = this.encoded(pending.question, tag)
    if (Result.isFailure(bytes)) {
      if (bytes.failure !== tooLarge) return this.failed(pending, bytes.failure)
      // It goes on once the peer has said what it accepts.
      return this.large.whenKnown(() => {
        if (!pending.over) this.start(pending)
      })
    }
    this.count++
    pending.tag = tag
    this.underWay.set(tag, pending)
    if (this.underWay.size === 1) this.onBusy()
    // Waiting for room is left to the answer.
    const failure = failureOf(this.outlet.send(bytes.success))
    if (failure !== undefined) this.failed(pending, failure)
  }

  /** The bytes of a call, which are to be sent in the same step. */
  private encoded(
    question: Question<unknown, unknown>,
    tag: string | undefined
  ): Result.Result<Uint8Array, AmpReason | typeof tooLarge> {
    const pairs = withPort(this.outlet.port, question.encode)
    if (Result.isFailure(pairs)) {
      this.outlet.drop()
      return Result.fail(new InvalidArguments({ detail: pairs.failure }))
    }
    const bytes = this.large.encode(AmpSession.callPairs(question.encodedName, tag, pairs.success))
    if (Result.isFailure(bytes)) {
      this.outlet.drop()
      return bytes
    }
    const failure = this.outlet.commit()
    return failure === undefined ? bytes : Result.fail(failure)
  }

  /** False for the answer to a question that was never asked. */
  answered(tag: string, box: Box): boolean {
    this.abandoned.answered()
    const pending = this.underWay.get(tag)
    if (pending === undefined) return AmpSession.wasTag(tag, this.count)
    const { question } = pending
    const value = withPort(this.outlet.port, () => question.decode(box))
    if (Result.isFailure(value)) {
      this.outlet.drop()
      this.failed(pending, new Undecodable({ detail: `the answer: ${value.failure}` }))
      return true
    }
    this.outlet.commit()
    this.settle(pending, Exit.succeed(value.success))
    question.answered?.()
    return true
  }

  refused(tag: string, code: string, description: string): boolean {
    this.abandoned.answered()
    const pending = this.underWay.get(tag)
    if (pending === undefined) return AmpSession.wasTag(tag, this.count)
    if (code === AmpSession.unhandledCode) {
      this.failed(pending, new UnhandledCommand({ description }))
      return true
    }
    const declared = pending.question.errorOf(code, description)
    if (declared === undefined) this.failed(pending, new UnknownRemoteError({ code, description }))
    else this.settle(pending, Effect.fail(declared))
    return true
  }

  /** There will be no answers any more. */
  end(reason: AmpReason): void {
    this.ended ??= reason
    for (const pending of [...this.underWay.values(), ...this.waiting]) this.failed(pending, this.ended)
    for (const { deadlines, keeper } of this.deadlines.values()) deadlines.remove(keeper)
    this.large.end()
  }

  private failed(pending: Pending, reason: AmpReason): void {
    this.settle(pending, Effect.fail(this.error(pending.question.name, reason)))
  }

  private error(command: string, reason: AmpReason): AmpError {
    return new AmpError({ operation: "call", command, reason })
  }

  /** Nobody waits for it any more: the peer hears of it, where it understands. `undefined` for whoever was interrupted. */
  private abandon(pending: Pending, effect: Effect.Effect<unknown, unknown> | undefined): void {
    if (!pending.over && pending.tag !== undefined) this.abandoned.add(pending.tag)
    this.settle(pending, effect)
  }

  private settle(pending: Pending, effect: Effect.Effect<unknown, unknown> | undefined): void {
    if (pending.over) return
    pending.over = true
    this.waiting.delete(pending)
    if (pending.deadline !== undefined) this.removeDeadline(pending.deadline)
    if (pending.tag !== undefined && this.underWay.delete(pending.tag)) this.fill()
    if (effect !== undefined) pending.resume(effect)
  }

  private fill(): void {
    for (const next of this.waiting) {
      if (this.underWay.size >= this.callsMax) return
      this.waiting.delete(next)
      this.start(next)
    }
  }

  private deadlinesOf(millis: number) {
    const known = this.deadlines.get(millis)
    if (known !== undefined) return known
    if (!Number.isFinite(millis) || this.deadlines.size >= durationsMax) return undefined
    // Rests beside the calls, so that their timer is not stopped and started for each: until a tick finds none.
    const keeper: Swept = { swept: () => this.underWay.size === 0 && this.waiting.size === 0 }
    const made = { deadlines: new Deadlines(millis), keeper }
    this.deadlines.set(millis, made)
    return made
  }

  private removeDeadline(deadline: Deadline): void {
    for (const { deadlines } of this.deadlines.values()) deadlines.remove(deadline)
  }
}

/** Why a call fails on a connection that has gone on to something else. */
export const switched: AmpReason = new ProtocolSwitched()
export const closed: AmpReason = new ConnectionLost({ cause: undefined })
