/** What the peer asks for: handlers at work, what they give and how they fail, as Twisted tells it. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Protocol } from "../protocol/Protocol.ts"
import type { Transport } from "../reactor/Transport.ts"
import type { Cancellable } from "./AmpCancellation.ts"
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
}

export class AmpCommands<R> {
  private readonly responder: Responder<R>
  private readonly outlet: AmpOutlet
  private readonly large: LargeValues
  private readonly cancellable: Cancellable
  private readonly host: Host<R>

  constructor(
    responder: Responder<R>,
    outlet: AmpOutlet,
    large: LargeValues,
    cancellable: Cancellable,
    host: Host<R>
  ) {
    this.responder = responder
    this.outlet = outlet
    this.large = large
    this.cancellable = cancellable
    this.host = host
  }

  /** The work on a command. */
  respond(name: string, tag: Uint8Array | undefined, box: Box): Effect.Effect<void, never, R> {
    const responding = this.responder.find(name)
    if (responding === undefined) return this.unhandled(name, tag)
    if (responding._tag === "Boxes") {
      return this.handled(tag, () => responding.handle(box), {
        onSuccess: (answer) => this.answer(name, tag, boxPairs(answer)),
        onFailure: (cause) => this.unknown(name, tag, cause)
      })
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
    return this.handled(tag, () => handle(args.success), {
      onSuccess: (given): Effect.Effect<void> => {
        if (command.kind === "Switch") return this.switchTo(name, tag, given)
        return this.answer(name, tag, () => codec.response.encode(given ?? {}, "some"))
      },
      onFailure: (cause) => this.failed(command, tag, cause)
    })
  }

  /** Runs a handler, which the peer may give up where it was told so. */
  private handled<A>(
    tag: Uint8Array | undefined,
    handle: () => Effect.Effect<A, unknown, R>,
    then: {
      readonly onSuccess: (value: A) => Effect.Effect<void>
      readonly onFailure: (cause: Cause.Cause<unknown>) => Effect.Effect<void>
    }
  ): Effect.Effect<void, never, R> {
    const handler = Effect.suspend(handle)
    return tag === undefined || !this.cancellable.isOn
      ? Effect.matchCauseEffect(handler, then)
      : this.cancellable.over(tag, handler, then)
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
