/** Where on this machine multicast works: it is tried, on interfaces that do not leave it, or with a TTL that does not. */
import * as dgram from "node:dgram"
import * as os from "node:os"
import type { MulticastSubject } from "../../src/testing/DatagramSuite.ts"

/** RFC 2365 §6.1: for use within a site. */
const groupsV4 = ["239.255.71.1", "239.255.71.2"] as const
/** RFC 4291 §2.7: transient, and of interface-local scope. */
const groupsV6 = ["ff11::7101", "ff11::7102"] as const

/** Whether a datagram to the group comes back by the interface. */
const works = (family: "IPv4" | "IPv6", group: string, by: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = dgram.createSocket(family === "IPv4" ? "udp4" : "udp6")
    const end = (answer: boolean) => {
      clearTimeout(timer)
      socket.removeAllListeners("error").on("error", () => {})
      socket.close(() => resolve(answer))
    }
    const timer = setTimeout(end, 500, false)
    socket.on("error", () => end(false)).on("message", () => end(true))
    socket.bind(0, () => {
      try {
        socket.setMulticastInterface(by)
        socket.setMulticastTTL(0)
        socket.addMembership(group, by)
        socket.send("?", socket.address().port, group)
      } catch {
        end(false)
      }
    })
  })

const interfaces = Object.entries(os.networkInterfaces()).flatMap(([name, addresses = []]) =>
  addresses.map((each) => ({ name, ...each }))
)

const first = async (
  family: "IPv4" | "IPv6",
  candidates: ReadonlyArray<{ readonly by: string; readonly loopback: boolean }>
): Promise<MulticastSubject | undefined> => {
  const groups = family === "IPv4" ? groupsV4 : groupsV6
  for (const { by, loopback } of candidates) {
    if (await works(family, groups[0], by)) return { groups, interface: by, loopback }
  }
  return undefined
}

const ofV4 = (internal: boolean) =>
  interfaces
    .filter((each) => each.family === "IPv4" && each.internal === internal)
    .map(({ address }) => ({ by: address, loopback: !internal }))

const ofV6 = (internal: boolean) =>
  interfaces
    .filter((each) => each.family === "IPv6" && each.internal === internal)
    .map(({ name, scopeid }) => ({
      by: `::%${process.platform === "win32" ? scopeid : name}`,
      loopback: !internal
    }))

/** By a loopback interface; by a real one; `undefined` where that does not work. */
export const multicastV4 = {
  loopback: await first("IPv4", ofV4(true)),
  real: await first("IPv4", ofV4(false))
}
export const multicastV6 = {
  loopback: await first("IPv6", ofV6(true)),
  real: await first("IPv6", ofV6(false))
}
