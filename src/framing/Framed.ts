/**
 * Typed messages: any framing of JSON values with a `Schema` on top. A message that does not fit fails as
 * `FramingError` with the reason `Undecodable`, and says where.
 */
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as Schema from "effect/Schema"
import type * as Protocol from "../reactor/Conversation.ts"
import type { TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import type { Frames } from "./Frames.ts"
import { decoding, encoding, excerpt, type FramingError, Undecodable, Unencodable } from "./FramingError.ts"
import * as Ndjson from "./Ndjson.ts"

/** A connection in messages `In`, answered by messages `Out`. */
export interface Framed<out In, in Out> {
  readonly transport: Transport
  /** The next message. A message that does not fit fails this `receive` only: the next one goes on behind it. */
  readonly receive: Pull.Pull<In, FramingError | TransportError>
  readonly receiveEach: <E, R>(
    f: (message: In) => Effect.Effect<void, E, R>
  ) => Effect.Effect<void, E | FramingError | TransportError, R>
  readonly send: (message: Out) => Effect.Effect<void, FramingError | TransportError>
  readonly detach: Effect.Effect<Transport>
}

/** The schemas of both directions: what the peer may say, and what we may. */
export interface Schemas<In, Out> {
  readonly receive: Schema.Codec<In, unknown>
  readonly send: Schema.Codec<Out, unknown>
}

/** Messages over frames of JSON-like values. */
export const make = <In, Out>(
  frames: Frames<unknown, unknown>,
  schemas: Schemas<In, Out>
): Framed<In, Out> => {
  const decode = Schema.decodeUnknownEffect(schemas.receive)
  const encode = Schema.encodeEffect(schemas.send)
  const received = (value: unknown): Effect.Effect<In, FramingError> =>
    Effect.mapError(decode(value), (cause) =>
      decoding(name, new Undecodable({ detail: String(cause.message), frame: excerpt(show(value)), cause }))
    )
  return {
    transport: frames.transport,
    receive: Effect.flatMap(frames.receive, received),
    receiveEach: (f) => frames.receiveEach((value) => Effect.flatMap(received(value), f)),
    send: (message) =>
      encode(message).pipe(
        Effect.mapError((cause) => encoding(name, new Unencodable({ detail: String(cause.message), cause }))),
        Effect.flatMap(frames.send)
      ),
    detach: frames.detach
  }
}

/** A protocol of messages, one JSON line each, becomes a protocol of bytes. */
export const over =
  <In, Out>(
    schemas: Schemas<In, Out>,
    options?: Ndjson.Options
  ): Protocol.Wrapper<Framed<In, Out>, Transport> =>
  (protocol) =>
  (transport) =>
    protocol(make(Ndjson.make(transport, options), schemas))

/** The next message, or `undefined` at a clean end of input. */
export { orEnd } from "./Frames.ts"

const name = "framed"
const show = (value: unknown): string => JSON.stringify(value) ?? String(value)
