/** The verbs of multicast by a `dgram.Socket`. */
import type * as dgram from "node:dgram"
import * as os from "node:os"
import * as NetAddress from "effect/net/NetAddress"
import {
  formatInterface,
  type MulticastInterface,
  type MulticastReason,
  type MulticastVerbs,
  sameAddress
} from "../reactor/DatagramMulticast.ts"
import * as Errno from "../reactor/Errno.ts"
import * as Reason from "../reactor/Reason.ts"

export const multicastVerbs = (socket: dgram.Socket): MulticastVerbs => ({
  join: (group, on) =>
    attempt(() => socket.addMembership(NetAddress.formatIp(group), native(on)), {
      // It is in that group already.
      ignored: "EADDRINUSE",
      refusal: (error, errno) => joinFailed(`the group ${NetAddress.formatIp(group)}`, on, errno, error)
    }),
  leave: (group, on) =>
    attempt(() => socket.dropMembership(NetAddress.formatIp(group), native(on)), {
      refusal: (error, errno) => joinFailed(`leaving ${NetAddress.formatIp(group)}`, on, errno, error)
    }),
  setTtl: (hops) => attempt(() => socket.setMulticastTTL(hops)),
  setLoopback: (enabled) => attempt(() => socket.setMulticastLoopback(enabled)),
  setInterface: (on) =>
    attempt(() => socket.setMulticastInterface(native(on) ?? (isIpv6(socket) ? "::" : "0.0.0.0")), {
      refusal: (cause, errno) =>
        noInterface.has(errno)
          ? new Reason.InvalidAddress({ detail: `this machine has no interface${spelt(on)}`, errno, cause })
          : unknown(cause, errno)
    })
})

export const isIpv6 = (socket: dgram.Socket): boolean => socket.address().family === "IPv6"

/** What a change came to that threw an error of the system, or not. */
interface Handling {
  readonly ignored?: string
  readonly refusal: (error: unknown, errno: string) => MulticastReason
}

export const attempt = (
  change: () => unknown,
  { ignored, refusal }: Handling = { refusal: (error, errno) => unknown(error, errno) }
): MulticastReason | undefined => {
  try {
    change()
    return undefined
  } catch (error) {
    const errno = Errno.codeOf(error)
    return errno === ignored ? undefined : refusal(error, errno)
  }
}

const noInterface = new Set(["EADDRNOTAVAIL", "EINVAL", "ENODEV", "ENXIO"])

const joinFailed = (what: string, on: MulticastInterface | undefined, errno: string, cause: unknown) =>
  new Reason.MulticastJoinFailed({ detail: `${what}${spelt(on)}: the system says ${errno}`, errno, cause })

const unknown = (cause: unknown, errno: string) => new Reason.Unknown({ detail: String(cause), errno, cause })

const spelt = (on: MulticastInterface | undefined): string =>
  on === undefined ? "" : ` on ${formatInterface(on)}`

/**
 * The interface as libuv takes it: for IPv4 its address, for IPv6 `::%name`, on Windows `::%index`. libuv takes an unknown
 * zone for the system's choice, so that it is looked up here.
 */
const native = (on: MulticastInterface | undefined): string | undefined => {
  if (on === undefined) return undefined
  if (NetAddress.isIpv4Address(on.address)) return NetAddress.formatIp(on.address)
  for (const [name, addresses = []] of Object.entries(os.networkInterfaces())) {
    const index = addresses.reduce(
      (found, each) => found || (each.family === "IPv6" ? each.scopeid : undefined) || 0,
      0
    )
    const meant =
      on.zone === undefined
        ? addresses.some(
            (each) =>
              each.family === "IPv6" &&
              sameAddress(NetAddress.ipFromStringUnsafe(each.address.split("%")[0]!), on.address)
          )
        : on.zone === name || (index > 0 && on.zone === String(index))
    if (meant) return `::%${process.platform === "win32" ? index : name}`
  }
  throw Object.assign(new Error("no such interface"), { code: "ENODEV" })
}
