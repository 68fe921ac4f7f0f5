/** What a client is told about its request, and what the log is. */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type { TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as Socks5Wire from "./Socks5Wire.ts"
import type { SocksError } from "./SocksError.ts"
import type { Asking } from "./SocksHandshake.ts"
import * as SocksReply from "./SocksReply.ts"
import type { NotGranted } from "./SocksTarget.ts"

export class SocksAnswer {
  private readonly client: Transport
  private readonly asking: Asking

  constructor(client: Transport, asking: Asking) {
    this.client = client
    this.asking = asking
  }

  granted(address: NetAddress.SocketAddress): Effect.Effect<void, TransportError> {
    return this.client.send(
      SocksReply.format(this.asking.request.version, Socks5Wire.code.succeeded, address)
    )
  }

  refused({ code, detail }: NotGranted): Effect.Effect<void, TransportError> {
    const reply = SocksReply.format(this.asking.request.version, code)
    return this.annotated(
      Effect.andThen(Effect.logDebug(`socks: not granted: ${detail}`), this.client.send(reply))
    )
  }

  /** What is left to do, unless it turns out not to be granted. */
  orRefused<R>(
    rest: Effect.Effect<void, SocksError | TransportError | NotGranted, R>
  ): Effect.Effect<void, SocksError | TransportError, R> {
    return Effect.catchTag(this.annotated(rest), "NotGranted", (error) => this.refused(error))
  }

  /** What is logged meanwhile tells the request. */
  annotated<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    const { request, user } = this.asking
    return Effect.annotateLogs(effect, { command: request.command, place: new Shown(request), user })
  }
}

/** A place as text, made only when something is logged. */
class Shown {
  private readonly place: Asking["request"]

  constructor(place: Asking["request"]) {
    this.place = place
  }

  toString(): string {
    const { host, port } = this.place
    return `${typeof host === "string" ? host : NetAddress.formatUrlHost(host)}:${port}`
  }

  toJSON(): string {
    return this.toString()
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString()
  }
}
