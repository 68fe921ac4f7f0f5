/** A connection in frames behind their length. Twisted: `Int8StringReceiver`, `Int16StringReceiver`, `Int32StringReceiver`. */
import type * as Protocol from "../reactor/Conversation.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as Frames from "./Frames.ts"
import * as LengthPrefixedDecoder from "./LengthPrefixedDecoder.ts"

export interface Options extends LengthPrefixedDecoder.Options {}

export type LengthPrefixed = Frames.Frames<Uint8Array, Uint8Array | string>

export const make = (transport: Transport, options?: Options): LengthPrefixed =>
  Frames.make(transport, LengthPrefixedDecoder.make(options), (content: Uint8Array | string) =>
    LengthPrefixedDecoder.encode(content, options)
  )

/** A protocol of such frames becomes a protocol of bytes. */
export const over =
  (options?: Options): Protocol.Wrapper<LengthPrefixed, Transport> =>
  (protocol) =>
  (transport) =>
    protocol(make(transport, options))
