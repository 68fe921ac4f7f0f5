/**
 * What passing descriptors takes of the C library and of libuv, by `node:ffi`, which is experimental: loaded only when it is asked
 * for. Node itself reads a UNIX socket without the descriptors that come on it, and they are closed by the kernel; its IPC
 * channels take them, but assert that they are sockets or pipes: a peer that sends a file ends the process.
 *
 * So the socket is read by `recvmsg` and written by `sendmsg`, and libuv only tells when (`uv_poll_t`, in this thread's loop).
 */
import type * as Ffi from "node:ffi"
import { endianness } from "node:os"
import { isMainThread } from "node:worker_threads"
import { experimentalFfi } from "./experimentalFfi.ts"

const F_DUPFD_CLOEXEC = 1030
const SHUT_WR = 1
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const MSG_CMSG_CLOEXEC = 0x40000000
const MSG_CTRUNC = 8
const UV_POLL = 8
export const READABLE = 1
export const WRITABLE = 2

/** The kernel takes this many with one message (SCM_MAX_FD). */
export const descriptorsPerMessageMax = 253
export const bytesPerCallMax = 65_536
const controlBytes = 16 + 4 * 256
const cmsgHeaderBytes = 16

/** Where the layouts below hold: Linux, 64 bits, little-endian. */
const architectures = new Set(["x64", "arm64", "riscv64", "loong64"])

const signatures = {
  sendmsg: { return: "i64", arguments: ["i32", "pointer", "i32"] },
  recvmsg: { return: "i64", arguments: ["i32", "pointer", "i32"] },
  fcntl: { return: "i32", arguments: ["i32", "i32", "i32"] },
  shutdown: { return: "i32", arguments: ["i32", "i32"] },
  close: { return: "i32", arguments: ["i32"] },
  __errno_location: { return: "pointer", arguments: [] },
  uv_handle_size: { return: "u64", arguments: ["i32"] },
  uv_poll_init: { return: "i32", arguments: ["pointer", "pointer", "i32"] },
  uv_poll_start: { return: "i32", arguments: ["pointer", "i32", "pointer"] },
  uv_poll_stop: { return: "i32", arguments: ["pointer"] },
  uv_close: { return: "void", arguments: ["pointer", "pointer"] }
} as const

export interface Received {
  /** 0 at the end of input; a negative error number. */
  readonly size: number
  /** Copied out. */
  readonly bytes: Uint8Array
  readonly descriptors: ReadonlyArray<number>
  /** There were more than the process may have. */
  readonly truncated: boolean
}

/** Tells when a descriptor is ready. */
export interface Poll {
  /** Of `READABLE` and `WRITABLE`; 0 to be told nothing. */
  readonly watch: (events: number) => void
  /** Tells nothing any more; the descriptor may be closed then. */
  readonly close: (closed: () => void) => void
}

/** System calls; none waits. Failures are negative error numbers. */
export interface NodeDescriptorLibc {
  /** A copy, with numbers from 3 on. */
  readonly duplicate: (fd: number) => number
  readonly close: (fd: number) => void
  /** Ends the sending side. */
  readonly endSending: (fd: number) => number
  /** How many of the bytes left, at most 65,536; with them, if at least one did, all the descriptors. */
  readonly send: (fd: number, bytes: Uint8Array, descriptors: ReadonlyArray<number>) => number
  readonly receive: (fd: number) => Received
  /** `ready` is called in the check phase of the loop. Throws when libuv has this descriptor already. */
  readonly poll: (fd: number, ready: (events: number) => void) => Poll
}

let loaded: NodeDescriptorLibc | undefined

/** Loads it, once; throws where it cannot be had. */
export const load = (): NodeDescriptorLibc => (loaded ??= make())

const make = (): NodeDescriptorLibc => {
  if (process.platform !== "linux" || !architectures.has(process.arch) || endianness() !== "LE") {
    throw new Error(`${process.platform} on ${process.arch} is not known to it`)
  }
  // Node closes the loop of a thread that ends, and asserts that nothing is left on it.
  if (!isMainThread) throw new Error("only the main thread has it")
  const ffi = experimentalFfi()
  const { functions: c, lib } = ffi.dlopen(null, signatures)
  const errnoAt = c.__errno_location()
  const outcome = (result: number | bigint): number => {
    const value = Number(result)
    return value < 0 ? -ffi.getInt32(errnoAt) : value
  }

  // One message at a time: all of it is read or copied out before the next one.
  const data = new Uint8Array(new ArrayBuffer(bytesPerCallMax))
  const control = new DataView(new ArrayBuffer(controlBytes))
  const vector = new DataView(new ArrayBuffer(16))
  const header = new DataView(new ArrayBuffer(56))
  const at = (view: ArrayBufferView) => ffi.getRawPointer(view.buffer as ArrayBuffer)
  const headerAt = at(header)
  vector.setBigUint64(0, at(data), true)
  header.setBigUint64(16, at(vector), true)
  header.setBigUint64(24, 1n, true)
  header.setBigUint64(32, at(control), true)
  const prepare = (bytes: number, controlLength: number): void => {
    vector.setBigUint64(8, BigInt(bytes), true)
    header.setBigUint64(40, BigInt(controlLength), true)
    header.setInt32(48, 0, true)
  }

  const descriptorsIn = (): ReadonlyArray<number> => {
    const found: Array<number> = []
    const length = Number(header.getBigUint64(40, true))
    for (let offset = 0; offset + cmsgHeaderBytes <= length;) {
      const size = Number(control.getBigUint64(offset, true))
      if (size < cmsgHeaderBytes) break
      const rights =
        control.getInt32(offset + 8, true) === SOL_SOCKET &&
        control.getInt32(offset + 12, true) === SCM_RIGHTS
      const end = Math.min(offset + size, length)
      for (let each = offset + cmsgHeaderBytes; rights && each + 4 <= end; each += 4) {
        found.push(control.getInt32(each, true))
      }
      offset += (size + 7) & ~7
    }
    return found
  }

  // Handles by their address: libuv calls with nothing else. Their memory stays as long as they are in here.
  const polls = new Map<
    bigint,
    { readonly memory: ArrayBuffer; ready: (events: number) => void; due: number }
  >()
  const closings = new Map<bigint, () => void>()
  const onPoll = lib.registerCallback(
    { return: "void", arguments: ["pointer", "i32", "i32"] },
    (address, status, events) => {
      const poll = polls.get(address as bigint)
      if (poll === undefined) return
      // Node's own callbacks run microtasks and ticks behind them; this one does not: that is left to the check phase.
      if (poll.due === 0) {
        setImmediate(() => {
          const due = poll.due
          poll.due = 0
          poll.ready(due)
        })
      }
      // An error shows in the call that is made then.
      poll.due |= status < 0 ? READABLE | WRITABLE : events
    }
  )
  const onClosed = lib.registerCallback({ return: "void", arguments: ["pointer"] }, (address) => {
    // A pointer comes as a number.
    const handle = address as bigint
    polls.delete(handle)
    const closed = closings.get(handle)
    closings.delete(handle)
    if (closed !== undefined) setImmediate(closed)
  })

  const libc: NodeDescriptorLibc & { readonly lib: Ffi.DynamicLibrary } = {
    // Functions and callbacks are good for as long as their library is.
    lib,
    duplicate: (fd) => outcome(c.fcntl(fd, F_DUPFD_CLOEXEC, 3)),
    close: (fd) => void c.close(fd),
    endSending: (fd) => outcome(c.shutdown(fd, SHUT_WR)),
    send: (fd, bytes, descriptors) => {
      const size = Math.min(bytes.length, bytesPerCallMax)
      data.set(size === bytes.length ? bytes : bytes.subarray(0, size))
      const length = cmsgHeaderBytes + 4 * descriptors.length
      if (descriptors.length > 0) {
        control.setBigUint64(0, BigInt(length), true)
        control.setInt32(8, SOL_SOCKET, true)
        control.setInt32(12, SCM_RIGHTS, true)
        descriptors.forEach((descriptor, i) => control.setInt32(cmsgHeaderBytes + 4 * i, descriptor, true))
      }
      prepare(size, descriptors.length === 0 ? 0 : (length + 7) & ~7)
      return outcome(c.sendmsg(fd, headerAt, MSG_DONTWAIT | MSG_NOSIGNAL))
    },
    receive: (fd) => {
      prepare(bytesPerCallMax, controlBytes)
      const size = outcome(c.recvmsg(fd, headerAt, MSG_DONTWAIT | MSG_CMSG_CLOEXEC))
      if (size < 0) return { size, bytes: data.subarray(0, 0), descriptors: [], truncated: false }
      return {
        size,
        bytes: data.slice(0, size),
        descriptors: descriptorsIn(),
        truncated: (header.getInt32(48, true) & MSG_CTRUNC) !== 0
      }
    },
    poll: (fd, ready) => {
      const memory = new ArrayBuffer(Number(c.uv_handle_size(UV_POLL)))
      const handle = ffi.getRawPointer(memory)
      const code = c.uv_poll_init(ffi.getCurrentEventLoop(), handle, fd)
      if (code !== 0) throw new Error(`uv_poll_init: ${code}`)
      const entry = { memory, ready, due: 0 }
      polls.set(handle, entry)
      return {
        watch: (events) =>
          void (events === 0 ? c.uv_poll_stop(handle) : c.uv_poll_start(handle, events, onPoll)),
        close: (closed) => {
          entry.ready = () => {}
          closings.set(handle, closed)
          c.uv_close(handle, onClosed)
        }
      }
    }
  }
  return libc
}
