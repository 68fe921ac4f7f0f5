/**
 * The configuration file of inetd(8), as the BSDs and Debian have it:
 *
 * ```
 * [address:]service  socket-type  protocol  wait|nowait[.max]  user[.group]  program  argv0 args...
 * ```
 *
 * - `#` begins a comment at the beginning of a line; elsewhere it is a character like others. A line that begins with white space goes on with the one
 *   before it. Fields are parted by white space, and nothing is quoted.
 * - A service is a name or a number. `tcp4`, `tcp6`, `udp4`, `udp6` say which family; `tcp` and `udp` are IPv4, as there.
 * - `.max` (also `:max`): how often it may be started within a minute; default 256.
 * - `internal` as the program: echo, discard, chargen, daytime, time, qotd.
 *
 * A line that cannot be used is a `Problem` with its number and why; the others hold. Reading it never fails.
 */
import { portOf, type Services, standard } from "./ServicesWire.ts"

export interface Entry {
  /** Of its first line, from 1. */
  readonly line: number
  /** The service as it is written. */
  readonly service: string
  readonly port: number
  readonly protocol: "tcp" | "udp"
  readonly family: "IPv4" | "IPv6"
  /** The local address, where one is given. */
  readonly address: string | undefined
  /** Whether the program gets the listening socket, and nothing more is started until it has ended. */
  readonly wait: boolean
  /** How often it may be started in 60 seconds. */
  readonly startsMax: number
  readonly user: string
  readonly group: string | undefined
  /** `undefined`: it is done here. */
  readonly program: Program | undefined
}

/** What is started. `args` are without the name that the program goes by, `argv0`. */
export interface Program {
  readonly path: string
  readonly argv0: string
  readonly args: ReadonlyArray<string>
}

export interface Problem {
  readonly line: number
  /** One line for people. */
  readonly detail: string
}

export interface Conf {
  readonly entries: ReadonlyArray<Entry>
  readonly problems: ReadonlyArray<Problem>
}

export const startsMaxDefault = 256

/** The services that need no program. */
export const internalNames: ReadonlyArray<string> = ["echo", "discard", "chargen", "daytime", "time", "qotd"]

/** Reads the text of the file; names of services are looked up in `services` (default: those of the small services). */
export const parse = (text: string, services: Services = standard): Conf => {
  const entries: Array<Entry> = []
  const problems: Array<Problem> = []
  for (const [line, words] of logicalLines(text)) {
    try {
      entries.push(entryOf(line, words, services))
    } catch (error) {
      if (!(error instanceof Unusable)) throw error
      problems.push({ line, detail: error.message })
    }
  }
  return { entries, problems }
}

/** Never leaves this file. */
class Unusable extends Error {}

const unusable = (detail: string): never => {
  throw new Unusable(detail)
}

/** The words of each entry, and the number of its first line. */
const logicalLines = (text: string): ReadonlyArray<readonly [line: number, words: ReadonlyArray<string>]> => {
  const found: Array<readonly [number, Array<string>]> = []
  let open: Array<string> | undefined
  text.split(/\r?\n/).forEach((line, index) => {
    const words = line.split(/\s+/).filter((word) => word !== "")
    // The end of an entry: what is indented after it begins another one.
    if (words.length === 0 || line.trimStart().startsWith("#")) open = undefined
    else if (open !== undefined && /^\s/.test(line)) open.push(...words)
    else found.push([index + 1, (open = words)])
  })
  return found
}

const entryOf = (line: number, words: ReadonlyArray<string>, services: Services): Entry => {
  const [where = "", type = "", protocolName = "", waiting = "", owner = "", path = "", ...argv] = words
  if (words.length < 6) {
    return unusable(
      `${words.length} fields where at least 6 belong: service, socket type, protocol, wait or nowait, user, program`
    )
  }
  const { address, service } = placeOf(where)
  if (service === "tcpmux" || service.startsWith("tcpmux/")) return unusable(noTcpmux)
  if (protocolName.startsWith("rpc/")) return unusable("services of ONC RPC are not supported")
  if (protocolName === "unix") return unusable("UNIX sockets are not supported")
  const { family, protocol } =
    protocols[protocolName] ??
    unusable(`"${shown(protocolName)}" is no protocol (tcp, tcp4, tcp6, udp, udp4, udp6)`)
  const wanted = protocol === "tcp" ? "stream" : "dgram"
  if (type !== wanted) {
    return unusable(
      type === "stream" || type === "dgram"
        ? `the sockets of ${protocolName} are ${wanted} sockets, not ${type}`
        : `"${shown(type)}" is no supported type of socket (stream, dgram)`
    )
  }
  const port =
    portOf(services, service, protocol) ?? unusable(`no port is known for "${shown(service)}/${protocol}"`)
  const { startsMax, wait } = waitingOf(waiting)
  const program = programOf(service, path, argv)
  if (protocol === "udp" && program !== undefined && !wait) {
    return unusable("a dgram service must be wait: there are no connections that several could have")
  }
  const { group, user } = ownerOf(owner)
  return {
    line,
    service,
    port,
    protocol,
    family,
    address,
    wait: wait && program !== undefined,
    startsMax,
    user,
    group,
    program
  }
}

const noTcpmux =
  "tcpmux is refused on purpose: it starts services past the rules that are made for their ports (RFC 1078, RFC 7805)"

const protocols: Readonly<Record<string, Pick<Entry, "family" | "protocol">>> = Object.assign(
  Object.create(null) as {},
  {
    tcp: { protocol: "tcp", family: "IPv4" },
    tcp4: { protocol: "tcp", family: "IPv4" },
    tcp6: { protocol: "tcp", family: "IPv6" },
    udp: { protocol: "udp", family: "IPv4" },
    udp4: { protocol: "udp", family: "IPv4" },
    udp6: { protocol: "udp", family: "IPv6" }
  } as const
)

/** `192.0.2.1:echo`, `[2001:db8::1]:echo`, `*:echo`, `echo`. */
const placeOf = (text: string): { readonly address: string | undefined; readonly service: string } => {
  const colon = text.lastIndexOf(":")
  if (colon < 0) return { address: undefined, service: text }
  const address = text.slice(0, colon).replace(/^\[(.*)\]$/, "$1")
  return { address: address === "*" || address === "" ? undefined : address, service: text.slice(colon + 1) }
}

const waitingOf = (text: string): Pick<Entry, "startsMax" | "wait"> => {
  const found = /^(wait|nowait)(?:[.:](\d{1,9}))?$/.exec(text)
  if (found === null) return unusable(`"${shown(text)}" is neither wait nor nowait, with or without .max`)
  const startsMax = found[2] === undefined ? startsMaxDefault : Number(found[2])
  // As FreeBSD's inetd.
  return { wait: found[1] === "wait", startsMax: startsMax === 0 ? Number.POSITIVE_INFINITY : startsMax }
}

const ownerOf = (text: string): Pick<Entry, "group" | "user"> => {
  const found = /^([^.:/]+)(?:[.:]([^.:/]+))?$/.exec(text)
  if (found === null) return unusable(`"${shown(text)}" is no user, nor user.group`)
  return { user: found[1]!, group: found[2] }
}

const programOf = (service: string, path: string, argv: ReadonlyArray<string>): Program | undefined => {
  if (path === "internal") {
    if (internalNames.includes(service)) return undefined
    return unusable(`"${shown(service)}" is no internal service (${internalNames.join(", ")})`)
  }
  if (!path.startsWith("/")) return unusable(`the program "${shown(path)}" is no absolute path, nor internal`)
  const [argv0 = path, ...args] = argv
  return { path, argv0, args }
}

const textMax = 60

/** What stands in a file, on one line and not too long. */
const shown = (text: string): string => {
  const visible = text.replaceAll(/\p{C}/gu, "?")
  return visible.length > textMax ? `${visible.slice(0, textMax)}...` : visible
}
