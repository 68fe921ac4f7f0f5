/** The conversation itself: boxes come, answers to whoever asked, commands to whoever responds; and the turns that a connection takes. */
import type * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Protocol from "../protocol/Protocol.ts"
import { isFaulty } from "../reactor/Blame.ts"
import * as NetAddress from "effect/net/NetAddress"
import type { TransportError } from "../reactor/ReactorError.ts"
import type * as Tls from "../reactor/Tls.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as UnhandledFailure from "../reactor/UnhandledFailure.ts"
import { AmpCalls, type CallOptions, closed, ofBox, ofCommand, type Question, switched } from "./AmpCalls.ts"
import * as AmpCommand from "./AmpCommand.ts"
import { AmpCommands } from "./AmpCommands.ts"
import { AmpConnection, type ConversationError, type Options } from "./AmpConnection.ts"
import {
  AmpError,
  type AmpReason,
  ConnectionLost,
  Malformed,
  NoTlsOptions,
  OnlyOneTls,
  Overloaded
} from "./AmpError.ts"
import type * as AmpGroup from "./AmpGroup.ts"
import * as AmpLargeValues from "./AmpLargeValues.ts"
import { AmpOutlet } from "./AmpOutlet.ts"
import type { Responder } from "./AmpResponder.ts"
import * as AmpSession from "./AmpSession.ts"
import { type Box, type BoxDecoder, decoder, encodePairs } from "./AmpWire.ts"

/** Twisted: `StartTLS`, whose arguments never leave the process. */
const startTlsCommand = AmpCommand.make("StartTLS")

/** What the connection does next, instead of receiving boxes. */
type Turn<R> =
  | {
      readonly _tag: "Tls"
      readonly tls: Tls.ClientOptions | Tls.ServerOptions
      /** The answer that allows it, where the peer has asked. */
      readonly reply: Uint8Array | undefined
      readonly done: (exit: Exit.Exit<void, AmpReason>) => void
    }
  /** `run` goes on with it in the fiber of whoever asked, or here. */
  | { readonly _tag: "Switch"; readonly run: (transport: Transport) => Effect.Effect<void, unknown, R> }
  | { readonly _tag: "Quit"; readonly exit: Exit.Exit<void, ConversationError> }

export interface Conversation<R> {
  readonly connection: AmpConnection["Service"]
  /** Receives until the connection ends; runs once. */
  readonly run: Effect.Effect<void, ConversationError, Exclude<R, AmpConnection>>
}

/** A conversation over a transport, which nobody else receives from. The scope is that of the handlers. */
export const make = <R>(transport: Transport, responder: Responder<R>, options: Options): Conversation<R> => {
  const running = new Running(transport, responder, options)
  return { connection: running.connection, run: running.run as Conversation<R>["run"] }
}

class Running<R> {
  private transport: Transport
  private readonly responder: Responder<R>
  private readonly options: Options
  private readonly outlet: AmpOutlet
  private readonly large: AmpLargeValues.LargeValues
  private readonly calls: AmpCalls
  private readonly decoder: BoxDecoder
  private commands!: AmpCommands<R>
  private turn: Turn<R> | undefined = undefined
  private turned = Deferred.makeUnsafe<void>()
  private tlsAsked = false

  readonly connection: AmpConnection["Service"]

  constructor(transport: Transport, responder: Responder<R>, options: Options) {
    this.transport = transport
    this.responder = responder
    this.options = options
    this.outlet = new AmpOutlet(transport)
    this.large = new AmpLargeValues.LargeValues(options.largeBoxBytesMax ?? largeBoxBytesMaxDefault)
    this.calls = new AmpCalls(this.outlet, this.large, options.callsMax ?? callsMaxDefault)
    this.decoder = decoder(options)
    this.large.inquire = () => this.inquire()
    this.connection = this.makeConnection()
  }

  // --- what others see ----------------------------------------------------------------------------------

  private makeConnection(): AmpConnection["Service"] {
    const call = (command: AmpCommand.Any, args: unknown, options?: CallOptions) => {
      const question = ofCommand(command, (args ?? {}) as never)
      return command.kind === "Notice"
        ? this.calls.tell(question)
        : this.calls.call(question, options?.timeout ?? this.options.callTimeout)
    }
    const currentTransport = () => this.transport
    const connection = {
      get transport() {
        return currentTransport()
      },
      call,
      callBox: (name: string, box: Box, options?: CallOptions) =>
        this.calls.call(ofBox(name, box), options?.timeout ?? this.options.callTimeout),
      caller: (group: AmpGroup.Any) => {
        const caller: Record<string, unknown> = {}
        for (const command of Object.values(group.commands)) {
          if (command.kind === "Switch") continue
          caller[command.name] = (args: unknown, options?: CallOptions) => call(command, args, options)
        }
        return caller
      },
      startTls: (tls?: Tls.ClientOptions | Tls.ServerOptions) => this.startTls(tls ?? this.options.tls),
      switchTo: (
        command: AmpCommand.Any,
        args: unknown,
        protocol: Protocol.Protocol<Transport, unknown, unknown>
      ) => this.switchTo(ofCommand(command, args as never), protocol)
    }
    // The commands' types are forgotten on the inside.
    return connection as unknown as AmpConnection["Service"]
  }

  // --- the conversation ---------------------------------------------------------------------------------

  readonly run: Effect.Effect<void, ConversationError, R | AmpConnection> = Effect.suspend(() => {
    const scope = Scope.makeUnsafe()
    this.commands = new AmpCommands(
      this.responder,
      this.outlet,
      this.large,
      {
        quit: (cause) => this.quit(cause),
        switchTo: (protocol) => this.turnTo({ _tag: "Switch", run: protocol }),
        mustRead: () => this.calls.busy
      },
      {
        commandsMax: this.options.commandsMax ?? commandsMaxDefault,
        commandsQueuedMax: this.options.commandsQueuedMax ?? commandsQueuedMaxDefault
      },
      scope
    )
    this.calls.onBusy = this.commands.wake
    return Effect.onExit(this.converse(scope), (exit) =>
      Effect.andThen(this.over(exit), Scope.close(scope, exit))
    )
  }).pipe(
    (run) =>
      Effect.provideServiceEffect(
        run,
        AmpConnection,
        Effect.sync(() => this.connection)
      ) as typeof run
  )

  private converse(scope: Scope.Closeable): Effect.Effect<void, ConversationError, R> {
    return Effect.suspend(() =>
      Effect.flatMap(this.receive, (): Effect.Effect<void, ConversationError, R> => {
        const turn = this.turn
        switch (turn?._tag) {
          case undefined:
            return this.lastAnswers
          case "Quit":
            return turn.exit
          case "Tls":
            return Effect.andThen(this.changeToTls(turn), this.converse(scope))
          case "Switch":
            return this.goOn(turn, scope)
        }
      })
    )
  }

  /** Until the end of input, a turn, or until the server wants to stop and all commands are answered. */
  private readonly receive: Effect.Effect<void, ConversationError, R> = Effect.suspend(() => {
    const boxes = Effect.andThen(
      this.drain,
      Effect.andThen(
        this.transport.receiveEach((bytes) => {
          this.decoder.push(bytes)
          if (this.turn === undefined && !this.outlet.collect())
            return this.malformed("too many descriptors that no box names")
          return this.drainNow()
        }),
        Effect.suspend(() => {
          this.decoder.finish()
          return this.drainNow()
        })
      )
    )
    const stopped = Effect.andThen(
      Protocol.stopping,
      Effect.suspend(() => this.commands.idle)
    )
    return Effect.raceFirst(boxes, Effect.raceFirst(Deferred.await(this.turned), stopped))
  })

  private readonly drain: Effect.Effect<void, AmpError, R> = Effect.suspend(() => this.drainNow())

  /** Takes the boxes that are whole; `Effect.void` when none of them needs more than this step. */
  private drainNow(): Effect.Effect<void, AmpError, R> {
    for (;;) {
      if (this.turn !== undefined) return Effect.void
      const box = this.decoder.next()
      if (box === undefined) {
        const { failure } = this.decoder
        return failure === undefined ? Effect.void : this.malformed(failure.reason.message, failure)
      }
      const next = this.received(box)
      if (next !== undefined) return Effect.andThen(next, this.drain)
    }
  }

  private received(box: Box): Effect.Effect<void, AmpError, R> | undefined {
    const received = AmpSession.classify(box)
    switch (received._tag) {
      case "Answer":
        return this.calls.answered(received.tag, box)
          ? undefined
          : this.malformed("an answer to what was not asked")
      case "Error":
        return this.calls.refused(received.tag, received.code, received.description)
          ? undefined
          : this.malformed("an error for what was not asked")
      case "Malformed":
        return this.malformed(received.detail)
      case "Command": {
        const { name, tag } = received
        const own = tag === undefined ? undefined : this.ownCommand(name, tag, box)
        if (own === Effect.void) return undefined
        const next = this.commands.take(own ?? this.commands.respond(name, tag, box))
        return next === false ? Effect.fail(this.error(new Overloaded({ limit: this.queuedMax }))) : next
      }
    }
  }

  /** What is done here of a command that the connection itself responds to, and what is left to wait for. */
  private ownCommand(name: string, tag: Uint8Array, box: Box): Effect.Effect<void> | undefined {
    if (name === AmpLargeValues.command.name) return this.largeValuesRequested(tag, box)
    return name === startTlsCommand.name && this.responder.find(name) === undefined
      ? this.tlsRequested(tag)
      : undefined
  }

  private sendNow(bytes: Uint8Array): Effect.Effect<void> {
    const sent = this.outlet.send(bytes)
    return sent === Effect.void ? Effect.void : Effect.ignore(sent)
  }

  private get queuedMax(): number {
    return this.options.commandsQueuedMax ?? commandsQueuedMaxDefault
  }

  private malformed(detail: string, cause?: Malformed["cause"]): Effect.Effect<never, AmpError> {
    return Effect.fail(this.error(new Malformed({ detail, cause })))
  }

  private error(reason: AmpReason): AmpError {
    return new AmpError({ operation: "converse", command: undefined, reason })
  }

  /** The peer has ended its side, and may still read: what it asked for is answered, and what it told is done. */
  private readonly lastAnswers: Effect.Effect<void> = Effect.suspend(() => {
    this.calls.end(closed)
    return Effect.asVoid(
      Effect.timeoutOption(this.commands.idle, this.options.finishTimeout ?? finishTimeoutDefault)
    )
  })

  private over(exit: Exit.Exit<void, ConversationError>): Effect.Effect<void> {
    return Effect.sync(() => {
      const reason = this.turn?._tag === "Switch" ? switched : reasonOf(exit)
      this.commands.stop()
      this.outlet.close(reason)
      this.calls.end(reason)
      if (this.turn?._tag === "Tls") this.turn.done(Exit.fail(reason))
    })
  }

  private turnTo(turn: Turn<R>): void {
    if (this.turn !== undefined) return
    this.turn = turn
    Deferred.doneUnsafe(this.turned, Exit.void)
  }

  /** Ends it behind what was sent. What the peer did wrong is for whoever reads the log at Debug. */
  private quit(cause: Cause.Cause<unknown> | undefined): Effect.Effect<void> {
    const end = Effect.sync(() => this.turnTo({ _tag: "Quit", exit: Exit.void }))
    if (cause === undefined) return end
    const peer = NetAddress.formatSocketAddress(this.transport.peer)
    const told = isFaulty(cause, "Local")
      ? UnhandledFailure.report({ cause, place: "amp", peer })
      : Effect.logDebug("command refused", cause)
    // Nor does the end of the conversation, which ends this fiber, cut off what is told.
    return Effect.uninterruptible(Effect.andThen(end, told))
  }

  // --- large values -------------------------------------------------------------------------------------

  private inquire(): void {
    const own = this.large.boxBytesMax
    this.decoder.acceptLargeValues(own)
    const question: Question<unknown, unknown> = {
      ...ofCommand(AmpLargeValues.command, { boxBytesMax: own }),
      answered: undefined
    }
    this.calls.urge(question, (effect) => {
      const agreed = Exit.isExit(effect) && Exit.isSuccess(effect)
      this.large.learn(agreed ? (effect.value as { readonly boxBytesMax: number }).boxBytesMax : "Plain")
    })
  }

  /** `undefined` where it is refused: then nobody handles it, as in a peer that does not know it. */
  private largeValuesRequested(tag: Uint8Array, box: Box): Effect.Effect<void> | undefined {
    const own = this.large.boxBytesMax
    if (own === 0) return undefined
    const codec = AmpCommand.codecOf(AmpLargeValues.command)
    const asked = codec.arguments.decode(box)
    if (Result.isFailure(asked)) return undefined
    const answer = Result.flatMap(codec.response.encode({ boxBytesMax: own }, "all"), (pairs) =>
      encodePairs(AmpSession.answerPairs(tag, pairs))
    )
    if (Result.isFailure(answer)) return undefined
    this.decoder.acceptLargeValues(own)
    const sent = this.sendNow(answer.success)
    this.large.learn((asked.success as { readonly boxBytesMax: number }).boxBytesMax)
    return sent
  }

  // --- TLS ----------------------------------------------------------------------------------------------

  private get isSecured(): boolean {
    return this.tlsAsked || this.transport.security._tag === "Tls"
  }

  private startTls(tls: Tls.ClientOptions | Tls.ServerOptions | undefined): Effect.Effect<void, AmpError> {
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
          this.turnTo({
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
        this.turnTo({ _tag: "Quit", exit: Exit.void })
      })
    }).pipe(Effect.tapError(() => Effect.sync(() => this.outlet.resume())))
  }

  private get isClient(): boolean {
    return this.options.role !== "server"
  }

  /** The peer asks for TLS. `undefined` where there is none: then nobody handles it. */
  private tlsRequested(tag: Uint8Array): Effect.Effect<void> | undefined {
    const { tls } = this.options
    if (tls === undefined && !this.isClient) return undefined
    const encoded = (pairs: ReturnType<typeof AmpSession.answerPairs>) =>
      Result.getOrThrow(encodePairs(pairs))
    if (this.isSecured) {
      return this.sendNow(encoded(AmpSession.errorPairs(tag, AmpSession.tlsCode, "TLS is on already")))
    }
    this.tlsAsked = true
    this.outlet.hold()
    this.turnTo({
      _tag: "Tls",
      tls: tls ?? {},
      reply: encoded(AmpSession.answerPairs(tag, [])),
      done: () => {}
    })
    return Effect.void
  }

  private changeToTls(turn: Extract<Turn<R>, { readonly _tag: "Tls" }>): Effect.Effect<void, TransportError> {
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

  private switchTo(
    question: Question<unknown, unknown>,
    protocol: Protocol.Protocol<Transport, unknown, unknown>
  ): Effect.Effect<void, unknown, unknown> {
    return Effect.suspend(() => {
      const ready = Deferred.makeUnsafe<Transport, AmpReason>()
      const finished = Deferred.makeUnsafe<void>()
      const asking = this.askAndHold({
        ...question,
        decode: () => Result.succeed(undefined),
        answered: () =>
          this.turnTo({
            _tag: "Switch",
            // It runs in the fiber of whoever asked; the conversation ends with it.
            run: (transport) => {
              Deferred.doneUnsafe(ready, Exit.succeed(transport))
              return Deferred.await(finished)
            }
          })
      })
      return asking.pipe(
        Effect.andThen(Deferred.await(ready)),
        Effect.flatMap(protocol),
        Effect.ensuring(Effect.sync(() => Deferred.doneUnsafe(finished, Exit.void)))
      )
    })
  }

  private goOn(
    turn: Extract<Turn<R>, { readonly _tag: "Switch" }>,
    scope: Scope.Closeable
  ): Effect.Effect<void, ConversationError, R> {
    return Effect.gen({ self: this }, function* () {
      this.calls.end(switched)
      this.outlet.close(switched)
      // Handlers have nobody left to answer to.
      yield* Scope.close(scope, Exit.void)
      yield* this.transport.unread(this.decoder.takeRest())
      // Its failures are the protocol's own.
      yield* turn.run(this.transport) as Effect.Effect<void, ConversationError, R>
    })
  }
}

const reasonOf = (exit: Exit.Exit<void, ConversationError>): AmpReason => {
  if (Exit.isSuccess(exit)) return closed
  for (const reason of exit.cause.reasons) {
    if (reason._tag === "Fail") return new ConnectionLost({ cause: reason.error })
  }
  return closed
}

const callsMaxDefault = 1024
const commandsMaxDefault = 256
const commandsQueuedMaxDefault = 4096
const finishTimeoutDefault = "5 seconds"
const largeBoxBytesMaxDefault = 16 * 1_048_576
