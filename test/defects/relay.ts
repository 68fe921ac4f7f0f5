/** Something between a TLS client and a server that lets so many flights pass, then resets the server's side. */
import * as net from "node:net"
import * as tls from "node:tls"
import * as Effect from "effect/Effect"
import * as certificates from "../support/certificates.ts"
import { socketTo } from "./attack.ts"

export interface Relayed {
  readonly port: number
  readonly version: "TLSv1.2" | "TLSv1.3"
  /** Whether the client shows its certificate. */
  readonly certificate: boolean
  /** After so many pieces, of either direction. */
  readonly resetAfter: number
}

/** How far the client came. */
export const relay = (options: Relayed): Effect.Effect<"handshake" | "secured"> =>
  Effect.callback((resume) => {
    const { authority, client } = certificates.localhost()
    let outcome: "handshake" | "secured" = "handshake"
    let pieces = 0
    const between = net.createServer((near) => {
      near.on("error", () => {})
      const far = socketTo(options.port)
      const pass = (from: net.Socket, to: net.Socket) => {
        from.on("data", (bytes: Buffer) => {
          if (++pieces === options.resetAfter) {
            // The reset overtakes nothing: what was passed on is sent.
            to.write(bytes, () => far.resetAndDestroy())
          } else if (pieces < options.resetAfter) to.write(bytes)
        })
      }
      pass(near, far)
      pass(far, near)
      near.on("close", () => far.destroy())
      far.on("close", () => near.destroy())
    })
    between.listen(0, "127.0.0.1", () => {
      const { port } = between.address() as net.AddressInfo
      const socket = tls.connect({
        host: "127.0.0.1",
        port,
        servername: "localhost",
        ca: authority.certificate,
        minVersion: options.version,
        maxVersion: options.version,
        ...(options.certificate ? { cert: client.certificate, key: client.privateKey } : {})
      })
      socket.on("error", () => {})
      socket.on("secureConnect", () => {
        outcome = "secured"
        socket.write("x")
      })
      // Bytes that make more flights.
      socket.on("data", () => socket.write("x"))
      socket.on("close", () => {
        between.close(() => resume(Effect.succeed(outcome)))
      })
    })
  })
