import type { Duplex } from "node:stream"

interface Internals {
  readonly _handle?: { readonly writeQueueSize?: number } | null
}

/** Bytes that were written, and did not leave yet. It is the same at two times if the peer takes nothing. */
export const pendingBytes = (stream: Duplex): number =>
  // A write that is under way goes piece by piece, which only the handle tells.
  stream.writableLength === 0
    ? 0
    : stream.writableLength + ((stream as Internals)._handle?.writeQueueSize ?? 0)
