/**
 * Sockets that are bound for another program: this one only learns that there is something to do, and neither accepts nor reads. What inetd
 * does for its `wait` services.
 *
 * Node accepts and reads by itself, so the system is asked through `node:ffi`, which is experimental, and loaded only when it is
 * needed. Where there is none, opening fails as `Unsupported`.
 */
import * as dgram from "node:dgram"
import * as net from "node:net"
import type * as Ffi from "node:ffi"
import * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import * as Errno from "../reactor/Errno.ts"
import { ListenError, type ListenReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import { addressOf, bindTcp, ofDatagram, pause, tcpFlags } from "./nativeHandle.ts"
import { systemError } from "./NodeDatagramAccelerator.ts"
import { experimentalFfi } from "./experimentalFfi.ts"

export interface WaitingSocket {
  readonly address: NetAddress.SocketAddress
  /** For a program to inherit. It belongs to the scope that the socket was opened in. */
  readonly fd: number
  /** Waits until there is a connection to accept, or a datagram to read. It looks ten times a second. */
  readonly due: Effect.Effect<void>
}

export interface Place {
  readonly protocol: "tcp" | "udp"
  /** An address of this machine. */
  readonly address: string
  /** 0 lets the system choose. */
  readonly port: number
  /** Not IPv4 as well, for `::`. Default `false`. */
  readonly ipv6Only?: boolean | undefined
}

const backlog = 511
const lookMillis = 100
const POLLIN = 1

const signatures = {
  listen: { return: "i32", arguments: ["i32", "i32"] },
  poll: { return: "i32", arguments: ["pointer", "u64", "i32"] }
} as const

interface System {
  readonly listen: (fd: number, backlog: number) => number
  /** Whether there is something to read. */
  readonly isReadable: (fd: number) => boolean
}

let loaded: System | undefined

/** Throws where it cannot be had. */
const load = (): System => {
  if (loaded !== undefined) return loaded
  if (process.platform === "win32") throw new Error("Windows has no such sockets")
  const ffi = experimentalFfi()
  const { functions: c, lib } = ffi.dlopen(null, signatures)
  // struct pollfd: int fd, short events, short revents. An ArrayBuffer that is made as such is never moved.
  const entry = new DataView(new ArrayBuffer(8))
  const little = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1
  const system: System & { readonly lib: Ffi.DynamicLibrary } = {
    // Functions are good for as long as their library is.
    lib,
    listen: (fd, backlog) => c.listen(fd, backlog),
    isReadable: (fd) => {
      entry.setInt32(0, fd, little)
      entry.setInt16(4, POLLIN, little)
      entry.setInt16(6, 0, little)
      return c.poll(entry.buffer as ArrayBuffer, 1n, 0) > 0
    }
  }
  return (loaded = system)
}

/** Opens one; the scope's end closes it. */
export const open = (place: Place): Effect.Effect<WaitingSocket, ListenError, Scope.Scope> =>
  Effect.gen(function* () {
    const endpoint = `${place.protocol}:${place.port}:interface=${place.address}`
    const refuse = (reason: ListenReason) => new ListenError({ endpoint, reason })
    const system = yield* Effect.try({
      try: load,
      catch: (cause) =>
        refuse(
          new Reason.Unsupported({
            detail: `a socket for another program to accept on: ${cause instanceof Error ? cause.message : String(cause)}`,
            cause
          })
        )
    })
    const opened = place.protocol === "tcp" ? openTcp(system, place) : openUdp(place)
    const { address, fd } = yield* Effect.acquireRelease(Effect.mapError(opened, refuse), ({ close }) =>
      Effect.sync(close)
    )
    const due: Effect.Effect<void> = Effect.suspend(() =>
      system.isReadable(fd) ? Effect.void : Effect.andThen(Effect.sleep(lookMillis), due)
    )
    return { address, fd, due }
  })

interface Opened {
  readonly address: NetAddress.SocketAddress
  readonly fd: number
  readonly close: () => void
}

const openTcp = (
  system: System,
  { address, ipv6Only = false, port }: Place
): Effect.Effect<Opened, ListenReason> =>
  Effect.try({
    try: () => {
      const handle = bindTcp(address, port, ipv6Only ? tcpFlags.ipv6Only : 0)
      if (typeof handle === "number") throw systemError(handle)
      const bound = addressOf(handle)
      // libuv keeps "in use" for the `listen` of its own; the socket is not bound then, and would get any port.
      if (bound === undefined || system.listen(handle.fd, backlog) !== 0) {
        handle.close()
        throw Object.assign(new Error("the address is in use"), { code: "EADDRINUSE" })
      }
      return { address: bound, fd: handle.fd, close: () => handle.close() }
    },
    catch: Errno.listenReason
  })

const openUdp = ({ address, ipv6Only = false, port }: Place): Effect.Effect<Opened, ListenReason> =>
  Effect.callback((resume) => {
    const socket = dgram.createSocket({ type: net.isIPv6(address) ? "udp6" : "udp4", ipv6Only })
    socket.once("error", (error) => {
      socket.close()
      resume(Effect.fail(Errno.listenReason(error)))
    })
    socket.once("listening", () => {
      // Before anything can be read.
      pause(socket)
      const handle = ofDatagram(socket)
      const bound = handle === undefined ? undefined : addressOf(handle)
      if (handle === undefined || bound === undefined) {
        socket.close()
        return resume(Effect.fail(new Reason.Unsupported({ detail: "Node keeps its descriptor" })))
      }
      resume(Effect.succeed({ address: bound, fd: handle.fd, close: () => socket.close() }))
    })
    socket.bind({ address, port, exclusive: true })
  })
