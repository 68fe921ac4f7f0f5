import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Tls from "../../src/reactor/Tls.ts"
import * as certificates from "./certificates.ts"

/** More than the kernel holds of a loopback connection that nobody reads: both socket buffers at their largest. */
export const tcpSystemBytesMax = 12 * 1024 * 1024

/** Host and port of an address that has them. */
export const inetOf = (
  address: NetAddress.SocketAddress
): { readonly host: string; readonly port: number } => {
  if (!NetAddress.isInetAddress(address)) throw new Error("not an address of a host and a port")
  return { host: NetAddress.formatHost(address), port: address.port }
}

/** The path of a UNIX address. */
export const pathOf = (address: NetAddress.SocketAddress): string => {
  if (!NetAddress.isUnixPathAddress(address)) throw new Error("not the address of a socket file")
  return address.path
}

let files = 0

/** A path for a socket file in a directory of its own, removed with the scope. */
export const socketPath = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "spindle-"))),
    (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
  ),
  (directory) => path.join(directory, `${files++}.sock`)
)

/** Two sides that trust each other, both offering ALPN `echo`; undefined where there is no `openssl` command. */
export const echoTls = ():
  | { readonly server: Tls.ServerOptions; readonly client: Tls.ClientOptions }
  | undefined => {
  if (!certificates.available) return undefined
  const { authority, server } = certificates.localhost()
  return {
    server: { identity: server, alpn: ["other", "echo"] },
    client: { authorities: authority.certificate, alpn: ["echo"], serverName: "localhost" }
  }
}
