/** What a connection's first bytes say: pure matchers for `Sniff`. */

/** What a matcher makes of all bytes that have come so far. */
export type Verdict =
  | { readonly _tag: "Match" }
  | { readonly _tag: "NoMatch" }
  /** Not to be told yet; it will be with `atMost` bytes in all. */
  | { readonly _tag: "NeedMore"; readonly atMost: number }

/** Called with all bytes so far, none at first; once it has said `Match` or `NoMatch`, more bytes change nothing. */
export type Matcher = (bytes: Uint8Array) => Verdict

export const match: Verdict = { _tag: "Match" }
export const noMatch: Verdict = { _tag: "NoMatch" }
export const needMore = (atMost: number): Verdict => ({ _tag: "NeedMore", atMost })

/** These bytes first (a string as UTF-8). */
export const prefix = (expected: string | Uint8Array): Matcher => {
  const needle = typeof expected === "string" ? new TextEncoder().encode(expected) : expected
  const undecided = needMore(needle.length)
  return (bytes) => {
    const size = Math.min(bytes.length, needle.length)
    for (let i = 0; i < size; i++) if (bytes[i] !== needle[i]) return noMatch
    return size === needle.length ? match : undecided
  }
}

/** Whichever of them comes to match first; none, when none does. */
export const any = (...matchers: ReadonlyArray<Matcher>): Matcher => {
  return (bytes) => {
    let atMost = 0
    for (const matcher of matchers) {
      const verdict = matcher(bytes)
      if (verdict._tag === "Match") return match
      if (verdict._tag === "NeedMore") atMost = Math.max(atMost, verdict.atMost)
    }
    return atMost === 0 ? noMatch : needMore(atMost)
  }
}

/** Byte by byte: `undefined` for any. */
const pattern = (tests: ReadonlyArray<(byte: number) => boolean>): Matcher => {
  const undecided = needMore(tests.length)
  return (bytes) => {
    const size = Math.min(bytes.length, tests.length)
    for (let i = 0; i < size; i++) if (!tests[i]!(bytes[i]!)) return noMatch
    return size === tests.length ? match : undecided
  }
}

const is =
  (expected: number) =>
  (byte: number): boolean =>
    byte === expected
const whatever = (): boolean => true

/** A ClientHello of TLS 1.0 to 1.3 (RFC 8446 §5.1, §4): a record of type 22, version 3.x, message 1. 6 bytes. */
export const tlsClientHello: Matcher = pattern([
  is(22),
  is(3),
  (minor) => minor <= 4,
  // A record has at most 2^14 bytes, and a hello more than 40.
  (high) => high <= 64,
  whatever,
  is(1)
])

/** The preface of HTTP/2 with prior knowledge (RFC 9113 §3.4). 24 bytes. */
export const http2: Matcher = prefix("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

const methods = "GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH".split(" ")
const [slash, asterisk, letterH, letterUpperH] = [47, 42, 104, 72]

/**
 * A request of HTTP/1 (RFC 9112 §3): a method of RFC 9110 or PATCH, a space, and what begins a request target. Words of other
 * protocols (`GET key`) are none. 9 bytes.
 */
export const http1: Matcher = any(
  ...methods.map((method): Matcher => {
    const word = prefix(`${method} `)
    const undecided = needMore(method.length + 2)
    return (bytes) => {
      const verdict = word(bytes)
      if (verdict._tag !== "Match") return verdict._tag === "NoMatch" ? noMatch : undecided
      const next = bytes[method.length + 1]
      if (next === undefined) return undecided
      if (method === "CONNECT") return next > 32 ? match : noMatch
      const begins =
        next === slash ||
        next === letterH ||
        next === letterUpperH ||
        (next === asterisk && method === "OPTIONS")
      return begins ? match : noMatch
    }
  })
)

/** SSH (RFC 4253 §4.2). 4 bytes. */
export const ssh: Matcher = prefix("SSH-")

/** A PROXY header of version 1 or 2 (proxy-protocol.txt §2.2). 12 bytes. Believe it from trusted peers only: `ProxyHeader.over`. */
export const proxyHeader: Matcher = any(
  prefix("PROXY "),
  prefix(new Uint8Array([13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10]))
)

/** SOCKS 4 and 4a: version, CONNECT or BIND. 2 bytes. */
export const socks4: Matcher = pattern([is(4), (command) => command === 1 || command === 2])
/** SOCKS 5 (RFC 1928 §3): version, how many methods. 2 bytes. */
export const socks5: Matcher = pattern([is(5), (count) => count > 0])
/** Either. */
export const socks: Matcher = any(socks4, socks5)

/** Text: the first character, in UTF-8, is printable, a tab, or of a line's end. 4 bytes, mostly 1; put it behind the others. */
export const text: Matcher = (bytes) => {
  const first = bytes[0]
  if (first === undefined) return needMore(4)
  if (first < 128) return (first >= 32 && first < 127) || (first >= 9 && first <= 13) ? match : noMatch
  const size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
  const character = bytes.subarray(0, size)
  if (character.subarray(1).some((byte) => byte >>> 6 !== 2)) return noMatch
  if (character.length < size) return first < 0xc2 || first > 0xf4 ? noMatch : needMore(size)
  try {
    utf8.decode(character)
    return match
  } catch {
    return noMatch
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true })
