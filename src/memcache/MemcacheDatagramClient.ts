/**
 * A client over UDP: a datagram for each command, and whatever comes of it. Nothing is sent again: an answer that is lost is `TimedOut`,
 * and nobody knows whether the server has done it. So it is for reading; memcached's own advice is to write over TCP.
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { Datagram, Message } from "../reactor/Datagram.ts"
import * as Endpoint from "../reactor/Endpoint.ts"
import { Reactor } from "../reactor/Reactor.ts"
import type { DatagramError, ListenError } from "../reactor/ReactorError.ts"
import * as MemcacheCache from "./MemcacheCache.ts"
import * as MemcacheClient from "./MemcacheClient.ts"
import { type Command, encode } from "./MemcacheCommand.ts"
import * as MemcacheDatagramAnswer from "./MemcacheDatagramAnswer.ts"
import * as Wire from "./MemcacheDatagramWire.ts"
import { Busy, Lost, MemcacheError, type MemcacheReason, TimedOut, Unsayable } from "./MemcacheError.ts"
import type { Reply } from "./MemcacheReplyWire.ts"

export interface Options extends MemcacheDatagramAnswer.Options {
  /** How long an answer may take. Default 1 second. */
  readonly timeout?: Duration.Input | undefined
  /** Commands that may wait for their answers, of 65,536. Default 1,024. */
  readonly pendingMax?: number | undefined
}

export interface Server {
  readonly host: string
  readonly port: number
  /** Where the client sends from. Default `::` for an address of IPv6, else `0.0.0.0`: a name must have one of IPv4 then. */
  readonly interface?: string | undefined
  /** As `MemcacheClient.Server`'s: the same keys on the same servers, over UDP and over TCP. */
  readonly name?: string | undefined
  /** How much of the keys it gets beside the others. Default 1. */
  readonly weight?: number | undefined
}

/** A command that gets its answer in one message asks for one key: memcached sends a message for each of several. */
const keysPerGet = 1

/** A cache over a port that is connected to its server, until the scope ends. */
export const make = (
  port: Datagram,
  options?: Options
): Effect.Effect<
  MemcacheCache.Cache<MemcacheError> & MemcacheCache.Administration<MemcacheError>,
  never,
  Scope.Scope
> =>
  Effect.map(calling(port, options), (call) => ({
    ...MemcacheCache.make(() => 0, [call], keysPerGet),
    ...MemcacheCache.administration(call)
  }))

/** Ports that are connected to these servers, until the scope ends. Throws a `RangeError` without servers. */
export const connect = Effect.fnUntraced(function* (
  servers: ReadonlyArray<Server>,
  options?: Options
): Effect.fn.Return<MemcacheClient.Memcache, ListenError, Reactor | Scope.Scope> {
  const reactor = yield* Reactor
  const named = servers.map((server) => ({
    ...server,
    name: server.name ?? MemcacheClient.nameOf(Endpoint.tcpClient(server))
  }))
  const cacheOf = MemcacheClient.over(named, keysPerGet)
  const calls = yield* Effect.forEach(named, ({ host, interface: from = anyFor(host), port }) =>
    Effect.flatMap(
      reactor.datagram(Endpoint.udp({ port: 0, interface: from, connect: { host, port } })),
      (connected) => calling(connected, options)
    )
  )
  return cacheOf(calls)
})

/** In the place of `MemcacheClient.layer`. */
export const layer = (
  servers: ReadonlyArray<Server>,
  options?: Options
): Layer.Layer<MemcacheClient.MemcacheClient, ListenError, Reactor> =>
  Layer.effect(MemcacheClient.MemcacheClient, connect(servers, options))

const anyFor = (host: string): string => {
  const ip = NetAddress.ipFromString(host)
  return Result.isSuccess(ip) && NetAddress.isIpv6Address(ip.success) ? "::" : "0.0.0.0"
}

type Replies = Effect.Effect<ReadonlyArray<Reply>, MemcacheError>

const calling = Effect.fnUntraced(function* (
  port: Datagram,
  options: Options = {}
): Effect.fn.Return<(command: Command) => Replies, never, Scope.Scope> {
  const asking = new Asking(port, yield* Random.nextIntBetween(0, requestIds), options)
  yield* Effect.forkScoped(asking.receive, { startImmediately: true })
  yield* Effect.addFinalizer(() => Effect.sync(() => asking.fail(closed)))
  return asking.call
})

const requestIds = 65_536
const closed = new Lost({ detail: "the port was closed" })
const nothing: Replies = Effect.succeed([])

/** A command that waits. */
interface Pending {
  readonly requestId: number
  readonly command: Command
  readonly datagram: Uint8Array
  readonly answer: MemcacheDatagramAnswer.MemcacheDatagramAnswer
  readonly replies: Deferred.Deferred<ReadonlyArray<Reply>, MemcacheError>
}

class Asking {
  private readonly port: Datagram
  private readonly options: Options
  private readonly timeout: Duration.Duration
  private readonly pendingMax: number
  private readonly pending = new Map<number, Pending>()
  private nextId: number

  constructor(port: Datagram, nextId: number, options: Options) {
    this.port = port
    this.nextId = nextId
    this.options = options
    this.timeout = Duration.fromInputUnsafe(options.timeout ?? "1 second")
    this.pendingMax = Math.min(requestIds, options.pendingMax ?? 1_024)
  }

  readonly call = (command: Command): Replies =>
    Effect.acquireUseRelease(this.enter(command), this.ask, ({ requestId }) =>
      Effect.sync(() => void this.pending.delete(requestId))
    )

  private enter(command: Command): Effect.Effect<Pending, MemcacheError> {
    return Effect.suspend(() => {
      const { pending, pendingMax } = this
      if (pending.size >= pendingMax) return Effect.fail(wrong(command, new Busy({ limit: pendingMax })))
      const pieces = encode(command)
      const size = pieces.reduce((sum, { length }) => sum + length, Wire.headerBytes)
      if (size > Wire.datagramBytesMax) {
        const detail = `${size} bytes are more than a datagram carries`
        return Effect.fail(wrong(command, new Unsayable({ detail })))
      }
      while (pending.has(this.nextId)) this.nextId = (this.nextId + 1) % requestIds
      const requestId = this.nextId
      this.nextId = (requestId + 1) % requestIds
      const entered: Pending = {
        requestId,
        command,
        datagram: Wire.split(requestId, pieces, Wire.datagramBytesMax)[0]!,
        answer: new MemcacheDatagramAnswer.MemcacheDatagramAnswer(command, this.options),
        replies: Deferred.makeUnsafe()
      }
      pending.set(requestId, entered)
      return Effect.succeed(entered)
    })
  }

  private readonly ask = (pending: Pending): Replies => {
    const { command, datagram, replies } = pending
    return this.port.send(datagram).pipe(
      Effect.mapError((error) => wrong(command, lostBy(error))),
      Effect.andThen(command.isQuiet === true ? nothing : Deferred.await(replies)),
      Effect.timeoutOrElse({
        duration: this.timeout,
        orElse: () => Effect.fail(wrong(command, new TimedOut({ millis: Duration.toMillis(this.timeout) })))
      })
    )
  }

  get receive(): Effect.Effect<void> {
    const refused = (error: DatagramError) =>
      Effect.suspend(() => {
        this.fail(lostBy(error))
        return error.reason._tag === "Closed" ? Effect.fail(error) : Effect.void
      })
    return Effect.ignore(this.port.receiveEach(this.heard, { onError: refused }))
  }

  private readonly heard = (batch: ReadonlyArray<Message>): Effect.Effect<void> => {
    for (const { bytes } of batch) {
      const header = Wire.headerOf(bytes)
      // Late for somebody who no longer waits, or a second copy.
      const pending = header === undefined ? undefined : this.pending.get(header.requestId)
      if (header === undefined || pending === undefined) continue
      const said = pending.answer.add(header, Wire.payloadOf(bytes))
      if (said === undefined) continue
      const { command, replies } = pending
      // The first answer holds.
      Deferred.doneUnsafe(
        replies,
        said._tag === "Success" ? Effect.succeed(said.success) : Effect.fail(wrong(command, said.failure))
      )
    }
    return Effect.void
  }

  /** All who wait hear it. */
  fail(reason: MemcacheReason): void {
    // Who hears it may ask again at once.
    const waiting = [...this.pending.values()]
    for (const { command, replies } of waiting)
      Deferred.doneUnsafe(replies, Effect.fail(wrong(command, reason)))
  }
}

const wrong = ({ operation }: Command, reason: MemcacheReason) => new MemcacheError({ operation, reason })

const lostBy = (error: DatagramError) => new Lost({ detail: error.message, cause: error })
