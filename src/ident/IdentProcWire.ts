/** The tables of Linux that tell whose connection it is: `/proc/net/tcp`, `/proc/net/tcp6`, `/etc/passwd`. Pure. */
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import type { Owned } from "./IdentUsers.ts"

/** States of a connection that stands, or is half over: `TCP_ESTABLISHED`, `FIN_WAIT1`, `FIN_WAIT2`, `CLOSE_WAIT`. */
const standing: ReadonlySet<string> = new Set(["01", "04", "05", "08"])
/** What no program has any more seems to be root's. */
const nobodys = "0"

/** The user id that has the connection, by the text of one of the tables. */
export const ownerIn = (table: string, { local, peer }: Owned): number | undefined => {
  const ends = [endOf(local), endOf(peer)]
  for (const line of table.split("\n")) {
    const [, from, to, state = "", , , , uid, , inode] = line.trim().split(/ +/)
    if (from === undefined || to === undefined || uid === undefined) continue
    if (standing.has(state) && inode !== nobodys) {
      const row = [parseEnd(from), parseEnd(to)]
      if (row[0] === ends[0] && row[1] === ends[1] && /^[0-9]{1,10}$/.test(uid)) return Number(uid)
    }
  }
  return undefined
}

/** An IPv4 address that comes as an IPv6 one is the IPv4 address. */
const endOf = (end: NetAddress.InetAddress): string => {
  const { address, port } = NetAddress.toCanonical(end)
  return `${NetAddress.formatIp(address)} ${port}`
}

/** `0100007F:1F90`: words of four bytes in the order of the machine, which is little-endian wherever Node runs on Linux but s390x. */
const parseEnd = (text: string): string | undefined => {
  const found = /^((?:[0-9A-F]{8}){1,4}):([0-9A-F]{4})$/.exec(text)
  if (found === null) return undefined
  const octets = found[1]!
    .match(/.{8}/g)!
    .flatMap((word) => [6, 4, 2, 0].map((at) => Number.parseInt(word.slice(at, at + 2), 16)))
  const ip =
    octets.length === 4
      ? octets.join(".")
      : octets
          .flatMap((octet, i) => (i % 2 === 0 ? [((octet << 8) | octets[i + 1]!).toString(16)] : []))
          .join(":")
  const address = NetAddress.ipFromString(ip)
  return Result.isFailure(address)
    ? undefined
    : endOf(NetAddress.inetAddressUnsafe(address.success, Number.parseInt(found[2]!, 16)))
}

/** The name of a user id, by the text of `/etc/passwd`. */
export const nameIn = (passwd: string, uid: number): string | undefined => {
  for (const line of passwd.split("\n")) {
    const [name, , id] = line.split(":")
    if (id === String(uid) && name !== undefined && name !== "") return name
  }
  return undefined
}
