/**
 * Commands over one connection, pipelined: each is sent at once, and answers come in order. Twisted: `MemCacheProtocol`.
 *
 * Who no longer waits for an answer costs nothing: it is read, and dropped, when it comes. A timeout or an answer that makes no sense
 * ends the connection, and fails all who wait.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import { type Command, encode, isError, login } from "./MemcacheCommand.ts"
import {
  Busy,
  ClientError,
  Exposed,
  LoginRefused,
  Lost,
  Malformed,
  MemcacheError,
  type MemcacheReason,
  NoSuchCommand,
  ServerError,
  TimedOut
} from "./MemcacheError.ts"
import * as MemcacheReplyWire from "./MemcacheReplyWire.ts"
import type { Reply } from "./MemcacheReplyWire.ts"

export interface Login {
  readonly user: string
  readonly password: Redacted.Redacted
  /** Also to another machine without TLS, where others can read it. Default false. */
  readonly unprotected?: boolean | undefined
}

export interface Options extends MemcacheReplyWire.Options {
  /** How long an answer may take. Default 10 seconds; Twisted has 60. */
  readonly timeout?: Duration.Input | undefined
  /** Commands that may wait for their answers. Default 65,536. */
  readonly pendingMax?: number | undefined
  /**
   * Says first who we are, by memcached's text authentication; a server that asks nobody stores it, under the key `login`. Commands do
   * not wait for the answer. Default: nobody.
   */
  readonly login?: Login | undefined
}

export interface Connection {
  /** All replies to a command. What the server says is wrong is a failure. */
  readonly call: (command: Command) => Effect.Effect<ReadonlyArray<Reply>, MemcacheError>
}

/** Takes the connection over, until the scope ends. */
export const make = Effect.fnUntraced(function* (
  transport: Transport,
  options: Options = {}
): Effect.fn.Return<Connection, never, Scope.Scope> {
  const line = new Line(transport, yield* Clock.Clock, options)
  yield* Effect.forkScoped(line.receive, { startImmediately: true })
  yield* Effect.forkScoped(line.watch, { startImmediately: true })
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => line.fail(new Lost({ detail: "the connection was closed" })))
  )
  if (options.login !== undefined) yield* line.enter(options.login)
  return { call: line.call }
})

interface Pending {
  /** What comes may be about a command before it, which wanted no answer. */
  readonly isAmbiguous: boolean
  readonly command: Command
  readonly replies: Array<Reply>
  readonly deadline: number
  exit: Effect.Effect<ReadonlyArray<Reply>, MemcacheError> | undefined
  resume: ((exit: Effect.Effect<ReadonlyArray<Reply>, MemcacheError>) => void) | undefined
}

class Line {
  private readonly transport: Transport
  private readonly clock: Clock.Clock
  private readonly timeoutMillis: number
  private readonly pendingMax: number
  private readonly decoder: ReturnType<typeof MemcacheReplyWire.decoder>
  /** In the order of their answers. Those before `first` have theirs, and are let go: kept for a while they would all be promoted. */
  private pending: Array<Pending | undefined> = []
  private first = 0
  private readonly sending = Semaphore.makeUnsafe(1)
  private over: MemcacheReason | undefined = undefined
  /** A command that wants no answer was sent, and none behind it that wants one. */
  private isQuiet = false
  /** Hears the answer to the login. */
  private entering: Pending | undefined = undefined

  constructor(transport: Transport, clock: Clock.Clock, options: Options) {
    this.transport = transport
    this.clock = clock
    this.timeoutMillis = Duration.toMillis(options.timeout ?? "10 seconds")
    this.pendingMax = options.pendingMax ?? 65_536
    this.decoder = MemcacheReplyWire.decoder(options)
  }

  readonly call = (command: Command): Effect.Effect<ReadonlyArray<Reply>, MemcacheError> =>
    Effect.flatMap(this.sending.withPermits(1)(Effect.uninterruptible(this.send(command))), (pending) => {
      if (command.isQuiet === true) return nothing
      return Effect.callback<ReadonlyArray<Reply>, MemcacheError>((resume) => {
        if (pending.exit !== undefined) return resume(pending.exit)
        pending.resume = resume
        // The answer is dropped when it comes.
        return Effect.sync(() => void (pending.resume = undefined))
      })
    })

  /** Says who we are. What is wrong with it is what all others hear. */
  enter({ password, unprotected, user }: Login): Effect.Effect<void> {
    const said = login(user, password)
    const refused = (reason: MemcacheReason) => {
      this.fail(reason)
      return this.transport.abort
    }
    if (said._tag === "Failure") return Effect.suspend(() => refused(said.failure.reason))
    if (unprotected !== true && !isPrivate(this.transport))
      return Effect.suspend(() => refused(new Exposed()))
    return Effect.matchEffect(this.send(said.success), {
      onSuccess: (pending) => Effect.sync(() => void (this.entering = pending)),
      onFailure: () => Effect.void
    })
  }

  /** In line, and on its way: nothing comes between the two, or answers would go astray. */
  private send(command: Command): Effect.Effect<Pending, MemcacheError> {
    return Effect.suspend(() => {
      const { operation } = command
      if (this.over !== undefined) return Effect.fail(new MemcacheError({ operation, reason: this.over }))
      if (this.pending.length - this.first >= this.pendingMax) {
        return Effect.fail(new MemcacheError({ operation, reason: new Busy({ limit: this.pendingMax }) }))
      }
      const deadline = this.clock.currentTimeMillisUnsafe() + this.timeoutMillis
      const { isQuiet } = this
      this.isQuiet = command.isQuiet === true
      const pending: Pending = {
        isAmbiguous: isQuiet,
        command,
        replies: [],
        deadline,
        exit: undefined,
        resume: undefined
      }
      if (this.isQuiet) pending.exit = nothing
      else this.pending.push(pending)
      const pieces = encode(command)
      const sent =
        pieces.length === 1
          ? this.transport.send(pieces[0]!)
          : Effect.forEach(pieces, this.transport.send, { discard: true })
      // A loss is heard of by `receive` too: it is told once.
      const lost = (cause: TransportError) =>
        Effect.sync(() => this.fail(new Lost({ detail: cause.message, cause })))
      return sent.pipe(Effect.catch(lost), Effect.as(pending))
    })
  }

  get receive(): Effect.Effect<void> {
    const { decoder, transport } = this
    return transport
      .receiveEach((bytes) => {
        decoder.push(bytes)
        for (let reply = decoder.next(); reply !== undefined; reply = decoder.next()) this.heard(reply)
        if (decoder.failure === undefined && this.over === undefined) return Effect.void
        this.fail(new Malformed({ detail: decoder.failure?.message ?? "an answer that nobody asked for" }))
        return transport.abort
      })
      .pipe(
        Effect.matchEffect({
          onSuccess: () =>
            Effect.sync(() => this.fail(new Lost({ detail: "the server closed the connection" }))),
          onFailure: (cause) => Effect.sync(() => this.fail(new Lost({ detail: cause.message, cause })))
        })
      )
  }

  /** Looks at the oldest one, eight times a timeout: at most an eighth late. */
  get watch(): Effect.Effect<never> {
    const look = Effect.suspend(() => {
      const oldest = this.pending[this.first]
      if (oldest === undefined || this.clock.currentTimeMillisUnsafe() < oldest.deadline) return Effect.void
      this.fail(new TimedOut({ millis: this.timeoutMillis }))
      return this.transport.abort
    })
    return Effect.forever(Effect.andThen(Effect.sleep(Math.max(1, this.timeoutMillis / 8)), look))
  }

  private heard(reply: Reply): void {
    const pending = this.pending[this.first]
    if (pending === undefined) return this.fail(new Malformed({ detail: "an answer that nobody asked for" }))
    const { command, replies } = pending
    const { block, line } = reply
    // Nobody knows any more which answer is whose.
    if (!command.isAnswer(reply) && !(block === undefined && isError(line))) {
      return this.fail(new Malformed({ detail: `no answer to ${command.operation}: ${line.slice(0, 80)}` }))
    }
    replies.push(reply)
    if (!command.isLast(reply)) return
    if (pending === this.entering && line !== "STORED") {
      return this.fail(new LoginRefused({ detail: line.replace(/^CLIENT_ERROR /, "") }))
    }
    if (pending.isAmbiguous && block === undefined && isError(line)) {
      // Whatever it is about: if not about this command, all answers that follow would be taken for others.
      return this.fail(new Malformed({ detail: `a complaint, perhaps of a command before: ${line}` }))
    }
    this.pending[this.first] = undefined
    if (++this.first === this.pending.length) {
      this.pending = []
      this.first = 0
    } else if (this.first >= 1024 && this.first * 2 >= this.pending.length) {
      this.pending = this.pending.slice(this.first)
      this.first = 0
    }
    settle(
      pending,
      block === undefined && isError(line)
        ? Effect.fail(new MemcacheError({ operation: command.operation, reason: reasonOf(line) }))
        : Effect.succeed(replies)
    )
  }

  /** The first reason holds. */
  fail(reason: MemcacheReason): void {
    if (this.over !== undefined) return
    this.over = reason
    const waiting = this.pending.slice(this.first)
    this.pending = []
    this.first = 0
    for (const pending of waiting) {
      if (pending === undefined) continue
      settle(pending, Effect.fail(new MemcacheError({ operation: pending.command.operation, reason })))
    }
  }
}

const nothing = Effect.succeed<ReadonlyArray<Reply>>([])

/** Whether what is sent can be read by none but the two, as far as the connection tells. */
const isPrivate = ({ peer, security }: Transport): boolean =>
  security._tag !== "Plain" || !NetAddress.isInetAddress(peer) || NetAddress.isLoopback(peer.address)

const settle = (pending: Pending, exit: Effect.Effect<ReadonlyArray<Reply>, MemcacheError>): void => {
  pending.exit = exit
  pending.resume?.(exit)
}

const reasonOf = (line: string): MemcacheReason => {
  if (line.startsWith("CLIENT_ERROR ")) return new ClientError({ detail: line.slice(13) })
  if (line.startsWith("SERVER_ERROR ")) return new ServerError({ detail: line.slice(13) })
  return new NoSuchCommand()
}
