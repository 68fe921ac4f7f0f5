/**
 * Ways to send a datagram to the socket of a service manager (`$NOTIFY_SOCKET`, sd_notify(3)). Node has no UNIX datagram sockets, so:
 *
 * - the C library by `node:ffi`, where there is one: nothing is started, and the message is from this very process;
 * - else the program `systemd-notify`. It says who sent it only if it runs as root: with privileges dropped, the unit needs
 *   `NotifyAccess=all`.
 */
import * as childProcess from "node:child_process"
import * as os from "node:os"
import { getSystemErrorMap } from "node:util"
import * as Effect from "effect/Effect"
import * as Errno from "../reactor/Errno.ts"
import { experimentalFfi } from "./experimentalFfi.ts"

/** What a way could not do, or a sentence why there is none. */
export interface Unsent {
  readonly detail: string
  /** The operating system's name for it (`ECONNREFUSED`, ...), if it came from there. */
  readonly errno?: string | undefined
  readonly cause?: unknown
}

/** Sends one message. */
export type Sender = (message: string) => Effect.Effect<void, Unsent>

export interface Options {
  /** `$NOTIFY_SOCKET`: an absolute path, or `@` and a name that is in no file system (Linux). */
  readonly socket: string
  /** Which way. Default: the first that there is. */
  readonly way?: "ffi" | "program" | undefined
}

/** The way that there is; or why there is none. */
export const make = ({ socket, way }: Options): Sender | Unsent => {
  const problem = problemOf(socket)
  if (problem !== undefined) return { detail: problem }
  if (way === "program") return byProgram(socket)
  try {
    return byLibc(socket)
  } catch (cause) {
    return way === "ffi"
      ? { detail: cause instanceof Error ? cause.message : String(cause), cause }
      : byProgram(socket)
  }
}

/** `sun_path` */
const nameBytesMax = 108

const problemOf = (socket: string): string | undefined => {
  if (socket.startsWith("vsock")) return "sockets of virtual machines (vsock) are not supported"
  if (!/^[/@]./s.test(socket)) return "it is neither an absolute path nor a name after @"
  if (socket.includes("\0")) return "it holds a NUL character"
  // A path ends with NUL.
  const bytes = Buffer.byteLength(socket) + (socket.startsWith("/") ? 1 : 0)
  return bytes > nameBytesMax ? `it is longer than ${nameBytesMax} bytes` : undefined
}

// --- the C library ----------------------------------------------------------------------------------------

const AF_UNIX = 1
const SOCK_DGRAM = 2
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const MSG_NOSIGNAL = 0x4000

/** Where the numbers above, and the layout of `struct sockaddr_un`, are known to hold: Linux, 64 bits, little-endian. */
const architectures = new Set(["x64", "arm64", "riscv64", "loong64"])

const signatures = {
  socket: { return: "i32", arguments: ["i32", "i32", "i32"] },
  sendto: { return: "i64", arguments: ["i32", "pointer", "u64", "i32", "pointer", "u32"] },
  close: { return: "i32", arguments: ["i32"] },
  __errno_location: { return: "pointer", arguments: [] }
} as const

/** The manager's queue is full: it is starting many units at once. */
const fullPause = "50 millis"
const fullMax = 100

/** Throws where it cannot be had. */
const byLibc = (socket: string): Sender => {
  if (process.platform !== "linux" || !architectures.has(process.arch) || os.endianness() !== "LE") {
    throw new Error(`${process.platform} on ${process.arch} is not known to it`)
  }
  const ffi = experimentalFfi()
  const { functions: c, lib } = ffi.dlopen(null, signatures)
  const errnoAt = c.__errno_location()
  const name = nameOf(socket)
  /** 0, or a negative error number. */
  const sendOnce = (bytes: ArrayBuffer): number => {
    // Functions are good for as long as their library is.
    void lib
    const fd = c.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
    if (fd < 0) return -ffi.getInt32(errnoAt)
    const sent = c.sendto(fd, bytes, BigInt(bytes.byteLength), MSG_NOSIGNAL, name, name.byteLength)
    const outcome = sent < 0n ? -ffi.getInt32(errnoAt) : 0
    c.close(fd)
    return outcome
  }
  const send = (bytes: ArrayBuffer, tries: number): Effect.Effect<void, Unsent> =>
    Effect.suspend(() => {
      const outcome = sendOnce(bytes)
      if (outcome === 0) return Effect.void
      const [errno, detail] = getSystemErrorMap().get(outcome) ?? [String(outcome), `error ${-outcome}`]
      return errno === "EAGAIN" && tries < fullMax
        ? Effect.delay(send(bytes, tries + 1), fullPause)
        : Effect.fail({ detail, errno })
    })
  return (message) => send(fixed(Buffer.from(message)), 0)
}

/** In memory that is never moved: an ArrayBuffer that is made as such is outside of V8's heap. */
const fixed = (bytes: Uint8Array): ArrayBuffer => {
  const buffer = new ArrayBuffer(bytes.length)
  new Uint8Array(buffer).set(bytes)
  return buffer
}

/** A `sockaddr_un`. The name of an abstract socket begins with NUL, and its length tells where it ends. */
const nameOf = (socket: string): ArrayBuffer => {
  const path = socket.startsWith("@") ? `\0${socket.slice(1)}` : `${socket}\0`
  return fixed(Buffer.concat([Buffer.from(Uint16Array.of(AF_UNIX).buffer), Buffer.from(path)]))
}

// --- the program ------------------------------------------------------------------------------------------

/** It waits until the manager has read the message, as it must be there still to be known. */
const programMillisMax = 10_000

const byProgram =
  (socket: string): Sender =>
  (message) =>
    Effect.callback((resume) => {
      const child = childProcess.execFile(
        "systemd-notify",
        message.split("\n"),
        { env: { ...process.env, NOTIFY_SOCKET: socket }, timeout: programMillisMax },
        (cause, _, stderr) => {
          if (cause === null) return resume(Effect.void)
          const errno = Errno.codeOf(cause)
          const detail =
            errno === "ENOENT"
              ? "this Node has no node:ffi, and the program systemd-notify is not installed"
              : `systemd-notify: ${stderr.trim() || cause.message}`
          resume(Effect.fail({ detail, cause, ...(errno === "ENOENT" ? { errno } : {}) }))
        }
      )
      return Effect.sync(() => void child.kill("SIGKILL"))
    })
