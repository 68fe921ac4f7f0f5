/**
 * The frame around memcached's text protocol in datagrams (doc/protocol.txt, "UDP protocol"): which request it belongs to, which part
 * it is, and of how many. Pure.
 */

/** Request id, sequence number, count, and a reserved field: 16 bits each, the high byte first. */
export const headerBytes = 8
/** The largest datagram that IPv4 carries. */
export const datagramBytesMax = 65_507
/** Parts are numbered by 16 bits. */
export const partsMax = 65_535

export interface Header {
  /** 0 to 65,535. Chosen by the client; the answer has the same. */
  readonly requestId: number
  /** Which part it is, from 0. */
  readonly sequence: number
  /** How many parts there are. */
  readonly count: number
}

/** `undefined` where there are too few bytes for one. What is reserved is not looked at. */
export const headerOf = (datagram: Uint8Array): Header | undefined =>
  datagram.length < headerBytes
    ? undefined
    : { requestId: uint16(datagram, 0), sequence: uint16(datagram, 2), count: uint16(datagram, 4) }

export const payloadOf = (datagram: Uint8Array): Uint8Array => datagram.subarray(headerBytes)

/** How many datagrams of a size carry so many bytes. */
export const partsOf = (bytes: number, datagramBytes: number): number =>
  Math.ceil(bytes / (datagramBytes - headerBytes))

/**
 * A message as datagrams of at most so many bytes (more than 8, header included), in order; all of them in one buffer. None for an empty
 * one. Throws a `RangeError` for more than 65,535.
 */
export const split = (
  requestId: number,
  pieces: ReadonlyArray<Uint8Array>,
  datagramBytes: number
): ReadonlyArray<Uint8Array> => {
  const size = pieces.reduce((sum, { length }) => sum + length, 0)
  const count = partsOf(size, datagramBytes)
  if (count > partsMax) throw new RangeError(`${count} datagrams; a message has ${partsMax} at most`)
  const buffer = new Uint8Array(size + count * headerBytes)
  const datagrams: Array<Uint8Array> = []
  for (let sequence = 0; sequence < count; sequence++) {
    const at = sequence * datagramBytes
    const datagram = buffer.subarray(at, at + datagramBytes)
    writeUint16(datagram, 0, requestId)
    writeUint16(datagram, 2, sequence)
    writeUint16(datagram, 4, count)
    datagrams.push(datagram)
  }
  const room = datagramBytes - headerBytes
  let place = 0
  for (const piece of pieces) {
    for (let at = 0; at < piece.length;) {
      const within = place % room
      const part = piece.subarray(at, at + room - within)
      datagrams[(place - within) / room]!.set(part, headerBytes + within)
      at += part.length
      place += part.length
    }
  }
  return datagrams
}

/** A message from its datagrams, in whatever order they come, and however often. */
export class Assembly {
  private readonly bytesMax: number
  private readonly parts = new Map<number, Uint8Array>()
  private count = 0
  private bytes = 0

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  /** The whole message, with its last part; `undefined` before. A view of the datagram, or a copy. By name what cannot be. */
  add(
    { count, sequence }: Header,
    payload: Uint8Array
  ): Uint8Array | "Contradiction" | "TooLong" | undefined {
    if (sequence >= count || (this.count !== 0 && count !== this.count)) return "Contradiction"
    if (this.parts.has(sequence)) return undefined
    this.count = count
    this.bytes += payload.length
    if (this.bytes > this.bytesMax) return "TooLong"
    if (count === 1) return payload
    this.parts.set(sequence, payload)
    if (this.parts.size < count) return undefined
    return Buffer.concat(Array.from({ length: count }, (_, i) => this.parts.get(i)!))
  }
}

const uint16 = (bytes: Uint8Array, at: number): number => bytes[at]! * 256 + bytes[at + 1]!

const writeUint16 = (bytes: Uint8Array, at: number, value: number): void => {
  bytes[at] = value >> 8
  bytes[at + 1] = value
}
