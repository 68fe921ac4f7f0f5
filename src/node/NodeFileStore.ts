/**
 * Files to be served, as Node has them: opened and looked at in one go, so that what was checked is what is sent. Effect's
 * `FileSystem` would need a call of the thread pool more for each of these, and blocks on a FIFO.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import type { PlatformError } from "effect/PlatformError"
import * as PlatformErrors from "effect/PlatformError"
import * as Scope from "effect/Scope"
import * as Errno from "../reactor/Errno.ts"
import { accompany } from "./ballast.ts"

export interface StoredInfo {
  /** `Link` is told by `look` only. */
  readonly kind: "File" | "Directory" | "Link" | "Other"
  readonly sizeBytes: number
  /** Since 1970. */
  readonly modifiedMillis: number
  /** Changes whenever the contents do, as far as the system tells: it becomes the entity tag. */
  readonly stamp: string
}

export interface OpenFile extends StoredInfo {
  /** Where it is, without links. */
  readonly realPath: string
  /** Up to so many bytes from there; none behind the end. They are the reader's. */
  readonly read: (offset: number, bytesMax: number) => Effect.Effect<Uint8Array<ArrayBuffer>, PlatformError>
}

/** What is asked of a file system by those who serve files. Paths are the system's own. */
export interface FileStore {
  /** Names such as `CON` and `a.` mean something else than they say. */
  readonly isWindows: boolean
  readonly separator: string
  /** Absolute, and without links. */
  readonly realPath: (path: string) => Effect.Effect<string, PlatformError>
  /** Until the scope ends. Opens directories, too; never waits for somebody at the other end of a FIFO. */
  readonly open: (path: string) => Effect.Effect<OpenFile, PlatformError, Scope.Scope>
  /** The names in a directory, in no order. */
  readonly list: (path: string) => Effect.Effect<ReadonlyArray<string>, PlatformError>
  /** Without following links. */
  readonly look: (path: string) => Effect.Effect<StoredInfo, PlatformError>
}

const tags: Readonly<Record<string, PlatformErrors.SystemErrorTag>> = {
  ENOENT: "NotFound",
  ENOTDIR: "NotFound",
  ENAMETOOLONG: "NotFound",
  ELOOP: "NotFound",
  EINVAL: "NotFound",
  // A socket, or a device without a driver.
  ENXIO: "NotFound",
  ENODEV: "NotFound",
  EACCES: "PermissionDenied",
  EPERM: "PermissionDenied"
}

const errorOf = (method: string, file: string, cause: unknown): PlatformError =>
  PlatformErrors.systemError({
    _tag: tags[Errno.codeOf(cause)] ?? "Unknown",
    module: "FileStore",
    method,
    description: Errno.codeOf(cause),
    pathOrDescriptor: file,
    cause
  })

type Callback<A> = (error: Error | null, value: A) => void

const call = <A>(
  method: string,
  file: string,
  begin: (done: Callback<A>) => void
): Effect.Effect<A, PlatformError> =>
  Effect.callback<A, PlatformError>((resume) => {
    begin((error, value) =>
      resume(error === null ? Effect.succeed(value) : Effect.fail(errorOf(method, file, error)))
    )
  })

const infoOf = (stats: fs.BigIntStats): StoredInfo => ({
  kind: stats.isFile()
    ? "File"
    : stats.isDirectory()
      ? "Directory"
      : stats.isSymbolicLink()
        ? "Link"
        : "Other",
  sizeBytes: Number(stats.size),
  modifiedMillis: Number(stats.mtimeMs),
  stamp: `${stats.ino.toString(36)}-${stats.size.toString(36)}-${stats.mtimeNs.toString(36)}`
})

const { O_NOCTTY = 0, O_NONBLOCK = 0, O_RDONLY } = fs.constants

interface Opened {
  /** `undefined`: it may not be opened, as directories of some systems. */
  readonly descriptor: number | undefined
  readonly info: StoredInfo
  readonly realPath: string
}

/** The name of what is open is the kernel's where it tells, and else looked up and compared. */
const openIt = (file: string, done: Callback<Opened>): void => {
  fs.open(file, O_RDONLY | O_NONBLOCK | O_NOCTTY, (error, descriptor) => {
    if (error !== null) return unopened(file, error, done)
    const fail = (error: Error) => fs.close(descriptor, () => done(error, undefined as never))
    fs.fstat(descriptor, { bigint: true }, (error, stats) => {
      if (error !== null) return fail(error)
      const succeed = (realPath: string) => done(null, { descriptor, info: infoOf(stats), realPath })
      if (!namesDescriptors) return same(file, stats, fail, succeed)
      fs.readlink(`/proc/self/fd/${descriptor}`, (error, realPath) =>
        error === null && realPath.startsWith("/") ? succeed(realPath) : same(file, stats, fail, succeed)
      )
    })
  })
}

const namesDescriptors = process.platform === "linux"

const same = (
  file: string,
  stats: fs.BigIntStats,
  fail: (error: Error) => void,
  succeed: (realPath: string) => void
): void =>
  fs.realpath.native(file, (error, realPath) => {
    if (error !== null) return fail(error)
    fs.stat(realPath, { bigint: true }, (error, again) => {
      if (error !== null) return fail(error)
      if (again.ino === stats.ino && again.dev === stats.dev) return succeed(realPath)
      fail(Object.assign(new Error("it was replaced meanwhile"), { code: "ENOENT" }))
    })
  })

/** A directory that may be passed through, but not be read, is still one; Windows opens none. */
const unopened = (file: string, error: Error, done: Callback<Opened>): void => {
  const fail = () => done(error, undefined as never)
  const code = Errno.codeOf(error)
  if (code !== "EACCES" && code !== "EPERM" && code !== "EISDIR") return fail()
  fs.stat(file, { bigint: true }, (failure, stats) => {
    if (failure !== null || !stats.isDirectory()) return fail()
    fs.realpath.native(file, (failure, realPath) =>
      failure === null ? done(null, { descriptor: undefined, info: infoOf(stats), realPath }) : fail()
    )
  })
}

const closed = (descriptor: number): Effect.Effect<void> =>
  Effect.callback<void>((resume) => fs.close(descriptor, () => resume(Effect.void)))

const noBytes = new Uint8Array(0)

const readOf =
  (descriptor: number, file: string): OpenFile["read"] =>
  (offset, bytesMax) =>
    Effect.suspend(() => {
      if (bytesMax === 0) return Effect.succeed(noBytes)
      accompany(bytesMax)
      // Only what was read of it is handed out.
      const bytes = Buffer.allocUnsafeSlow(bytesMax) as Uint8Array<ArrayBuffer>
      return Effect.map(
        call<number>("read", file, (done) => fs.read(descriptor, bytes, 0, bytesMax, offset, done)),
        (count) => (count === bytesMax ? bytes : bytes.subarray(0, count))
      )
    })

const open = (file: string): Effect.Effect<OpenFile, PlatformError, Scope.Scope> =>
  // Whatever happens meanwhile, what was opened is closed.
  Effect.uninterruptible(
    Effect.flatMap(Effect.scope, (scope) =>
      Effect.flatMap(
        call<Opened>("open", file, (done) => openIt(file, done)),
        ({ descriptor, info, realPath }) => {
          if (descriptor === undefined)
            return Effect.succeed({ ...info, realPath, read: () => Effect.succeed(noBytes) })
          return Effect.as(Scope.addFinalizer(scope, closed(descriptor)), {
            ...info,
            realPath,
            read: readOf(descriptor, file)
          })
        }
      )
    )
  )

export const make: FileStore = {
  isWindows: process.platform === "win32",
  separator: path.sep,
  realPath: (file) => call("realPath", file, (done) => fs.realpath.native(file, done)),
  open,
  list: (file) => call<ReadonlyArray<string>>("list", file, (done) => fs.readdir(file, done)),
  look: (file) =>
    Effect.map(
      call<fs.BigIntStats>("look", file, (done) => fs.lstat(file, { bigint: true }, done)),
      infoOf
    )
}
