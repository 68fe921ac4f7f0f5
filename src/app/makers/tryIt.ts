/** What to type to try a server, said when it listens. */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Server from "../../protocol/Server.ts"
import type { Datagram } from "../../reactor/Datagram.ts"

/** An address that one can connect to: that of this machine, where a server listens on all. */
const reachable = (address: NetAddress.IpAddress): string => {
  if (!NetAddress.isUnspecified(address)) return NetAddress.formatIp(address)
  return NetAddress.isIpv4Address(address) ? "127.0.0.1" : "::1"
}

/** `nc` and where the server listens. */
const netcat = ({ address }: Server.Server): string =>
  NetAddress.isInetAddress(address)
    ? `nc ${reachable(address.address)} ${address.port}`
    : `nc -U ${NetAddress.formatSocketAddress(address)}`

/** Logs a command line for the first of the servers, made of its `nc HOST PORT`. */
export const tryNetcat =
  (command: (netcat: string) => string) =>
  (servers: ReadonlyArray<Server.Server>): Effect.Effect<void> =>
    servers[0] === undefined ? Effect.void : Effect.logInfo(`try it: ${command(netcat(servers[0]))}`)

/** The same, for what is typed before it. */
export const tryIt = (input: string) => tryNetcat((netcat) => `printf '${input}' | ${netcat}`)

/** Logs any other command line, made of where the first of the servers can be reached over TCP. */
export const tryCommand =
  (command: (host: string, port: number) => string) =>
  (servers: ReadonlyArray<Server.Server>): Effect.Effect<void> => {
    const address = servers[0]?.address
    return address === undefined || !NetAddress.isInetAddress(address)
      ? Effect.void
      : Effect.logInfo(`try it: ${command(reachable(address.address), address.port)}`)
  }

/** Logs a command line that sends one datagram to a port, written for printf(1), and waits a second for answers. */
export const tryDatagram = (input: string, { local }: Datagram): Effect.Effect<void> =>
  NetAddress.isInetAddress(local)
    ? Effect.logInfo(`try it: printf '${input}' | nc -u -w 1 ${reachable(local.address)} ${local.port}`)
    : Effect.void
