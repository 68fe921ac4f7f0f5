/**
 * What kind of thing a file descriptor is. Node tells little about one that it did not open itself; Linux lists the sockets of
 * this network namespace in `/proc/net`. Elsewhere, and of sockets from another namespace, less is known.
 */
import * as fs from "node:fs"
import * as Errno from "../reactor/Errno.ts"
import * as Reason from "../reactor/Reason.ts"

export type Domain = "INET" | "INET6" | "UNIX"

export interface SocketFacts {
  readonly domain: Domain
  readonly state: "Listening" | "Connected" | "Idle"
  /** Of a UNIX socket: its name, empty when it has none. */
  readonly name: string
}

/** What it is, or why it is nothing of use. A socket that is not listed has no facts. */
export interface Inspected {
  readonly stats: fs.Stats
  readonly facts: SocketFacts | undefined
}

/** A descriptor that is open; `BadFile` if it is not. */
export const statsOf = (fd: number): fs.Stats | Reason.BadFile | Reason.InvalidAddress => {
  if (!Number.isInteger(fd) || fd < 0 || fd > 0x7fff_ffff) {
    return new Reason.InvalidAddress({ detail: `${fd} is no file descriptor`, errno: "EBADF" })
  }
  try {
    return fs.fstatSync(fd)
  } catch (error) {
    const errno = Errno.codeOf(error)
    return new Reason.BadFile({ detail: `descriptor ${fd} is not open`, errno, cause: error })
  }
}

/** A stream socket; anything else is refused, by name. */
export const inspect = (fd: number): Inspected | Reason.BadFile | Reason.InvalidAddress => {
  const stats = statsOf(fd)
  if (!(stats instanceof fs.Stats)) return stats
  if (!stats.isSocket()) return notOfUse(fd, kindOf(stats), "ENOTSOCK")
  const facts = lookUp(stats.ino)
  return typeof facts === "string" ? notOfUse(fd, facts, "ESOCKTNOSUPPORT") : { stats, facts }
}

export const notOfUse = (fd: number, what: string, errno: string): Reason.BadFile =>
  new Reason.BadFile({ detail: `descriptor ${fd} is ${what}`, errno })

/** In words. */
export const describe = ({ domain, name, state }: SocketFacts): string => {
  const family = { INET: "an IPv4", INET6: "an IPv6", UNIX: "a UNIX" }[domain]
  const which = name === "" ? "" : ` "${name.replace("\0", "@")}"`
  return `${family} socket${which} that ${{ Listening: "listens", Connected: "is connected", Idle: "does not listen" }[state]}`
}

export const kindOf = (stats: fs.Stats): string => {
  if (stats.isFile()) return "a regular file"
  if (stats.isFIFO()) return "a pipe"
  if (stats.isDirectory()) return "a directory"
  if (stats.isSocket()) return "a socket"
  return stats.isCharacterDevice() ? "a terminal or another device" : "no stream"
}

/** The facts of a stream socket, what else it is, or undefined when it is not listed. */
const lookUp = (inode: number): SocketFacts | string | undefined => {
  for (const table of tables) {
    for (const row of rows(`/proc/net/${table.file}`)) {
      const fields = row.trim().split(/\s+/)
      if (Number(fields[table.inode]) === inode) return table.read(fields, row)
    }
  }
  return undefined
}

interface Table {
  readonly file: string
  /** Which field is the inode, from 0. */
  readonly inode: number
  readonly read: (fields: ReadonlyArray<string>, row: string) => SocketFacts | string
}

const inet = (file: string, domain: Domain): Table => ({
  file,
  inode: 9,
  read: (fields) => ({ domain, state: inetState(fields[3] ?? ""), name: "" })
})

const other = (file: string, what: string): Table => ({ file, inode: 9, read: () => what })

/** `include/net/tcp_states.h`: 07 is closed, 0A is listening. */
const inetState = (state: string): SocketFacts["state"] => {
  if (state === "0A") return "Listening"
  return state === "07" ? "Idle" : "Connected"
}

/** `include/uapi/linux/net.h`: SO_ACCEPTCON, SS_CONNECTED, and the types of sockets. */
const acceptsConnections = 0x1_0000
const connected = "03"
const stream = "0001"

const tables: ReadonlyArray<Table> = [
  {
    // Num RefCount Protocol Flags Type St Inode Path
    file: "unix",
    inode: 6,
    read: ([, , , flags, type, state], row) => {
      if (type !== stream) return "a UNIX socket, but not one of streams"
      if ((Number.parseInt(flags ?? "", 16) & acceptsConnections) !== 0) {
        return { domain: "UNIX", state: "Listening", name: nameIn(row) }
      }
      return { domain: "UNIX", state: state === connected ? "Connected" : "Idle", name: nameIn(row) }
    }
  },
  inet("tcp", "INET"),
  inet("tcp6", "INET6"),
  other("udp", "a UDP socket"),
  other("udp6", "a UDP socket"),
  other("raw", "a raw socket"),
  other("raw6", "a raw socket")
]

/** The rest of the line, spaces and all; an abstract name has `@` for its NULs. */
const nameIn = (row: string): string => {
  const name = /^\S+(?:\s+\S+){6} (.*)$/.exec(row.trimStart())?.[1] ?? ""
  return name.startsWith("@") ? name.replaceAll("@", "\0") : name
}

/** The lines of a table but its head; none where there is no such table. */
const rows = (file: string): ReadonlyArray<string> => {
  try {
    return fs.readFileSync(file, "utf8").split("\n").slice(1)
  } catch {
    return []
  }
}
