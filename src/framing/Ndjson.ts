/** A connection in JSON values, one a line. For values of a known type see `Framed`. */
import type * as Protocol from "../reactor/Conversation.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as Frames from "./Frames.ts"
import * as NdjsonDecoder from "./NdjsonDecoder.ts"

export interface Options extends NdjsonDecoder.Options {}

export type Ndjson = Frames.Frames<unknown, unknown>

export const make = (transport: Transport, options?: Options): Ndjson =>
  Frames.make(transport, NdjsonDecoder.make(options), NdjsonDecoder.encode)

/** A protocol of JSON values becomes a protocol of bytes. */
export const over =
  (options?: Options): Protocol.Wrapper<Ndjson, Transport> =>
  (protocol) =>
  (transport) =>
    protocol(make(transport, options))
