/** Plain sockets of Node's, as peers that do what a transport would not. */
import * as net from "node:net"
import * as tls from "node:tls"
import * as Effect from "effect/Effect"
import type { TransportError } from "../../src/reactor/ReactorError.ts"
import type { Transport } from "../../src/reactor/Transport.ts"

/** A TCP connection to the port; destroyed with the scope. Its errors are ignored. */
export const plainSocket = (port: number, options: Partial<net.TcpNetConnectOpts> = {}) =>
  Effect.acquireRelease(
    Effect.callback<net.Socket>((resume) => {
      const socket = net.connect({ ...options, port, host: "127.0.0.1" }, () =>
        resume(Effect.succeed(socket))
      )
      socket.on("error", () => resume(Effect.succeed(socket)))
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

export interface End {
  readonly bytes: number
  /** The error's code, or `end`. */
  readonly how: string
}

/** Reads and drops all there is; tells how it ended. */
export const socketEnd = (socket: net.Socket): Effect.Effect<End> =>
  Effect.callback<End>((resume) => {
    let bytes = 0
    const done = (how: string) => resume(Effect.succeed({ bytes, how }))
    if (socket.destroyed) return done("closed")
    socket.on("data", (data) => {
      bytes += data.length
    })
    socket.once("end", () => done("end"))
    socket.once("error", (error: NodeJS.ErrnoException) => done(error.code ?? error.message))
    socket.once("close", () => done("closed"))
    socket.resume()
  })

/** All input as text. */
export const receiveAllText = (transport: Transport): Effect.Effect<string, TransportError> =>
  Effect.suspend(() => {
    const decoder = new TextDecoder()
    let text = ""
    return Effect.map(
      transport.receiveEach((bytes) =>
        Effect.sync(() => {
          text += decoder.decode(bytes, { stream: true })
        })
      ),
      () => text + decoder.decode()
    )
  })

/** The first record of a TLS client's, as Node sends it. */
export const hello: Buffer = await new Promise<Buffer>((resolve) => {
  const peer = net.createServer((socket) => {
    socket.once("data", (bytes: Buffer) => {
      socket.destroy()
      peer.close()
      resolve(bytes)
    })
    socket.on("error", () => {})
  })
  peer.listen(0, "127.0.0.1", () => {
    const { port } = peer.address() as net.AddressInfo
    tls.connect({ host: "127.0.0.1", port }).on("error", () => {})
  })
})
