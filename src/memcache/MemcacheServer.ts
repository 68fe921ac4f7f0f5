/**
 * A cache that speaks memcached's text protocol, meta commands too. Twisted has none.
 *
 * All requests that came in one piece are answered in one go, inside the event that brought them, and what is said leaves in one write.
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Protocol from "../protocol/Protocol.ts"
import * as Idle from "../protocol/Idle.ts"
import * as Server from "../protocol/Server.ts"
import type * as Endpoint from "../reactor/Endpoint.ts"
import type { Reactor } from "../reactor/Reactor.ts"
import type { ListenError, TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import { MemcacheEngine } from "./MemcacheEngine.ts"
import { MemcacheOutput } from "./MemcacheOutput.ts"
import * as MemcacheRequestWire from "./MemcacheRequestWire.ts"
import { MemcacheSession } from "./MemcacheSession.ts"
import { MemcacheStore } from "./MemcacheStore.ts"

/** The port that IANA gave it. */
export const port = 11_211

export interface Options {
  /** The largest value. Default 1 MiB. */
  readonly valueBytesMax?: number | undefined
  /** The longest line, a `get` of many keys. Default 65,536. */
  readonly lineBytesMax?: number | undefined
  /** How long a connection may say nothing. Default: for ever, as memcached. */
  readonly idleTimeout?: Duration.Input | undefined
}

/** Made once: all connections of the protocol share the store and the counters. */
export const make = Effect.fnUntraced(function* (
  options: Options = {}
): Effect.fn.Return<Protocol.Protocol<Transport, TransportError>, never, MemcacheStore> {
  const store = yield* MemcacheStore
  const clock = yield* Clock.Clock
  const startedAt = clock.currentTimeMillisUnsafe()
  const engine = new MemcacheEngine(store, { valueBytesMax: options.valueBytesMax, startedAt })
  const { counters } = engine

  const converse = (transport: Transport): Effect.Effect<void, TransportError> => {
    const decoder = MemcacheRequestWire.decoder(options)
    const output = new MemcacheOutput()
    const session = new MemcacheSession(engine, output)

    const send = (): Effect.Effect<void, TransportError> => {
      counters.bytes_written += output.bytes
      const pieces = output.take()
      if (pieces.length === 1) return transport.send(pieces[0]!)
      return pieces.length === 0 ? Effect.void : Effect.forEach(pieces, transport.send, { discard: true })
    }
    const answer = (): Effect.Effect<void, TransportError | Closing> => {
      const next = session.run(decoder, clock.currentTimeMillisUnsafe())
      if (next === "Input") return output.bytes === 0 ? Effect.void : send()
      // No more is made before what there is has left.
      if (next === "Send") return Effect.flatMap(send(), answer)
      return Effect.andThen(send(), closing)
    }
    return Effect.suspend(() => {
      counters.total_connections++
      counters.curr_connections++
      return transport
        .receiveEach((bytes) => {
          counters.bytes_read += bytes.length
          decoder.push(bytes)
          return answer()
        })
        .pipe(
          Effect.catchIf(isClosing, () => Effect.void),
          Effect.ensuring(Effect.sync(() => void counters.curr_connections--))
        )
    })
  }
  return options.idleTimeout === undefined ? converse : Idle.over(options.idleTimeout)(converse)
})

/** Ends the loop of a connection; nobody else hears of it. */
class Closing {
  readonly _tag = "Closing"
}
const closing = Effect.fail(new Closing())
const isClosing = (error: TransportError | Closing): error is Closing => error instanceof Closing

/** The protocol as a service, so that several servers share one cache. */
export class MemcacheProtocol extends Protocol.Service<MemcacheProtocol, Transport>()(
  "spindle/memcache/MemcacheProtocol"
) {}

export const protocolLayer = (options: Options = {}): Layer.Layer<MemcacheProtocol, never, MemcacheStore> =>
  Protocol.layer(MemcacheProtocol, make(options))

/** A server on an endpoint, for as long as the Layer lives. */
export const layer = (
  endpoint: Endpoint.Server,
  options: Options & Server.Options = {}
): Layer.Layer<never, ListenError, MemcacheStore | Reactor> =>
  Layer.effectDiscard(
    Effect.flatMap(make(options), (protocol) =>
      Server.make(endpoint, protocol, { name: "memcached", ...options })
    )
  )
