/**
 * The kinds of value an argument of an endpoint description can have: what text is valid, what it means, and
 * what to say about text that is not.
 */
import * as Duration from "effect/Duration"
import type * as FileSystem from "effect/FileSystem"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { nearest } from "./EndpointSuggestion.ts"
import { certificateLabel, pemBlocks, privateKeyLabel } from "./pemBlocks.ts"

/** Why a text is no value of a kind. */
export interface Rejection {
  /** Completes the sentence `PORT of tcp must be ...` (of a file: `the file holds no ...`). */
  readonly expected: string
  /** The valid value that was probably meant. */
  readonly suggestion?: string | undefined
  readonly hint?: string | undefined
}

/** A value that stands in the description itself. */
export interface ValueKind<out A> {
  readonly _tag: "Value"
  /** What stands for the value in a usage line: `PORT`, `yes|no`. */
  readonly placeholder: string
  /** Total: rejects, never throws. */
  readonly decode: (text: string) => Result.Result<A, Rejection>
}

/** The contents of a file that the description names. */
export interface FileKind<out A> {
  readonly _tag: "File"
  readonly placeholder: string
  /** Total: rejects, never throws. Given what the file holds, not its path. */
  readonly decode: (contents: Uint8Array) => Result.Result<A, Rejection>
}

/** A directory, and what reads it: looked at by whoever uses the endpoint, not before. */
export interface Directory {
  readonly directory: string
  readonly files: FileSystem.FileSystem
}

/** A directory that the description names, and what is made of it. */
export interface DirectoryKind<out A> {
  readonly _tag: "Directory"
  readonly placeholder: string
  readonly make: (directory: Directory) => A
}

export type Kind<A> = ValueKind<A> | FileKind<A> | DirectoryKind<A>

/** A kind of value of your own; `decode` gives `undefined` for what is not `expected`. */
export const value = <A>(options: {
  readonly placeholder: string
  readonly expected: string
  readonly decode: (text: string) => A | undefined
  /** Something helpful about a text that was not accepted. */
  readonly help?: ((text: string) => Omit<Rejection, "expected">) | undefined
}): ValueKind<A> => ({
  _tag: "Value",
  placeholder: options.placeholder,
  decode: (text) => {
    const decoded = options.decode(text)
    return decoded === undefined
      ? Result.fail({ expected: options.expected, ...options.help?.(text) })
      : Result.succeed(decoded)
  }
})

/** The same kind, with a hint about some of the texts that it rejects. */
export const withHint = <A>(
  kind: ValueKind<A>,
  hint: (text: string) => string | undefined
): ValueKind<A> => ({
  ...kind,
  decode: (text) =>
    Result.mapError(kind.decode(text), (rejection) => ({ ...rejection, hint: hint(text) ?? rejection.hint }))
})

// --- numbers --------------------------------------------------------------------------------------------

/** A decimal number without sign, separators or leading zeros: ASCII digits only. */
const decimal = /^(?:0|[1-9][0-9]{0,15})$/

/** A whole number from `min` to `max`. */
export const integer = (options: {
  readonly min: number
  readonly max: number
  readonly placeholder: string
}): ValueKind<number> =>
  value({
    placeholder: options.placeholder,
    expected: `a decimal number from ${options.min} to ${options.max}`,
    decode: (text) => {
      const number = decimal.test(text) ? Number(text) : NaN
      return number >= options.min && number <= options.max ? number : undefined
    },
    help: (text) => ({ suggestion: /^0+[1-9][0-9]*$/.test(text) ? text.replace(/^0+/, "") : undefined })
  })

const portFrom = (min: number): ValueKind<number> =>
  withHint(integer({ min, max: 65_535, placeholder: "PORT" }), (text) =>
    /^[A-Za-z][A-Za-z0-9-]*$/.test(text) ? "names of services are not looked up: write the number" : undefined
  )

/** A port to listen on; 0 lets the system choose. */
export const port: ValueKind<number> = portFrom(0)

/** A port to connect to, so never 0. */
export const peerPort: ValueKind<number> = portFrom(1)

/** A number of bytes, 1 and more. */
export const bytes: ValueKind<number> = integer({ min: 1, max: 2 ** 31 - 1, placeholder: "BYTES" })

/** How many of something, 1 and more. */
export const count: ValueKind<number> = integer({ min: 1, max: 2 ** 31 - 1, placeholder: "COUNT" })

/** The longest that a timer can be set: 2^31 milliseconds, not quite 25 days. */
const timerSecondsMax = 2_147_483

/** A duration in seconds, with a decimal fraction or without. */
export const seconds = (options: {
  /** Whether 0 is allowed. */
  readonly zero?: boolean | undefined
  /** Whether `infinity` is a value: no limit at all. */
  readonly infinity?: boolean | undefined
  /** Default 2,147,483, which a timer can still count. */
  readonly max?: number | undefined
}): ValueKind<Duration.Duration> => {
  const { infinity = false, max = timerSecondsMax, zero = false } = options
  const expected = `a number of seconds ${zero ? "from 0" : "above 0"} to ${max}, such as 30 or 0.5`
  return value({
    placeholder: "SECONDS",
    expected: infinity ? `${expected}, or infinity` : expected,
    decode: (text) => {
      if (infinity && text === "infinity") return Duration.infinity
      const number = /^[0-9]{1,9}(?:\.[0-9]{1,9})?$/.test(text) ? Number(text) : NaN
      const inRange = number <= max && (zero ? number >= 0 : number > 0)
      return inRange ? Duration.millis(roundToNanos(number * 1000)) : undefined
    },
    help: (text) => {
      const number = /^([0-9]+(?:\.[0-9]+)?) ?s(?:ec(?:ond)?s?)?$/.exec(text)?.[1]
      return { suggestion: number ?? (infinity ? nearest(text, ["infinity"]) : undefined) }
    }
  })
}

/** 0.3 s is 300 ms, not 299.99999999999994. */
const roundToNanos = (millis: number): number => Math.round(millis * 1e6) / 1e6

/** Permission bits in octal: `666`, `0600`. */
export const mode: ValueKind<number> = value({
  placeholder: "MODE",
  expected: "permissions in octal, such as 666 or 600",
  decode: (text) => (/^0?[0-7]{1,3}$/.test(text) ? Number.parseInt(text, 8) : undefined)
})

// --- words ----------------------------------------------------------------------------------------------

/** Any text but the empty one. */
export const text: ValueKind<string> = value({
  placeholder: "TEXT",
  expected: "a text that is not empty",
  decode: (given) => (given === "" ? undefined : given)
})

/** One of some words, exactly as they are written here. */
export const choice = <const W extends string>(words: ReadonlyArray<W>): ValueKind<W> =>
  value({
    placeholder: words.join("|"),
    expected: alternatives(words),
    decode: (given) => words.find((word) => word === given),
    help: (given) => ({ suggestion: nearest(given, words) })
  })

const alternatives = (words: ReadonlyArray<string>): string =>
  words.length < 2 ? words.join() : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`

const otherBooleans: ReadonlyMap<string, string> = new Map([
  ["on", "yes"],
  ["1", "yes"],
  ["off", "no"],
  ["0", "no"]
])

/** `yes` or `no`; `true` and `false` are understood as well. */
export const boolean: ValueKind<boolean> = value({
  placeholder: "yes|no",
  expected: "yes or no",
  decode: (given) =>
    given === "yes" || given === "true" ? true : given === "no" || given === "false" ? false : undefined,
  help: (given) => ({
    suggestion: otherBooleans.get(given) ?? nearest(given, ["yes", "no", "true", "false"])
  })
})

/** Whatever the first of two kinds accepts, or else the second. */
export const either = <A, B>(
  first: ValueKind<A>,
  second: ValueKind<B>,
  expected: string
): ValueKind<A | B> => ({
  _tag: "Value",
  placeholder: `${first.placeholder}|${second.placeholder}`,
  decode: (given) => {
    const one = first.decode(given)
    if (Result.isSuccess(one)) return one
    const other = second.decode(given)
    if (Result.isSuccess(other)) return other
    return Result.fail({
      expected,
      suggestion: one.failure.suggestion ?? other.failure.suggestion,
      hint: one.failure.hint ?? other.failure.hint
    })
  }
})

/** Words with commas between them, in order of preference: `h2,http/1.1`. A word cannot hold a comma. */
export const list: ValueKind<ReadonlyArray<string>> = value({
  placeholder: "NAME,...",
  expected: "names with commas between them, none of them empty",
  decode: (given) => {
    const words = given.split(",")
    return words.includes("") ? undefined : words
  }
})

// --- places ---------------------------------------------------------------------------------------------

/** In names: no ASCII but letters, digits, `.`, `-`, `_`; no spaces, controls or halves of surrogate pairs. */
const notInNames = /[\s!-,/:-@[-^`{-~\p{Cc}\p{Cs}]/u
/** What ends in a number is an IPv4 address or nothing (as URLs have it). */
const endsInNumber = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)\.?$/i

const isIpv6 = (given: string): boolean =>
  given.includes("%")
    ? Result.isSuccess(NetAddress.scopedIpv6LiteralFromString(given))
    : Result.isSuccess(NetAddress.ipv6FromString(given))

const isIpv4 = (given: string): boolean => Result.isSuccess(NetAddress.ipv4FromString(given))

/** Whether the text is an IPv4 or IPv6 address, the latter in brackets or not. */
export const isAddress = (given: string): boolean =>
  isIpv4(given) || isIpv6(given.replace(/^\[(.*)\]$/, "$1"))

const decodeHost = (given: string): string | undefined => {
  const address = given.startsWith("[") && given.endsWith("]") ? given.slice(1, -1) : given
  if (isIpv6(address)) return address
  if (isIpv4(given)) return given
  return isHostName(given) ? given : undefined
}

const isHostName = (given: string): boolean =>
  given.length <= 254 &&
  !notInNames.test(given) &&
  !endsInNumber.test(given) &&
  given
    .replace(/\.$/, "")
    .split(".")
    .every((label) => label !== "" && label.length <= 63)

const helpHost = (given: string): Omit<Rejection, "expected"> => ({
  hint: given.includes("/")
    ? "a URL is not a host: leave out everything but its name"
    : /^[0-9]+$/.test(given)
      ? "a number alone is no host; the host comes before the port"
      : undefined
})

/** A host's name, or an IPv4 or IPv6 address, the latter given without its brackets. */
export const host: ValueKind<string> = value({
  placeholder: "HOST",
  expected: "a host name or an IP address",
  decode: decodeHost,
  help: helpHost
})

/** An address of this machine, or a name for one. */
export const localAddress: ValueKind<string> = value({
  placeholder: "ADDRESS",
  expected: "an IP address or a host name",
  decode: decodeHost,
  help: (given) =>
    given === "" || given === "*"
      ? { hint: "leave the argument out for all addresses of this machine" }
      : helpHost(given)
})

/** An IPv6 address of this machine. */
export const localAddress6: ValueKind<string> = value({
  placeholder: "ADDRESS",
  expected: "an IPv6 address",
  decode: (given) => (isAddress(given) && !isIpv4(given) ? decodeHost(given) : undefined),
  help: (given) => ({
    hint: isIpv4(given) || isHostName(given) ? "the scheme tcp takes IPv4 addresses and names" : undefined
  })
})

/** The path of a UNIX socket. A NUL may come first (a name that is no file, on Linux), and nowhere else. */
export const path: ValueKind<string> = value({
  placeholder: "PATH",
  expected: "a path, without NUL characters",
  decode: (given) => (given === "" || given === "\0" || given.lastIndexOf("\0") > 0 ? undefined : given)
})

/** IP addresses and networks with commas between them, IPv6 in brackets or its colons escaped; `unix` for UNIX sockets. */
export const peers: ValueKind<ReadonlyArray<string>> = value({
  placeholder: "NETWORK,...",
  expected: "IP addresses or networks such as 10.0.0.0/8 with commas between them, or unix",
  decode: (given) => {
    const words = given.split(",").map((word) => word.replace(/^\[(.*)\]/, "$1"))
    return words.every(isPeer) ? words : undefined
  }
})

/** Addresses of multicast groups with commas between them, colons of IPv6 escaped. */
export const groups: ValueKind<ReadonlyArray<string>> = value({
  placeholder: "GROUP,...",
  expected: "addresses of multicast groups with commas between them, such as 239.1.2.3",
  decode: (given) => {
    const words = given.split(",").map((word) => word.replace(/^\[(.*)\]$/, "$1"))
    return words.every(isGroup) ? words : undefined
  }
})

const isGroup = (word: string): boolean => {
  const address = NetAddress.ipFromString(word)
  return Result.isSuccess(address) && NetAddress.isMulticast(address.success)
}

const isPeer = (word: string): boolean =>
  word === "unix" || isAddress(word) || Result.isSuccess(IpNetwork.fromString(word))

// --- files ----------------------------------------------------------------------------------------------

/** A directory of files. */
export const directory: DirectoryKind<Directory> = {
  _tag: "Directory",
  placeholder: "DIRECTORY",
  make: (directory) => directory
}

/** A file's contents, as they are. */
export const file: FileKind<Uint8Array> = {
  _tag: "File",
  placeholder: "FILE",
  decode: (contents) => Result.succeed(contents)
}

const blocksOf = (contents: Uint8Array, label: RegExp): ReadonlyArray<string> =>
  pemBlocks(new TextDecoder().decode(contents), label)

/** The certificates of a PEM file, in its order; a private key that stands there too is left behind. */
export const pemCertificates: FileKind<string> = {
  _tag: "File",
  placeholder: "FILE",
  decode: (contents) => {
    const blocks = blocksOf(contents, certificateLabel)
    return blocks.length === 0
      ? Result.fail({ expected: "certificate in PEM form" })
      : Result.succeed(`${blocks.join("\n")}\n`)
  }
}

/** The private key of a PEM file; certificates that stand there too are left behind. */
export const pemPrivateKey: FileKind<Redacted.Redacted<string>> = {
  _tag: "File",
  placeholder: "FILE",
  decode: (contents) => {
    const key = blocksOf(contents, privateKeyLabel)[0]
    if (key === undefined) return Result.fail({ expected: "private key in PEM form" })
    if (/^-----BEGIN ENCRYPTED |^Proc-Type:[^\n]*ENCRYPTED/m.test(key)) {
      return Result.fail({
        expected: "private key that can be used without a passphrase",
        hint: "descriptions carry no secrets: decrypt the file, or build the endpoint with Endpoint.tls"
      })
    }
    return Result.succeed(Redacted.make(`${key}\n`, { label: "private key" }))
  }
}
