/** What the tests of PROXY headers share: bytes by hand, as the specification draws them. */
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as ProxyHeader from "../../src/reactor/ProxyHeader.ts"
import type { Decoder } from "../../src/framing/Decoder.ts"
import type { FramingError } from "../../src/framing/FramingError.ts"
import { ProxyHeaderDecoder } from "../../src/reactor/ProxyHeaderDecoder.ts"
import type * as CodecLaws from "../../src/testing/CodecLaws.ts"

export const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"))

export const signature = "\r\n\r\n\0\r\nQUIT\n"

const word = (n: number): string => String.fromCharCode(n >>> 8, n & 255)

/** A header of version 2: `21 11` is PROXY over TCP over IPv4. */
export const v2 = (versionAndCommand: number, kind: number, block: string): string =>
  signature + String.fromCharCode(versionAndCommand, kind) + word(block.length) + block

export const tlv = (type: number, value: string): string =>
  String.fromCharCode(type) + word(value.length) + value

/** 192.0.2.1:56324 to 198.51.100.7:443. */
export const inet = `\xc0\0\x02\x01\xc6\x33\x64\x07${word(56_324)}${word(443)}`
export const inetEnds = ["192.0.2.1:56324", "198.51.100.7:443"]

export const endsOf = (header: ProxyHeader.ProxyHeader): ReadonlyArray<string> =>
  header.addresses === undefined
    ? []
    : [header.addresses.source, header.addresses.destination].map(NetAddress.formatSocketAddress)

/** The header, or `tag §section message`. */
export const decode = (
  text: string,
  options?: ProxyHeader.DecoderOptions
): ProxyHeader.ProxyHeader | string | undefined => {
  const result = ProxyHeader.decode(bytesOf(text), options)
  if (Result.isSuccess(result)) return result.success?.header
  const { reason } = result.failure
  return `${reason._tag} §${reason.section} ${reason.message}`
}

export const encode = (input: ProxyHeader.Input): string =>
  Result.match(ProxyHeader.encode(input), {
    onSuccess: (bytes) => Buffer.from(bytes).toString("latin1"),
    onFailure: ({ message, reason }) => `${reason._tag} ${message}`
  })

export const ends = (
  source: string,
  destination: string,
  transport: "Stream" | "Datagram" = "Stream"
): ProxyHeader.Addresses => ({ transport, source: end(source), destination: end(destination) })

const end = (text: string): NetAddress.SocketAddress =>
  text.includes(":") && !text.startsWith("/")
    ? NetAddress.inetAddressFromStringUnsafe(text)
    : NetAddress.unixPathAddress(text)

/** Headers one behind the other, as a decoder of frames: one decoder each, which is given whole pieces. */
class Headers implements Decoder<ProxyHeader.ProxyHeader> {
  workBytes = 0
  failure: FramingError | undefined = undefined
  private decoder: ProxyHeaderDecoder
  private readonly options: ProxyHeader.DecoderOptions
  private held: ReadonlyArray<Uint8Array> = []
  private pending: ReadonlyArray<Uint8Array> = []
  private finished = false

  constructor(options: ProxyHeader.DecoderOptions) {
    this.options = options
    this.decoder = new ProxyHeaderDecoder(options)
  }

  push(bytes: Uint8Array): void {
    if (this.failure === undefined && !this.finished && bytes.length > 0)
      this.pending = [...this.pending, bytes]
  }

  next(): ProxyHeader.ProxyHeader | undefined {
    for (let piece = this.pending[0]; piece !== undefined; piece = this.pending[0]) {
      this.pending = this.pending.slice(1)
      const result = this.decoder.push(piece)
      if (Result.isFailure(result)) return this.fail(result.failure)
      if (result.success === undefined) {
        this.held = [...this.held, piece]
        continue
      }
      const { header, rest } = result.success
      this.decoder = new ProxyHeaderDecoder(this.options)
      this.held = []
      if (rest.length > 0) this.pending = [rest, ...this.pending]
      return header
    }
    if (this.finished && this.decoder.bufferedBytes > 0 && this.failure === undefined) {
      this.fail(this.decoder.finish())
    }
    return undefined
  }

  private fail(error: ProxyHeader.ProxyHeaderError): undefined {
    // The laws look at the tag of its reason, and at its message.
    this.failure = error as unknown as FramingError
    this.held = []
    this.pending = []
    return undefined
  }

  drain(): ReadonlyArray<ProxyHeader.ProxyHeader> {
    const all: Array<ProxyHeader.ProxyHeader> = []
    for (let header = this.next(); header !== undefined; header = this.next()) all.push(header)
    return all
  }

  finish(): void {
    this.finished = true
  }

  takeRest(): Uint8Array {
    const rest = Buffer.concat([...this.held, ...this.pending])
    this.held = []
    this.pending = []
    this.decoder = new ProxyHeaderDecoder(this.options)
    return new Uint8Array(rest)
  }

  get bufferedBytes(): number {
    return [...this.held, ...this.pending].reduce((sum, { length }) => sum + length, 0)
  }
}

export const codec = (
  options: ProxyHeader.DecoderOptions = {}
): CodecLaws.Codec<ProxyHeader.ProxyHeader> => ({
  make: () => new Headers(options),
  heldBytesMax: Math.max(107, options.headerBytesMax ?? 4_096)
})
