/**
 * SOCKS 5: RFC 1928, names and passwords by RFC 1929. Pure.
 *
 * ```
 * greeting  5 count method...              choice       5 method
 * login     1 size user size password      login reply  1 status
 * request   5 command 0 place              reply        5 code 0 place
 * datagram  0 0 fragment place data
 * place     1 address(4) | 3 size name | 4 address(16)   port(2)
 * ```
 */
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { SocksError, Unaskable, UnknownAddressType, UnknownCommand } from "./SocksError.ts"
import * as SocksWire from "./SocksWire.ts"

/** The ways to log in that are understood (RFC 1928 3), and that there is none. */
export const method = { none: 0, password: 2, unacceptable: 255 } as const

/** RFC 1928 6. */
export const code = {
  succeeded: 0,
  failed: 1,
  forbidden: 2,
  networkUnreachable: 3,
  hostUnreachable: 4,
  refused: 5,
  expired: 6,
  commandUnknown: 7,
  addressTypeUnknown: 8
} as const

export interface Login {
  readonly user: string
  readonly password: Redacted.Redacted
}

export interface Reply extends SocksWire.Place {
  readonly code: number
}

export interface Datagram extends SocksWire.Place {
  /** 0 for one that stands alone. */
  readonly fragment: number
  /** A view of what was parsed. */
  readonly data: Uint8Array
}

/** What comes before the data of a datagram at most. */
export const datagramHeadBytesMax = 3 + 1 + 256 + 2

/** What comes before the data of a datagram with an address. */
export const datagramHeadBytes = (family: NetAddress.IpFamily): number =>
  3 + 1 + (family === "IPv4" ? 4 : 16) + 2

const commands = ["connect", "bind", "associate"] as const satisfies ReadonlyArray<SocksWire.Command>

const versionOf = (bytes: Uint8Array, version: number, section: string) =>
  bytes.length > 0 && bytes[0] !== version
    ? SocksWire.malformed(`version ${bytes[0]}, not ${version}`, section)
    : undefined

// --- greeting -------------------------------------------------------------------------------------------

export const parseGreeting: SocksWire.Parse<ReadonlyArray<number>> = (bytes) => {
  const bad = versionOf(bytes, 5, "RFC 1928 3")
  if (bad !== undefined) return bad
  const size = 2 + (bytes[1] ?? 0)
  return bytes.length < size ? SocksWire.more : SocksWire.parsed([...bytes.subarray(2, size)], size)
}

/** At most 255 methods. */
export const formatGreeting = (methods: ReadonlyArray<number>): Uint8Array =>
  SocksWire.joined([5, methods.length], methods)

export const parseChoice: SocksWire.Parse<number> = (bytes) =>
  versionOf(bytes, 5, "RFC 1928 3") ??
  (bytes.length < 2 ? SocksWire.more : SocksWire.parsed<number>(bytes[1]!, 2))

export const formatChoice = (chosen: number): Uint8Array => Uint8Array.of(5, chosen)

// --- name and password ----------------------------------------------------------------------------------

export const parseLogin: SocksWire.Parse<Login> = (bytes) => {
  const section = "RFC 1929 2"
  const bad = versionOf(bytes, 1, section)
  if (bad !== undefined) return bad
  if (bytes.length < 2) return SocksWire.more
  const passwordAt = 3 + bytes[1]!
  if (bytes.length < passwordAt) return SocksWire.more
  const size = passwordAt + bytes[passwordAt - 1]!
  if (bytes.length < size) return SocksWire.more
  const user = SocksWire.textOf(bytes.subarray(2, passwordAt - 1))
  const password = SocksWire.textOf(bytes.subarray(passwordAt, size))
  return user === undefined || password === undefined
    ? SocksWire.malformed("a name or password that is no UTF-8", section)
    : SocksWire.parsed({ user, password: Redacted.make(password) }, size)
}

/** Fails as `Unaskable` for more than 255 bytes of either, or none. */
export const formatLogin = (login: Login): Result.Result<Uint8Array, SocksError> => {
  const user = SocksWire.bytesOf(login.user)
  const password = SocksWire.bytesOf(Redacted.value(login.password))
  return [user, password].some(({ length }) => length < 1 || length > 255)
    ? unaskable("a name and a password have 1 to 255 bytes each")
    : Result.succeed(SocksWire.joined([1, user.length], user, [password.length], password))
}

export const parseLoginReply: SocksWire.Parse<boolean> = (bytes) =>
  versionOf(bytes, 1, "RFC 1929 2") ??
  (bytes.length < 2 ? SocksWire.more : SocksWire.parsed<boolean>(bytes[1] === 0, 2))

export const formatLoginReply = (accepted: boolean): Uint8Array => Uint8Array.of(1, accepted ? 0 : 1)

// --- places ---------------------------------------------------------------------------------------------

const parsePlace = (bytes: Uint8Array, at: number): SocksWire.Parsed<SocksWire.Place> => {
  const section = "RFC 1928 5"
  const type = bytes[at]
  if (type === undefined) return SocksWire.more
  if (type !== 1 && type !== 3 && type !== 4) return SocksWire.wrong(new UnknownAddressType({ type }))
  const length = type === 1 ? 4 : type === 4 ? 16 : bytes[at + 1]
  if (length === undefined) return SocksWire.more
  const from = type === 3 ? at + 2 : at + 1
  const to = from + length
  if (bytes.length < to + 2) return SocksWire.more
  const port = (bytes[to]! << 8) | bytes[to + 1]!
  const raw = bytes.subarray(from, to)
  if (type === 1) return SocksWire.parsed({ host: NetAddress.ipv4FromBytesUnsafe(raw), port }, to + 2)
  if (type === 4) return SocksWire.parsed({ host: NetAddress.ipv6FromBytesUnsafe(raw), port }, to + 2)
  const host = SocksWire.textOf(raw) ?? ""
  return SocksWire.isName(host)
    ? SocksWire.parsed({ host, port }, to + 2)
    : SocksWire.malformed(`${JSON.stringify(host)} can be no name`, section)
}

const formatPlace = ({ host, port }: SocksWire.Place): Result.Result<Uint8Array, SocksError> => {
  const ends = [port >> 8, port & 255]
  if (typeof host !== "string") {
    return Result.succeed(
      NetAddress.isIpv4Address(host)
        ? SocksWire.joined([1], NetAddress.ipv4ToOctets(host), ends)
        : SocksWire.joined([4], NetAddress.ipv6ToOctets(host), ends)
    )
  }
  if (!SocksWire.isName(host)) return unaskable(`"${host}" can be no name`)
  const name = SocksWire.bytesOf(host)
  return Result.succeed(SocksWire.joined([3, name.length], name, ends))
}

// --- requests and replies -------------------------------------------------------------------------------

export const parseRequest: SocksWire.Parse<SocksWire.Request> = (bytes) => {
  const place = parseBehindHead(bytes, "RFC 1928 4")
  if (Result.isFailure(place)) return Result.fail(place.failure)
  if (place.success === undefined) return SocksWire.more
  const command = commands[bytes[1]! - 1]
  if (command === undefined) return SocksWire.wrong(new UnknownCommand({ version: 5, command: bytes[1]! }))
  return SocksWire.parsed({ version: 5, command, ...place.success.value }, place.success.size)
}

/** Fails as `Unaskable` for a name that can be none. */
export const formatRequest = (request: SocksWire.Request): Result.Result<Uint8Array, SocksError> =>
  Result.map(formatPlace(request), (place) =>
    SocksWire.joined([5, commands.indexOf(request.command) + 1, 0], place)
  )

export const parseReply: SocksWire.Parse<Reply> = (bytes) => {
  const place = parseBehindHead(bytes, "RFC 1928 6")
  if (Result.isFailure(place)) return Result.fail(place.failure)
  if (place.success === undefined) return SocksWire.more
  return SocksWire.parsed({ code: bytes[1]!, ...place.success.value }, place.success.size)
}

/** Fails as `Unaskable` for a name that can be none; never for an address. */
export const formatReply = (reply: Reply): Result.Result<Uint8Array, SocksError> =>
  Result.map(formatPlace(reply), (place) => SocksWire.joined([5, reply.code, 0], place))

/** Version, a number, nothing, and a place. */
const parseBehindHead = (bytes: Uint8Array, section: string): SocksWire.Parsed<SocksWire.Place> => {
  const bad = versionOf(bytes, 5, section)
  if (bad !== undefined) return bad
  return (bytes[2] ?? 0) === 0
    ? parsePlace(bytes, 3)
    : SocksWire.malformed(`${bytes[2]} where 0 must be`, section)
}

// --- datagrams ------------------------------------------------------------------------------------------

/** A whole datagram; what ends too early is malformed. */
export const parseDatagram = (bytes: Uint8Array): Result.Result<Datagram, SocksError> => {
  const section = "RFC 1928 7"
  if (bytes[0] !== 0 || bytes[1] !== 0) return SocksWire.malformed("it does not begin with 0 0", section)
  const place = parsePlace(bytes, 3)
  if (Result.isFailure(place)) return Result.fail(place.failure)
  if (place.success === undefined) return SocksWire.malformed("it ends inside its head", section)
  const { size, value } = place.success
  return Result.succeed({ ...value, fragment: bytes[2]!, data: bytes.subarray(size) })
}

export const formatDatagram = ({
  data,
  fragment,
  host,
  port
}: Datagram): Result.Result<Uint8Array, SocksError> =>
  Result.map(formatPlace({ host, port }), (place) => SocksWire.joined([0, 0, fragment], place, data))

const unaskable = (detail: string): Result.Result<never, SocksError> =>
  Result.fail(new SocksError({ operation: "format", reason: new Unaskable({ detail }) }))
