/** What the gateway says when it is up: a line to copy and paste for each of its doors. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"

export interface Doors {
  /** A door is open; when all are, they are shown, once. */
  readonly opened: (door: Door, address: NetAddress.SocketAddress) => Effect.Effect<void>
}

export type Door = "tcp" | "tls" | "udp" | "http"

/** `authority`: the file of the certificate that a client is to trust, if that is our own. */
export const make = (authority: string | undefined): Doors => {
  const open = new Map<Door, NetAddress.SocketAddress>()
  return {
    opened: (door, address) =>
      Effect.suspend(() => {
        const wasUp = isUp(open)
        open.set(door, address)
        return wasUp || !isUp(open) ? Effect.void : Console.log(text(open, authority))
      })
  }
}

const all: ReadonlyArray<Door> = ["tcp", "tls", "udp", "http"]

const isUp = (open: ReadonlyMap<Door, unknown>): boolean => all.every((door) => open.has(door))

const place = (address: NetAddress.SocketAddress): string =>
  NetAddress.isInetAddress(address)
    ? `${NetAddress.formatIp(address.address)} ${address.port}`
    : `-U ${address.path}`

const curl = (address: NetAddress.SocketAddress): string => {
  const path = "latest?station=roof&metric=temperature"
  return NetAddress.isInetAddress(address)
    ? `curl 'http://${String(address)}/${path}'`
    : `curl --unix-socket ${address.path} 'http://localhost/${path}'`
}

const text = (open: ReadonlyMap<Door, NetAddress.SocketAddress>, authority: string | undefined): string => {
  const at = (door: Door): NetAddress.SocketAddress => open.get(door)!
  const trust = authority === undefined ? "" : ` -CAfile ${authority} -verify_return_error`
  return [
    "The telemetry gateway is up. Try each of its doors:",
    "",
    `  TCP   printf 'roof temperature 21.5\\n' | nc -N ${place(at("tcp"))}`,
    `  TLS   (printf 'roof humidity 40\\n'; sleep 1) | openssl s_client -quiet -no_ign_eof${trust} -connect ${String(at("tls"))}`,
    `  UDP   printf 'roof wind 3.2\\n' | nc -u -w 1 ${place(at("udp"))}`,
    `  HTTP  ${curl(at("http"))}`,
    "",
    "A line is `station metric value [ISO timestamp]`. `npm run feed` sends a year of them. Ctrl-C stops."
  ].join("\n")
}
