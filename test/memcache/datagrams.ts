/** Datagrams of memcached, as tests write and read them: a character for each byte. */
import { assert } from "@effect/vitest"
import * as Wire from "../../src/memcache/MemcacheDatagramWire.ts"

export const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"))

export const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1")

/** One datagram; by default the whole of a request. */
export const datagram = (
  payload: string,
  requestId: number,
  sequence = 0,
  count = 1,
  reserved = 0
): Uint8Array => {
  const made = Buffer.alloc(8 + payload.length)
  for (const [i, field] of [requestId, sequence, count, reserved].entries()) made.writeUInt16BE(field, 2 * i)
  made.write(payload, 8, "latin1")
  return new Uint8Array(made)
}

/** The one message that these datagrams are, in order. */
export const answered = (datagrams: ReadonlyArray<Uint8Array>, requestId: number): string =>
  datagrams
    .map((datagram, sequence) => {
      assert.deepStrictEqual(Wire.headerOf(datagram), { requestId, sequence, count: datagrams.length })
      assert.strictEqual(text(datagram.subarray(6, 8)), "\0\0")
      return text(Wire.payloadOf(datagram))
    })
    .join("")
