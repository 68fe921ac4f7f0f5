/**
 * Sockets as libuv has them. Node sends them to other processes as they are, where a `net.Server` would begin to accept, and a
 * `dgram.Socket` to read, as soon as it arrives. `node:cluster` rests on the same few names.
 */
import type * as dgram from "node:dgram"
import * as net from "node:net"
import type * as NetAddress from "effect/net/NetAddress"
import * as NodeAddress from "./NodeAddress.ts"

/** A TCP socket, a UNIX socket (`Pipe`), or a UDP socket. */
export interface NativeHandle {
  readonly fd: number
  readonly close: () => void
  /** Not of UNIX sockets. */
  readonly getsockname?: (out: Record<string, unknown>) => number
}

interface UdpHandle extends NativeHandle {
  readonly recvStart: () => number
  readonly recvStop: () => number
}

interface Internals {
  _handle: NativeHandle | null
  readonly _listen2: (
    address: null,
    port: number,
    addressType: number,
    backlog: number,
    fd: undefined,
    flags: number
  ) => void
}

/** Whether what came from another process is one. */
export const isHandle = (value: unknown): value is NativeHandle =>
  typeof value === "object" &&
  value !== null &&
  "close" in value &&
  typeof value.close === "function" &&
  "fd" in value

/** Of an open server. */
export const ofServer = (server: net.Server): NativeHandle | undefined =>
  (server as unknown as Internals)._handle ?? undefined

/** Has the server listen on it. `net.Server.listen` would open the descriptor of a UNIX socket a second time. */
export const listenOn = (server: net.Server, handle: NativeHandle, backlog: number): void => {
  const internals = server as unknown as Internals
  internals._handle = handle
  internals._listen2(null, -1, -1, backlog, undefined, 0)
}

/** Of a bound datagram socket: Node keeps it under a symbol. */
export const ofDatagram = (socket: dgram.Socket): UdpHandle | undefined => {
  for (const symbol of Object.getOwnPropertySymbols(socket)) {
    const state = (socket as unknown as Record<symbol, unknown>)[symbol] as
      | { readonly handle?: unknown }
      | undefined
    if (isHandle(state?.handle) && "recvStop" in state.handle) return state.handle as UdpHandle
  }
  return undefined
}

/** Binds a datagram socket to it. It reads then, until `pause`. */
export const bindTo = (socket: dgram.Socket, handle: NativeHandle): void => {
  socket.bind(handle as unknown as dgram.BindOptions)
}

/** From now on, whoever shares the socket reads what comes. */
export const pause = (socket: dgram.Socket): void => {
  ofDatagram(socket)?.recvStop()
}

export const resume = (socket: dgram.Socket): void => {
  ofDatagram(socket)?.recvStart()
}

/** Where it is bound; `undefined` for a UNIX socket, and for one that is not bound. */
export const addressOf = (handle: NativeHandle): NetAddress.SocketAddress | undefined => {
  const out: { address?: string; port?: number } = {}
  if (handle.getsockname === undefined || handle.getsockname(out) !== 0) return undefined
  return out.address === undefined || out.port === undefined || out.port === 0
    ? undefined
    : NodeAddress.fromNative(out)
}

/** Whether it is bound to an address of IPv6, the one for all included. */
export const isIpv6 = (handle: NativeHandle): boolean => {
  const out: { family?: string } = {}
  return handle.getsockname?.(out) === 0 && out.family === "IPv6"
}

type Create = (
  address: string | null,
  port: number,
  addressType: number,
  fd: number | undefined,
  flags: number | undefined
) => NativeHandle | number

const create = (net as unknown as { readonly _createServerHandle: Create })._createServerHandle

/** Of UV_TCP_IPV6ONLY and UV_TCP_REUSEPORT. */
export const tcpFlags = { ipv6Only: 1, reusePort: 2 } as const

/** A TCP socket that is bound, and does not listen; or what the system says, as a negative number. */
export const bindTcp = (address: string, port: number, flags: number): NativeHandle | number =>
  create(address, port, net.isIPv6(address) ? 6 : 4, undefined, flags)

/** The same, of a UNIX socket. */
export const bindUnix = (path: string): NativeHandle | number => create(path, -1, -1, undefined, undefined)

/** A socket by its descriptor, which is taken over. */
export const ofDescriptor = (fd: number): NativeHandle | number => create(null, 0, 0, fd, undefined)
