/**
 * What a connection does next instead of receiving boxes: go on under TLS, go on with another protocol, end. Either side may ask for
 * it; what is sent behind the question waits for its answer.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type * as Protocol from "../protocol/Protocol.ts"
import type { TransportError } from "../reactor/ReactorError.ts"
import type * as Tls from "../reactor/Tls.ts"
import type { Transport } from "../reactor/Transport.ts"
import { type AmpCalls, ofCommand, type Question, switched } from "./AmpCalls.ts"
import * as AmpCommand from "./AmpCommand.ts"
import type { ConversationError, Options } from "./AmpConnection.ts"
import { AmpError, type AmpReason, NoTlsOptions, OnlyOneTls } from "./AmpError.ts"
import type { AmpOutlet } from "./AmpOutlet.ts"
import * as AmpSession from "./AmpSession.ts"
import { type BoxDecoder, encodePairs } from "./AmpWire.ts"

/** Twisted: `StartTLS`, whose arguments never leave the process. */
export const startTlsCommand = AmpCommand.make("StartTLS")

export type Turn<R> =
  | {
      readonly _tag: "Tls"
      readonly tls: Tls.ClientOptions | Tls.ServerOptions
      /** The answer that allows it, where the peer has asked. */
      readonly reply: Uint8Array | undefined
      readonly done: (exit: Exit.Exit<void, AmpReason>) => void
    }
  /** `run` goes on with it in the fiber of whoever asked, or here. */
  | {
      readonly _tag: "Switch"
      readonly run: (transport: Transport) => Effect.Effect<void, unknown, R>
      /** It did not come to that. */
      readonly lost?: ((reason: AmpReason) => void) | undefined
    }
  | { readonly _tag: "Quit"; readonly exit: Exit.Exit<void, ConversationError> }

export class AmpTurns<R> {
  /** Another one once TLS has started. */
  transport: Transport
  private readonly outlet: AmpOutlet
  private readonly calls: AmpCalls
  private readonly decoder: BoxDecoder
  private readonly options: Options
  private turn: Turn<R> | undefined = undefined
  private turned = Deferred.makeUnsafe<void>()
  private tlsAsked = false

  constructor(
    transport: Transport,
    outlet: AmpOutlet,
    calls: AmpCalls,
    decoder: BoxDecoder,
    options: Options
  ) {
    this.transport = transport
    this.outlet = outlet
    this.calls = calls
    this.decoder = decoder
    this.options = options
  }

  /** The one that was decided on: no box is received any more. */
  get next(): Turn<R> | undefined {
    return this.turn
  }

  /** Waits for one. */
  readonly decided: Effect.Effect<void> = Effect.suspend(() => Deferred.await(this.turned))

  /** The first one counts. */
  to(turn: Turn<R>): void {
    if (this.turn !== undefined) return
    this.turn = turn
    Deferred.doneUnsafe(this.turned, Exit.void)
  }

  /** The conversation is over, and with it what was about to be. */
  end(reason: AmpReason): void {
    if (this.turn?._tag === "Tls") this.turn.done(Exit.fail(reason))
    if (this.turn?._tag === "Switch") this.turn.lost?.(reason)
  }

  // --- TLS ----------------------------------------------------------------------------------------------

  private get isSecured(): boolean {
    return this.tlsAsked || this.transport.security._tag === "Tls"
  }

  /** Asks the peer, and is done when TLS is on. */
  startTls(tls: Tls.ClientOptions | Tls.ServerOptions | undefined): Effect.Effect<void, AmpError> {
    const fail = (reason: AmpReason) =>
      new AmpError({ operation: "call", command: startTlsCommand.name, reason })
    return Effect.suspend(() => {
      if (this.isSecured) return Effect.fail(fail(new OnlyOneTls()))
      if (!this.isClient && tls === undefined) return Effect.fail(fail(new NoTlsOptions()))
      this.tlsAsked = true
      const done = Deferred.makeUnsafe<void, AmpReason>()
      const question: Question<unknown, unknown> = {
        ...ofCommand(startTlsCommand, {}),
        answered: () =>
          this.to({
            _tag: "Tls",
            tls: tls ?? {},
            reply: undefined,
            done: (exit) => Deferred.doneUnsafe(done, exit)
          })
      }
      return this.askAndHold(question).pipe(
        Effect.tapError(() =>
          Effect.sync(() => {
            this.tlsAsked = false
          })
        ),
        Effect.andThen(Effect.mapError(Deferred.await(done), fail)),
        Effect.asVoid
      ) as Effect.Effect<void, AmpError>
    })
  }

  /**
   * Asks for a turn. What is sent behind it waits, since the peer will read it as something else. Who gives up before the answer
   * cannot know what the peer makes of the next byte: that is the end.
   */
  private askAndHold(question: Question<unknown, unknown>): Effect.Effect<unknown, unknown> {
    return Effect.callback<unknown, unknown>((resume) => {
      const abandon = this.calls.urge(question, resume)
      this.outlet.hold()
      return Effect.sync(() => {
        abandon()
        this.to({ _tag: "Quit", exit: Exit.void })
      })
    }).pipe(Effect.tapError(() => Effect.sync(() => this.outlet.resume())))
  }

  private get isClient(): boolean {
    return this.options.role !== "server"
  }

  /** The peer asks for TLS. `undefined` where there is none: then nobody handles it. */
  tlsRequested(tag: Uint8Array): Effect.Effect<void> | undefined {
    const { tls } = this.options
    if (tls === undefined && !this.isClient) return undefined
    const encoded = (pairs: ReturnType<typeof AmpSession.answerPairs>) =>
      Result.getOrThrow(encodePairs(pairs))
    if (this.isSecured) {
      return this.outlet.reply(encoded(AmpSession.errorPairs(tag, AmpSession.tlsCode, "TLS is on already")))
    }
    this.tlsAsked = true
    this.outlet.hold()
    this.to({
      _tag: "Tls",
      tls: tls ?? {},
      reply: encoded(AmpSession.answerPairs(tag, [])),
      done: () => {}
    })
    return Effect.void
  }

  /** Goes on under TLS, and receives boxes again. */
  changeToTls(turn: Extract<Turn<R>, { readonly _tag: "Tls" }>): Effect.Effect<void, TransportError> {
    return Effect.gen({ self: this }, function* () {
      const { reply, tls } = turn
      // Whatever came behind the command or its answer came in plaintext: the transport refuses to go on with it (CVE-2011-0411).
      yield* this.transport.unread(this.decoder.takeRest())
      if (this.isClient && reply !== undefined) yield* this.transport.send(reply)
      const secured = yield* this.transport.startTls(
        this.isClient
          ? { role: "client", tls: tls as Tls.ClientOptions }
          : {
              role: "server",
              tls: tls as Tls.ServerOptions,
              reply,
              // Where we have asked, the peer's hello may come in one piece with its answer.
              unreadIsHello: reply === undefined
            }
      )
      this.transport = secured
      this.turn = undefined
      this.turned = Deferred.makeUnsafe()
      this.outlet.resume(secured)
      turn.done(Exit.void)
    })
  }

  // --- another protocol ---------------------------------------------------------------------------------

  /** Asks the peer, and speaks `protocol` once it has agreed. */
  switchTo(
    question: Question<unknown, unknown>,
    protocol: Protocol.Protocol<Transport, unknown, unknown>
  ): Effect.Effect<void, unknown, unknown> {
    return Effect.suspend(() => {
      const ready = Deferred.makeUnsafe<Transport, AmpReason>()
      const fail = (reason: AmpReason) => new AmpError({ operation: "call", command: question.name, reason })
      const finished = Deferred.makeUnsafe<void>()
      const asking = this.askAndHold({
        ...question,
        decode: () => Result.succeed(undefined),
        answered: () =>
          this.to({
            _tag: "Switch",
            // It runs in the fiber of whoever asked; the conversation ends with it.
            run: (transport) => {
              Deferred.doneUnsafe(ready, Exit.succeed(transport))
              return Deferred.await(finished)
            },
            lost: (reason) => Deferred.doneUnsafe(ready, Exit.fail(reason))
          })
      })
      return asking.pipe(
        Effect.andThen(Effect.mapError(Deferred.await(ready), fail)),
        Effect.flatMap(protocol),
        Effect.ensuring(Effect.sync(() => Deferred.doneUnsafe(finished, Exit.void)))
      )
    })
  }

  /** Gives the connection away. `release` ends the handlers, who have nobody left to answer to. */
  goOn(
    turn: Extract<Turn<R>, { readonly _tag: "Switch" }>,
    release: Effect.Effect<void>
  ): Effect.Effect<void, ConversationError, R> {
    return Effect.gen({ self: this }, function* () {
      this.calls.end(switched)
      this.outlet.close(switched)
      yield* release
      yield* this.transport.unread(this.decoder.takeRest())
      // Its failures are the protocol's own.
      yield* turn.run(this.transport) as Effect.Effect<void, ConversationError, R>
    })
  }
}
