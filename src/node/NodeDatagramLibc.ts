/**
 * The C library as the accelerator of datagrams needs it, by `node:ffi`, which is experimental: loaded only when it is asked
 * for, since Node warns when it is.
 */
import * as os from "node:os"
import type * as Ffi from "node:ffi"
import { experimentalFfi } from "./experimentalFfi.ts"

const AF = { IPv4: 2, IPv6: 10 } as const
const SOCK_DGRAM = 2
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const IPPROTO_IPV6 = 41
const IPV6_MULTICAST_HOPS = 18
const IPV6_MULTICAST_LOOP = 19
const SO_REUSEADDR = 2
const SO_REUSEPORT = 15
const MSG_DONTWAIT = 0x40
const MSG_TRUNC = 0x20

/** Where the layout of `struct mmsghdr` and the numbers above are known to hold: Linux, 64 bits, little-endian. */
const architectures = new Set(["x64", "arm64", "riscv64", "loong64"])

const signatures = {
  socket: { return: "i32", arguments: ["i32", "i32", "i32"] },
  bind: { return: "i32", arguments: ["i32", "pointer", "u32"] },
  setsockopt: { return: "i32", arguments: ["i32", "i32", "i32", "pointer", "u32"] },
  close: { return: "i32", arguments: ["i32"] },
  recvmmsg: { return: "i32", arguments: ["i32", "pointer", "u32", "i32", "pointer"] },
  sendmmsg: { return: "i32", arguments: ["i32", "pointer", "u32", "i32"] },
  __errno_location: { return: "pointer", arguments: [] }
} as const

/** Datagrams that came longer than their place have this among their flags. */
export const truncated = MSG_TRUNC

export interface SocketOptions {
  readonly family: "IPv4" | "IPv6"
  /** A `sockaddr_in` or `sockaddr_in6`, all of it. */
  readonly name: ArrayBuffer
  readonly reuseAddress: boolean
  readonly reusePort: boolean
}

/** System calls. Each is over when it returns: the system keeps no pointer. Failures are negative error numbers. */
export interface NodeDatagramLibc {
  /** The address of a buffer that is never resized, transferred, or kept in V8's heap. */
  readonly pointer: (buffer: ArrayBuffer) => bigint
  /** A bound socket. Whoever gets the descriptor closes it. */
  readonly open: (options: SocketOptions) => number
  /** Takes SO_REUSEADDR back: libuv sets it on every descriptor that it is handed. */
  readonly unshare: (fd: number) => number
  /** Of an IPv6 socket: libuv takes a descriptor that it is handed for one of IPv4. */
  readonly setMulticastHops: (fd: number, hops: number) => number
  readonly setMulticastLoop: (fd: number, enabled: boolean) => number
  readonly close: (fd: number) => void
  /** How many messages came; their real lengths are told even where there was no room. Never waits. */
  readonly receive: (fd: number, headers: bigint, count: number) => number
  /** How many messages left: at least one, or a failure, which is that of the first. Never waits. */
  readonly send: (fd: number, headers: bigint, count: number) => number
}

/** Loads it; throws where it cannot be had. */
export const load = (): NodeDatagramLibc => {
  if (process.platform !== "linux" || !architectures.has(process.arch) || os.endianness() !== "LE") {
    throw new Error(`${process.platform} on ${process.arch} is not known to it`)
  }
  const ffi = experimentalFfi()
  const { functions: c, lib } = ffi.dlopen(null, signatures)
  // One for each thread, and this one's as long as the thread lives.
  const errnoAt = c.__errno_location()
  const outcome = (result: number): number => (result < 0 ? -ffi.getInt32(errnoAt) : result)
  // An ArrayBuffer that is made as such is outside of V8's heap, and is never moved.
  const value = new Int32Array(new ArrayBuffer(4))
  const set = (fd: number, level: number, option: number, to: number) => {
    value[0] = to
    return outcome(c.setsockopt(fd, level, option, value.buffer, value.byteLength))
  }

  const configure = (fd: number, { name, reuseAddress, reusePort }: SocketOptions): number => {
    const failure =
      (reuseAddress ? set(fd, SOL_SOCKET, SO_REUSEADDR, 1) : 0) ||
      (reusePort ? set(fd, SOL_SOCKET, SO_REUSEPORT, 1) : 0)
    return failure || outcome(c.bind(fd, name, name.byteLength))
  }

  const libc: NodeDatagramLibc & { readonly lib: Ffi.DynamicLibrary } = {
    // Functions are good for as long as their library is.
    lib,
    pointer: (buffer) => ffi.getRawPointer(buffer),
    open: (options) => {
      const fd = outcome(c.socket(AF[options.family], SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0))
      if (fd < 0) return fd
      const failure = configure(fd, options)
      // 0 is standard input, had it been closed before: Node does not take it for a socket.
      if (failure === 0 && fd > 0) return fd
      c.close(fd)
      return failure
    },
    unshare: (fd) => set(fd, SOL_SOCKET, SO_REUSEADDR, 0),
    setMulticastHops: (fd, hops) => set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, hops),
    setMulticastLoop: (fd, enabled) => set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, enabled ? 1 : 0),
    close: (fd) => void c.close(fd),
    receive: (fd, headers, count) => outcome(c.recvmmsg(fd, headers, count, MSG_DONTWAIT | MSG_TRUNC, 0n)),
    send: (fd, headers, count) => outcome(c.sendmmsg(fd, headers, count, MSG_DONTWAIT))
  }
  return libc
}
