/** What a PROXY header of version 2 says besides addresses: type, length, value (proxy-protocol.txt §2.2). Pure. */
import * as Result from "effect/Result"
import { Malformed, Unencodable } from "./ProxyHeaderError.ts"

/** A value as it came, of a type that has no field of its own. */
export interface RawTlv {
  /** 0 to 255. 0xE0 to 0xEF are the application's, 0xF0 to 0xF7 for experiments (§2.2.8). */
  readonly type: number
  readonly value: Uint8Array
}

/** What the proxy knows of the client's own TLS (§2.2.6). */
export interface Ssl {
  /** The client came over TLS. */
  readonly tls: boolean
  /** It showed a certificate on this connection. */
  readonly certificateOnConnection: boolean
  /** It showed a certificate at least once in the TLS session that this connection belongs to. */
  readonly certificateInSession: boolean
  /** 0 when a certificate was shown and verified; anything else when not. */
  readonly verify: number
  /** `TLSv1.3`. */
  readonly version?: string | undefined
  /** The Common Name of the client's certificate. */
  readonly commonName?: string | undefined
  readonly cipher?: string | undefined
  /** What signed the certificate that the proxy showed: `RSA-SHA256`. */
  readonly signatureAlgorithm?: string | undefined
  /** The key of that certificate: `RSA2048`. */
  readonly keyAlgorithm?: string | undefined
  /** The group of the key exchange: `secp256r1`. */
  readonly group?: string | undefined
  /** What signed the handshake: `rsa_pss_rsae_sha256`. */
  readonly signatureScheme?: string | undefined
  /** The client's certificate in DER. */
  readonly clientCertificate?: Uint8Array | undefined
  /** Further values, in their order. */
  readonly other?: ReadonlyArray<RawTlv> | undefined
}

/** All of them; `NOOP` (padding) is skipped. */
export interface Tlvs {
  /** The protocol that the client and the proxy agreed on (§2.2.1), a character for each byte. */
  readonly alpn?: string | undefined
  /** The host name that the client asked for, as by SNI (§2.2.2). */
  readonly authority?: string | undefined
  /** The header had a checksum, and it was right (§2.2.3). Sending: it gets one. */
  readonly checksum?: boolean | undefined
  /** Names the connection across several proxies (§2.2.5); at most 128 bytes. */
  readonly uniqueId?: Uint8Array | undefined
  readonly ssl?: Ssl | undefined
  /** The network namespace that the connection came in by (§2.2.7). */
  readonly netns?: string | undefined
  /** Further values, in their order. */
  readonly other?: ReadonlyArray<RawTlv> | undefined
}

export const uniqueIdBytesMax = 128
const sslBytesMin = 5

const types = {
  alpn: 0x01,
  authority: 0x02,
  checksum: 0x03,
  noop: 0x04,
  uniqueId: 0x05,
  ssl: 0x20,
  netns: 0x30
} as const

/** The texts among the values of an `Ssl`, their types and characters. */
const sslTexts = [
  ["version", 0x21, "ascii"],
  ["commonName", 0x22, "utf8"],
  ["cipher", 0x23, "ascii"],
  ["signatureAlgorithm", 0x24, "ascii"],
  ["keyAlgorithm", 0x25, "ascii"],
  ["group", 0x26, "ascii"],
  ["signatureScheme", 0x27, "ascii"]
] as const
const sslClientCertificate = 0x28

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type Decoded<A> = Result.Result<A, Malformed>
type Encoded<A> = Result.Result<A, Unencodable>

// --- decoding -------------------------------------------------------------------------------------------

export interface Located {
  readonly tlvs: Tlvs
  /** Where the checksum stands, counted from the first byte of the values. */
  readonly checksumAt: number | undefined
}

/** The values of a header; views of `bytes`. The checksum is found, not verified. */
export const decode = (bytes: Uint8Array): Decoded<Located> =>
  Result.gen(function* () {
    const tlvs: Mutable<Tlvs> = {}
    const other: Array<RawTlv> = []
    const seen = new Set<number>()
    let checksumAt: number | undefined
    for (const { type, value } of yield* split(bytes, "2.2")) {
      const section = sections.get(type)
      if (section !== undefined) {
        if (seen.has(type)) return yield* malformed(section, `two values of type ${hex(type)}`)
        seen.add(type)
      }
      switch (type) {
        case types.alpn:
          tlvs.alpn = latin1(value)
          break
        case types.authority:
          tlvs.authority = yield* text(value, "utf8", "2.2.2")
          break
        case types.checksum:
          if (value.length !== 4) {
            return yield* malformed("2.2.3", `a checksum of ${value.length} bytes instead of 4`)
          }
          checksumAt = value.byteOffset - bytes.byteOffset
          tlvs.checksum = true
          break
        case types.noop:
          break
        case types.uniqueId:
          if (value.length > uniqueIdBytesMax) {
            return yield* malformed("2.2.5", `a unique id of ${value.length} bytes`)
          }
          tlvs.uniqueId = value
          break
        case types.ssl:
          tlvs.ssl = yield* decodeSsl(value)
          break
        case types.netns:
          tlvs.netns = yield* text(value, "ascii", "2.2.7")
          break
        default:
          other.push({ type, value })
      }
    }
    if (other.length > 0) tlvs.other = other
    return { tlvs, checksumAt }
  })

/** Which values may come once only, and where that is written. Which of two would count is nowhere said. */
const sections: ReadonlyMap<number, string> = new Map([
  [types.alpn, "2.2.1"],
  [types.authority, "2.2.2"],
  [types.checksum, "2.2.3"],
  [types.uniqueId, "2.2.5"],
  [types.ssl, "2.2.6"],
  [types.netns, "2.2.7"]
])

const decodeSsl = (bytes: Uint8Array): Decoded<Ssl> =>
  Result.gen(function* () {
    if (bytes.length < sslBytesMin) return yield* malformed("2.2.6", `an SSL value of ${bytes.length} bytes`)
    const client = bytes[0]!
    const ssl: Mutable<Ssl> = {
      tls: (client & 1) !== 0,
      certificateOnConnection: (client & 2) !== 0,
      certificateInSession: (client & 4) !== 0,
      verify: new DataView(bytes.buffer, bytes.byteOffset).getUint32(1)
    }
    const other: Array<RawTlv> = []
    const seen = new Set<number>()
    for (const { type, value } of yield* split(bytes.subarray(sslBytesMin), "2.2.6")) {
      const named = sslTexts.find((entry) => entry[1] === type)
      if (named === undefined && type !== sslClientCertificate) {
        other.push({ type, value })
        continue
      }
      if (seen.has(type)) return yield* malformed("2.2.6", `two values of type ${hex(type)}`)
      seen.add(type)
      if (named === undefined) ssl.clientCertificate = value
      else ssl[named[0]] = yield* text(value, named[2], "2.2.6")
    }
    if (other.length > 0) ssl.other = other
    return ssl
  })

const split = (bytes: Uint8Array, section: string): Decoded<ReadonlyArray<RawTlv>> => {
  const all: Array<RawTlv> = []
  for (let at = 0; at < bytes.length;) {
    const left = bytes.length - at - 3
    const length = left < 0 ? 0 : bytes[at + 1]! * 256 + bytes[at + 2]!
    if (left < length) {
      const missing = left < 0 ? "its length" : `its value of ${length} bytes`
      return malformed(section, `the value of type ${hex(bytes[at]!)} ends before ${missing} does`)
    }
    all.push({ type: bytes[at]!, value: bytes.subarray(at + 3, at + 3 + length) })
    at += 3 + length
  }
  return Result.succeed(all)
}

const text = (bytes: Uint8Array, characters: "ascii" | "utf8", section: string): Decoded<string> => {
  if (characters === "ascii") {
    return bytes.every((byte) => byte < 128)
      ? Result.succeed(latin1(bytes))
      : malformed(section, "a text that is not ASCII")
  }
  try {
    return Result.succeed(utf8.decode(bytes))
  } catch {
    return malformed(section, "a text that is not UTF-8")
  }
}

// --- encoding -------------------------------------------------------------------------------------------

/** The values in the order of their types; the checksum, still 0, comes last. */
export const encode = (tlvs: Tlvs): Encoded<Uint8Array> =>
  Result.gen(function* () {
    const parts: Array<Uint8Array> = []
    if (tlvs.alpn !== undefined) {
      parts.push(yield* encodeTlv(types.alpn, yield* bytesOf(tlvs.alpn, 255, "2.2.1"), "2.2.1"))
    }
    if (tlvs.authority !== undefined) {
      parts.push(yield* encodeTlv(types.authority, Buffer.from(tlvs.authority), "2.2.2"))
    }
    if (tlvs.uniqueId !== undefined) {
      if (tlvs.uniqueId.length > uniqueIdBytesMax) {
        return yield* unencodable("2.2.5", `a unique id of ${tlvs.uniqueId.length} bytes`)
      }
      parts.push(yield* encodeTlv(types.uniqueId, tlvs.uniqueId, "2.2.5"))
    }
    if (tlvs.ssl !== undefined) {
      parts.push(yield* encodeTlv(types.ssl, yield* encodeSsl(tlvs.ssl), "2.2.6"))
    }
    if (tlvs.netns !== undefined) {
      parts.push(yield* encodeTlv(types.netns, yield* bytesOf(tlvs.netns, 127, "2.2.7"), "2.2.7"))
    }
    for (const { type, value } of tlvs.other ?? []) {
      if (sections.has(type)) return yield* unencodable("2.2", `type ${hex(type)} has a field of its own`)
      parts.push(yield* encodeTlv(type, value, "2.2"))
    }
    if (tlvs.checksum === true) parts.push(yield* encodeTlv(types.checksum, new Uint8Array(4), "2.2.3"))
    return Buffer.concat(parts)
  })

const encodeSsl = (ssl: Ssl): Encoded<Uint8Array> =>
  Result.gen(function* () {
    const head = new Uint8Array(sslBytesMin)
    head[0] = +ssl.tls | (+ssl.certificateOnConnection << 1) | (+ssl.certificateInSession << 2)
    if (!Number.isInteger(ssl.verify) || ssl.verify < 0 || ssl.verify > 0xffff_ffff) {
      return yield* unencodable("2.2.6", `${ssl.verify} is no 32 bits`)
    }
    new DataView(head.buffer).setUint32(1, ssl.verify)
    const parts: Array<Uint8Array> = [head]
    for (const [field, type, characters] of sslTexts) {
      const value = ssl[field]
      if (value === undefined) continue
      const bytes = characters === "utf8" ? Buffer.from(value) : yield* bytesOf(value, 127, "2.2.6")
      parts.push(yield* encodeTlv(type, bytes, "2.2.6"))
    }
    if (ssl.clientCertificate !== undefined) {
      parts.push(yield* encodeTlv(sslClientCertificate, ssl.clientCertificate, "2.2.6"))
    }
    for (const { type, value } of ssl.other ?? []) {
      if (type === sslClientCertificate || sslTexts.some((entry) => entry[1] === type)) {
        return yield* unencodable("2.2.6", `type ${hex(type)} has a field of its own`)
      }
      parts.push(yield* encodeTlv(type, value, "2.2.6"))
    }
    return Buffer.concat(parts)
  })

const encodeTlv = (type: number, value: Uint8Array, section: string): Encoded<Uint8Array> => {
  if (!Number.isInteger(type) || type < 0 || type > 255) return unencodable(section, `${type} is no type`)
  if (value.length > 0xffff) return unencodable(section, `a value of ${value.length} bytes`)
  const bytes = new Uint8Array(3 + value.length)
  bytes.set([type, value.length >>> 8, value.length & 255])
  bytes.set(value, 3)
  return Result.succeed(bytes)
}

/** A byte for each character, up to the largest that is allowed. */
const bytesOf = (value: string, most: number, section: string): Encoded<Uint8Array> => {
  const bytes = Buffer.from(value, "latin1")
  for (let i = 0; i < value.length; i++) {
    if (value.charCodeAt(i) > most) return unencodable(section, `the character at ${i} has no place in it`)
  }
  return Result.succeed(bytes)
}

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1")
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const hex = (type: number): string => `0x${type.toString(16).padStart(2, "0")}`
const malformed = (section: string, detail: string): Decoded<never> =>
  Result.fail(new Malformed({ section, detail }))
const unencodable = (section: string, detail: string): Encoded<never> =>
  Result.fail(new Unencodable({ section, detail }))
