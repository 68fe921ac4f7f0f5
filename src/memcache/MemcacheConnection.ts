/**
 * Commands over one connection, pipelined: each is sent at once, and answers come in order. Twisted: `MemCacheProtocol`.
 *
 * Who no longer waits for an answer costs nothing: it is read, and dropped, when it comes. A timeout or an answer that makes no sense
 * ends the connection, and fails all who wait.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Immediate from "../reactor/Immediate.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as Waiters from "../reactor/Waiters.ts"
import { type Command, encode, isError, login } from "./MemcacheCommand.ts"
import {
  Busy,
  complaintOf,
  Exposed,
  LoginRefused,
  Lost,
  Malformed,
  MemcacheError,
  type MemcacheReason,
  TimedOut
} from "./MemcacheError.ts"
import { Pending, PendingQueue } from "./MemcachePending.ts"
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
  const line = new Line(transport, yield* Effect.context(), options)
  yield* Effect.forkScoped(line.receive, { startImmediately: true })
  yield* Effect.forkScoped(line.watch, { startImmediately: true })
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => line.fail(new Lost({ detail: "the connection was closed" })))
  )
  if (options.login !== undefined) yield* line.enter(options.login)
  return { call: line.call }
})

/** How many ticks a timeout has. */
const ticksPerTimeout = 8

class Line {
  private readonly transport: Transport
  private readonly context: Context.Context<never>
  private readonly timeoutMillis: number
  private readonly pendingMax: number
  private readonly decoder: ReturnType<typeof MemcacheReplyWire.decoder>
  private readonly begin: Transport["send"]
  /** They were sent, and are answered in this order. */
  private readonly pending = new PendingQueue()
  /** It is being sent: there was no room for all of it. */
  private sending: Pending | undefined = undefined
  private stopSending: (() => void) | undefined = undefined
  /** They are sent when there is room again, in this order. */
  private readonly waiting = new Set<Pending>()
  private isResuming = false
  private tick = 0
  private over: MemcacheReason | undefined = undefined
  /** A command that wants no answer was sent, and none behind it that wants one. */
  private isQuiet = false
  /** Hears the answer to the login. */
  private entering: Pending | undefined = undefined

  constructor(transport: Transport, context: Context.Context<never>, options: Options) {
    this.transport = transport
    this.context = context
    this.timeoutMillis = Duration.toMillis(options.timeout ?? "10 seconds")
    this.pendingMax = options.pendingMax ?? 65_536
    this.decoder = MemcacheReplyWire.decoder(options)
    this.begin = Immediate.beginning(transport.send)
  }

  readonly call = (command: Command): Effect.Effect<ReadonlyArray<Reply>, MemcacheError> =>
    Effect.callback((resume) => {
      const pending = new Pending(command, resume)
      if (this.sending === undefined && this.waiting.size === 0) this.send(pending)
      else this.waiting.add(pending)
      return Effect.sync(() => {
        // What was sent is answered all the same; that is read, and dropped.
        pending.giveUp()
        this.waiting.delete(pending)
      })
    })

  /** Says who we are. What is wrong with it is what all others hear. */
  enter({ password, unprotected, user }: Login): Effect.Effect<void> {
    return Effect.suspend(() => {
      const said = login(user, password)
      const isExposed = unprotected !== true && !isPrivate(this.transport)
      if (said._tag === "Success" && !isExposed) {
        this.entering = new Pending(said.success)
        this.send(this.entering)
        return Effect.void
      }
      this.fail(said._tag === "Failure" ? said.failure.reason : new Exposed())
      return this.transport.abort
    })
  }

  /** In line, and on its way, in one step: or answers would go astray. */
  private send(pending: Pending): void {
    const { command } = pending
    if (this.over !== undefined) return pending.settle(failed(command, this.over))
    if (this.pending.length >= this.pendingMax) {
      return pending.settle(failed(command, new Busy({ limit: this.pendingMax })))
    }
    pending.isAmbiguous = this.isQuiet
    pending.tick = this.tick
    this.isQuiet = command.isQuiet === true
    if (!this.isQuiet) this.pending.push(pending)
    const pieces = encode(command)
    const rest =
      pieces.length === 1
        ? this.begin(pieces[0]!)
        : Effect.forEach(pieces, this.transport.send, { discard: true })
    if (rest === Effect.void) this.sent(pending)
    else this.finish(pending, rest)
  }

  private sent(pending: Pending): void {
    const { command } = pending
    if (this.over !== undefined) pending.settle(failed(command, this.over))
    else if (command.isQuiet === true) pending.settle(nothing)
  }

  /** The others wait meanwhile. Not part of any caller: whoever gives up cuts nothing in two. */
  private finish(pending: Pending, rest: ReturnType<Transport["send"]>): void {
    this.sending = pending
    this.stopSending = Waiters.watch(rest, this.context, (exit) => {
      this.sending = undefined
      if (exit._tag === "Failure") this.fail(lostBy(Cause.squash(exit.cause)))
      this.sent(pending)
      this.sendWaiting()
    })
  }

  private sendWaiting(): void {
    // What is sent at once leads back here.
    if (this.isResuming) return
    this.isResuming = true
    for (const pending of this.waiting) {
      if (this.sending !== undefined) break
      this.waiting.delete(pending)
      this.send(pending)
    }
    this.isResuming = false
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
          onFailure: (cause) => Effect.sync(() => this.fail(lostBy(cause)))
        })
      )
  }

  /** Looks at the oldest one that was sent, or waits for room, eight times a timeout: at most an eighth late. */
  get watch(): Effect.Effect<never> {
    const look = Effect.suspend(() => {
      this.tick++
      const oldest = this.pending.oldest ?? this.sending
      if (oldest === undefined || this.tick - oldest.tick <= ticksPerTimeout) return Effect.void
      this.fail(new TimedOut({ millis: this.timeoutMillis }))
      return this.transport.abort
    })
    return Effect.forever(
      Effect.andThen(Effect.sleep(Math.max(1, this.timeoutMillis / ticksPerTimeout)), look)
    )
  }

  private heard(reply: Reply): void {
    const pending = this.pending.oldest
    if (pending === undefined) return this.fail(new Malformed({ detail: "an answer that nobody asked for" }))
    const { command, replies } = pending
    const { block, line } = reply
    const isComplaint = block === undefined && isError(line)
    // Nobody knows any more which answer is whose.
    if (!isComplaint && !command.isAnswer(reply)) {
      return this.fail(new Malformed({ detail: `no answer to ${command.operation}: ${line.slice(0, 80)}` }))
    }
    replies.push(reply)
    if (!command.isLast(reply)) return
    if (pending === this.entering && line !== "STORED") {
      return this.fail(new LoginRefused({ detail: line.replace(/^CLIENT_ERROR /, "") }))
    }
    if (pending.isAmbiguous && isComplaint) {
      // Whatever it is about: if not about this command, all answers that follow would be taken for others.
      return this.fail(new Malformed({ detail: `a complaint, perhaps of a command before: ${line}` }))
    }
    this.pending.shift()
    pending.settle(isComplaint ? failed(command, complaintOf(line)) : Effect.succeed(replies))
  }

  /** The first reason holds. */
  fail(reason: MemcacheReason): void {
    if (this.over !== undefined) return
    this.over = reason
    this.stopSending?.()
    const all = [
      ...this.pending.takeAll(),
      ...(this.sending === undefined ? [] : [this.sending]),
      ...this.waiting
    ]
    this.sending = undefined
    this.waiting.clear()
    for (const pending of all) pending.settle(failed(pending.command, reason))
  }
}

const nothing = Effect.succeed<ReadonlyArray<Reply>>([])

const failed = ({ operation }: Command, reason: MemcacheReason) =>
  Effect.fail(new MemcacheError({ operation, reason }))

const lostBy = (cause: unknown): MemcacheReason =>
  new Lost({ detail: cause instanceof Error ? cause.message : String(cause), cause })

/** Whether what is sent can be read by none but the two, as far as the connection tells. */
const isPrivate = ({ peer, security }: Transport): boolean =>
  security._tag !== "Plain" || !NetAddress.isInetAddress(peer) || NetAddress.isLoopback(peer.address)
