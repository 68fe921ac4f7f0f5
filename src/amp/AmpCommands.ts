/** What the peer asks for: handlers at work, what they give and how they fail, as Twisted tells it. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { until } from "../reactor/Waiters.ts"
import type { Protocol } from "../protocol/Protocol.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as AmpCommand from "./AmpCommand.ts"
import { withPort } from "./AmpDescriptors.ts"
import {
  AmpError,
  type AmpReason,
  InvalidResponse,
  type TooLong,
  Undecodable,
  UnhandledCommand
} from "./AmpError.ts"
import { type LargeValues, tooLarge } from "./AmpLargeValues.ts"
import type { AmpOutlet } from "./AmpOutlet.ts"
import type { Responder, Responding } from "./AmpResponder.ts"
import * as AmpSession from "./AmpSession.ts"
import { type Box, type Pair, pairsOf } from "./AmpWire.ts"

/** What the conversation does for them. */
export interface Host<R> {
  /** Ends the conversation, once what was sent is out. A cause is one to report: this side's fault, or a command without an answer. */
  readonly quit: (cause: Cause.Cause<unknown> | undefined) => Effect.Effect<void>
  readonly switchTo: (protocol: Protocol<Transport, unknown, R>) => void
  /** Whether answers of the peer must be read, whatever else waits. */
  readonly mustRead: () => boolean
}

export interface Limits {
  readonly commandsMax: number
  readonly commandsQueuedMax: number
}

export class AmpCommands<R> {
  private readonly responder: Responder<R>
  private readonly outlet: AmpOutlet
  private readonly large: LargeValues
  private readonly host: Host<R>
  private readonly limits: Limits
  private readonly scope: Scope.Scope
  private active = 0
  private readonly queue: Array<Effect.Effect<void, never, R>> = []
  private readonly roomWaiters = new Set<(effect: Effect.Effect<void>) => void>()
  private readonly idleWaiters = new Set<(effect: Effect.Effect<void>) => void>()

  constructor(
    responder: Responder<R>,
    outlet: AmpOutlet,
    large: LargeValues,
    host: Host<R>,
    limits: Limits,
    scope: Scope.Scope
  ) {
    this.responder = responder
    this.outlet = outlet
    this.large = large
    this.host = host
    this.limits = limits
    this.scope = scope
  }

  /** Waits until nothing is worked on. */
  readonly idle: Effect.Effect<void> = until(
    () => (this.active === 0 ? Effect.void : undefined),
    () => this.idleWaiters
  )

  /** Waits until a further command can be taken, or must be kept. */
  private readonly room: Effect.Effect<void> = until(
    () => (this.active < this.limits.commandsMax || this.host.mustRead() ? Effect.void : undefined),
    () => this.roomWaiters
  )

  /** Answers must be read from now on. */
  readonly wake = (): void => {
    // Each looks again for itself; a set may shrink while it is walked.
    for (const resume of this.roomWaiters) {
      this.roomWaiters.delete(resume)
      resume(Effect.void)
    }
  }

  /** Nothing of what waits is begun any more. */
  stop(): void {
    this.queue.length = 0
  }

  /** Takes the work on a command, and gives back what has to be done before the next box. False when there is too much. */
  take(work: Effect.Effect<void, never, R>): Effect.Effect<void, never, R> | false {
    if (this.active < this.limits.commandsMax) return this.begin(work)
    if (this.host.mustRead()) {
      if (this.queue.length >= this.limits.commandsQueuedMax) return false
      this.queue.push(work)
      return Effect.void
    }
    return Effect.andThen(
      this.room,
      Effect.suspend(() => {
        if (this.active < this.limits.commandsMax) return this.begin(work)
        this.queue.push(work)
        return Effect.void
      })
    )
  }

  private begin(work: Effect.Effect<void, never, R>): Effect.Effect<void, never, R> {
    return Effect.suspend(() => {
      this.active++
      return Effect.asVoid(Effect.forkIn(this.worker(work), this.scope, { startImmediately: true }))
    })
  }

  /** Works on one command, and then on those that waited. */
  private worker(first: Effect.Effect<void, never, R>): Effect.Effect<void, never, R> {
    let work: Effect.Effect<void, never, R> | undefined = first
    return Effect.onExit(
      Effect.whileLoop({
        while: () => work !== undefined,
        body: () => work!,
        step: () => {
          work = this.queue.shift()
        }
      }),
      (exit) =>
        Effect.suspend(() => {
          this.active--
          // It came after the last look at the queue, and found this worker still there.
          const next = Exit.isSuccess(exit) ? this.queue.shift() : undefined
          if (next !== undefined) return this.begin(next)
          this.wake()
          if (this.active > 0) return Effect.void
          for (const resume of this.idleWaiters) resume(Effect.void)
          this.idleWaiters.clear()
          return Effect.void
        })
    )
  }

  /** The work on a command. */
  respond(name: string, tag: Uint8Array | undefined, box: Box): Effect.Effect<void, never, R> {
    const responding = this.responder.find(name)
    if (responding === undefined) return this.unhandled(name, tag)
    if (responding._tag === "Boxes") {
      return Effect.matchCauseEffect(
        Effect.suspend(() => responding.handle(box)),
        {
          onSuccess: (answer) => this.answer(name, tag, boxPairs(answer)),
          onFailure: (cause) => this.unknown(name, tag, cause)
        }
      )
    }
    return this.typed(responding, tag, box)
  }

  private typed(
    { command, handle }: Extract<Responding<R>, { readonly _tag: "Typed" }>,
    tag: Uint8Array | undefined,
    box: Box
  ): Effect.Effect<void, never, R> {
    const { name } = command
    const codec = AmpCommand.codecOf(command)
    // In the step in which the box came: the descriptors that belong to it are there.
    const args = withPort(this.outlet.port, () => codec.arguments.decode(box))
    if (Result.isFailure(args)) {
      this.outlet.drop()
      return this.unknown(name, tag, Cause.fail(new Undecodable({ detail: args.failure })))
    }
    this.outlet.commit()
    return Effect.matchCauseEffect(
      Effect.suspend(() => handle(args.success)),
      {
        onSuccess: (given): Effect.Effect<void, never, R> => {
          if (command.kind === "Switch") return this.switchTo(name, tag, given)
          return this.answer(name, tag, () => codec.response.encode(given ?? {}, "some"))
        },
        onFailure: (cause) => this.failed(command, tag, cause)
      }
    )
  }

  private answer(
    name: string,
    tag: Uint8Array | undefined,
    encode: () => Result.Result<ReadonlyArray<Pair>, string>
  ): Effect.Effect<void> {
    if (tag === undefined) return Effect.void
    const attempt: Effect.Effect<void> = Effect.suspend(() => {
      const pairs = withPort(this.outlet.port, encode)
      const bytes: Result.Result<Uint8Array, string | TooLong | typeof tooLarge> = Result.isSuccess(pairs)
        ? this.large.encode(AmpSession.answerPairs(tag, pairs.success))
        : Result.fail(pairs.failure)
      if (Result.isSuccess(bytes)) return this.sent(this.outlet.commit(), bytes.success)
      this.outlet.drop()
      const { failure } = bytes
      if (failure === tooLarge) return Effect.andThen(this.large.agree, attempt)
      const reason =
        typeof failure === "string"
          ? new InvalidResponse({ detail: `the answer: ${failure}` })
          : new InvalidResponse({ detail: `the answer: ${failure.message}`, cause: failure })
      return this.unknown(name, tag, Cause.fail(reason))
    })
    return attempt
  }

  private sent(failure: AmpReason | undefined, bytes: Uint8Array): Effect.Effect<void> {
    return failure === undefined ? this.outlet.reply(bytes) : Effect.void
  }

  private switchTo(name: string, tag: Uint8Array | undefined, given: unknown): Effect.Effect<void> {
    if (typeof given !== "function") {
      return this.unknown(name, tag, Cause.fail(new InvalidResponse({ detail: "no protocol was given" })))
    }
    return Effect.suspend(() => {
      // Twisted's answer has no values: the protocol is in their place.
      // Nobody waits for room where it is the last box.
      if (tag !== undefined) void this.sendPairs(AmpSession.answerPairs(tag, []))
      this.host.switchTo(given as Protocol<Transport, unknown, R>)
      return Effect.void
    })
  }

  /** Sends at once, and gives what is left to wait for: a peer that asks without reading is not read from either. */
  private sendPairs(pairs: ReadonlyArray<Pair>): Effect.Effect<void> {
    const bytes = this.large.encode(pairs)
    return Result.isSuccess(bytes) ? this.sent(undefined, bytes.success) : Effect.void
  }

  private failed(
    command: AmpCommand.Any,
    tag: Uint8Array | undefined,
    cause: Cause.Cause<unknown>
  ): Effect.Effect<void> {
    const code = tag === undefined ? undefined : declaredCode(command, cause)
    if (code === undefined) return this.unknown(command.name, tag, cause)
    return Effect.suspend(() => {
      const sent = this.sendPairs(AmpSession.errorPairs(tag!, code.code, code.description))
      return command.fatal.has(code.code) ? this.host.quit(undefined) : sent
    })
  }

  /**
   * What nobody declared: the peer hears of an unknown error, and that is the end of the connection. So is any failure of a command
   * without an answer, since nobody would hear of it.
   */
  private unknown(
    command: string,
    tag: Uint8Array | undefined,
    cause: Cause.Cause<unknown>
  ): Effect.Effect<void> {
    if (Cause.hasInterruptsOnly(cause)) return Effect.void
    return Effect.suspend(() => {
      if (tag !== undefined) {
        void this.sendPairs(AmpSession.errorPairs(tag, AmpSession.unknownCode, "Unknown Error"))
      }
      return this.host.quit(
        Cause.map(cause, (error) =>
          error instanceof InvalidResponse ||
          error instanceof Undecodable ||
          error instanceof UnhandledCommand
            ? new AmpError({ operation: "respond", command, reason: error })
            : error
        )
      )
    })
  }

  private unhandled(name: string, tag: Uint8Array | undefined): Effect.Effect<void> {
    const description = AmpSession.unhandledDescription(name)
    if (tag === undefined) {
      return this.unknown(name, tag, Cause.fail(new UnhandledCommand({ description })))
    }
    return Effect.suspend(() =>
      this.sendPairs(AmpSession.errorPairs(tag, AmpSession.unhandledCode, description))
    )
  }
}

const declaredCode = (
  command: AmpCommand.Any,
  cause: Cause.Cause<unknown>
): { readonly code: string; readonly description: string } | undefined => {
  // With a defect beside it, it is not what the command declares.
  if (cause.reasons.some(({ _tag }) => _tag === "Die")) return undefined
  for (const reason of cause.reasons) {
    if (reason._tag !== "Fail") continue
    for (const [code, type] of Object.entries(command.errors)) {
      if (reason.error instanceof type) return { code, description: String(reason.error.description) }
    }
  }
  return undefined
}

const boxPairs = (box: Box) => () =>
  Result.mapError(pairsOf(box), (failure) => (typeof failure === "string" ? failure : failure.message))
