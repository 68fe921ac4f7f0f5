/** The conversation itself: boxes come, answers to whoever asked, commands to whoever responds; and the turns that a connection takes. */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Protocol from "../protocol/Protocol.ts"
import { isFaulty } from "../reactor/Blame.ts"
import * as NetAddress from "effect/net/NetAddress"
import type * as Tls from "../reactor/Tls.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as UnhandledFailure from "../reactor/UnhandledFailure.ts"
import { AmpCalls, type CallOptions, closed, ofBox, ofCommand, type Question, switched } from "./AmpCalls.ts"
import * as AmpCommand from "./AmpCommand.ts"
import * as AmpCancellation from "./AmpCancellation.ts"
import { AmpCommands } from "./AmpCommands.ts"
import { AmpConnection, type ConversationError, type Options } from "./AmpConnection.ts"
import { AmpError, type AmpReason, ConnectionLost, Malformed, Overloaded } from "./AmpError.ts"
import type * as AmpGroup from "./AmpGroup.ts"
import * as AmpLargeValues from "./AmpLargeValues.ts"
import { AmpOutlet } from "./AmpOutlet.ts"
import { AmpPlaces } from "./AmpPlaces.ts"
import type { Responder } from "./AmpResponder.ts"
import * as AmpSession from "./AmpSession.ts"
import { AmpTurns, startTlsCommand } from "./AmpTurns.ts"
import { type Box, type BoxDecoder, boxBytesMaxDefault, bytesOf, decoder, encodePairs } from "./AmpWire.ts"

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
  private readonly responder: Responder<R>
  private readonly options: Options
  private readonly outlet: AmpOutlet
  private readonly large: AmpLargeValues.LargeValues
  private readonly calls: AmpCalls
  private readonly decoder: BoxDecoder
  private readonly turns: AmpTurns<R>
  private readonly cancellable: AmpCancellation.Cancellable
  private readonly commands: AmpCommands<R>
  private places!: AmpPlaces<R>

  readonly connection: AmpConnection["Service"]

  constructor(transport: Transport, responder: Responder<R>, options: Options) {
    this.responder = responder
    this.options = options
    this.outlet = new AmpOutlet(transport)
    this.large = new AmpLargeValues.LargeValues(options.largeBoxBytesMax ?? largeBoxBytesMaxDefault)
    this.calls = new AmpCalls(this.outlet, this.large, options.callsMax ?? callsMaxDefault)
    this.decoder = decoder(options)
    this.turns = new AmpTurns(transport, this.outlet, this.calls, this.decoder, options)
    this.large.inquire = () => this.inquire()
    this.cancellable = new AmpCancellation.Cancellable(this.outlet)
    this.commands = new AmpCommands(responder, this.outlet, this.large, this.cancellable, {
      quit: (cause) => this.quit(cause),
      switchTo: (run) => this.turns.to({ _tag: "Switch", run })
    })
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
    const currentTransport = () => this.turns.transport
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
      startTls: (tls?: Tls.ClientOptions | Tls.ServerOptions) => this.turns.startTls(tls ?? this.options.tls),
      switchTo: (
        command: AmpCommand.Any,
        args: unknown,
        protocol: Protocol.Protocol<Transport, unknown, unknown>
      ) => this.turns.switchTo(ofCommand(command, args as never), protocol)
    }
    // The commands' types are forgotten on the inside.
    return connection as unknown as AmpConnection["Service"]
  }

  // --- the conversation ---------------------------------------------------------------------------------

  readonly run: Effect.Effect<void, ConversationError, R | AmpConnection> = Effect.suspend(() => {
    const scope = Scope.makeUnsafe()
    const queuedMax = this.queuedMax
    this.places = new AmpPlaces(
      { mustRead: () => this.calls.busy, broken: (cause) => this.quit(cause) },
      {
        placesMax: this.options.commandsMax ?? commandsMaxDefault,
        queuedMax,
        // So that there is room left when answers must be read.
        aheadMax: Math.floor(queuedMax / 2),
        aheadBytesMax: this.options.boxBytesMax ?? boxBytesMaxDefault
      },
      scope
    )
    this.calls.onBusy = this.places.wake
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
        const turn = this.turns.next
        switch (turn?._tag) {
          case undefined:
            return this.lastAnswers
          case "Quit":
            return turn.exit
          case "Tls":
            return Effect.andThen(this.turns.changeToTls(turn), this.converse(scope))
          case "Switch":
            return this.turns.goOn(turn, this.release(scope))
        }
      })
    )
  }

  /** Handlers have nobody left to answer to. */
  private release(scope: Scope.Closeable): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.places.stop()
      return Scope.close(scope, Exit.void)
    })
  }

  /** Until the end of input, a turn, or until the server wants to stop and all commands are answered. */
  private readonly receive: Effect.Effect<void, ConversationError, R> = Effect.suspend(() => {
    const boxes = Effect.andThen(
      this.drain,
      Effect.andThen(
        this.turns.transport.receiveEach((bytes) => {
          this.decoder.push(bytes)
          if (this.turns.next === undefined && !this.outlet.collect())
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
      Effect.suspend(() => this.places.idle)
    )
    return Effect.raceFirst(boxes, Effect.raceFirst(this.turns.decided, stopped))
  })

  private readonly drain: Effect.Effect<void, AmpError, R> = Effect.suspend(() => this.drainNow())

  /** Takes the boxes that are whole; `Effect.void` when none of them needs more than this step. */
  private drainNow(): Effect.Effect<void, AmpError, R> {
    for (;;) {
      if (this.turns.next !== undefined) return Effect.void
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
        const own = tag === undefined ? this.ownNotice(name, box) : this.ownCommand(name, tag, box)
        if (own === Effect.void) return undefined
        const run = own ?? this.commands.respond(name, tag, box)
        const next = this.places.take({ run, bytes: () => bytesOf(box) })
        return next === false ? Effect.fail(this.error(new Overloaded({ limit: this.queuedMax }))) : next
      }
    }
  }

  private ownNotice(name: string, box: Box): Effect.Effect<void> | undefined {
    if (name !== AmpCancellation.command.name) return undefined
    const call = AmpCancellation.callOf(box)
    if (call === undefined) this.calls.abandoned.heard()
    else this.cancellable.cancel(call)
    return Effect.void
  }

  /** What is done here of a command that the connection itself responds to, and what is left to wait for. */
  private ownCommand(name: string, tag: Uint8Array, box: Box): Effect.Effect<void> | undefined {
    if (this.cancellable.see(tag)) this.places.readsAhead = true
    if (name === AmpLargeValues.command.name) return this.largeValuesRequested(tag, box)
    return name === startTlsCommand.name && this.responder.find(name) === undefined
      ? this.turns.tlsRequested(tag)
      : undefined
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
      Effect.timeoutOption(this.places.idle, this.options.finishTimeout ?? finishTimeoutDefault)
    )
  })

  private over(exit: Exit.Exit<void, ConversationError>): Effect.Effect<void> {
    return Effect.sync(() => {
      const reason = this.turns.next?._tag === "Switch" ? switched : reasonOf(exit)
      this.places.stop()
      this.outlet.close(reason)
      this.calls.end(reason)
      this.turns.end(reasonOf(exit))
    })
  }

  /** Ends it behind what was sent. What the peer did wrong is for whoever reads the log at Debug. */
  private quit(cause: Cause.Cause<unknown> | undefined): Effect.Effect<void> {
    const end = Effect.sync(() => this.turns.to({ _tag: "Quit", exit: Exit.void }))
    if (cause === undefined) return end
    const peer = NetAddress.formatSocketAddress(this.turns.transport.peer)
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
    const sent = this.outlet.reply(answer.success)
    this.large.learn((asked.success as { readonly boxBytesMax: number }).boxBytesMax)
    return sent
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
