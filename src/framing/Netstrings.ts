/** A connection in netstrings: `5:hello,`. Twisted: `NetstringReceiver`. */
import * as Result from "effect/Result"
import type * as Protocol from "../reactor/Conversation.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as Frames from "./Frames.ts"
import * as NetstringsDecoder from "./NetstringsDecoder.ts"

export interface Options extends NetstringsDecoder.Options {}

export type Netstrings = Frames.Frames<Uint8Array, Uint8Array | string>

export const make = (transport: Transport, options?: Options): Netstrings =>
  Frames.make(transport, NetstringsDecoder.make(options), (content: Uint8Array | string) =>
    Result.succeed(NetstringsDecoder.encode(content))
  )

/** A protocol of netstrings becomes a protocol of bytes. */
export const over =
  (options?: Options): Protocol.Wrapper<Netstrings, Transport> =>
  (protocol) =>
  (transport) =>
    protocol(make(transport, options))
