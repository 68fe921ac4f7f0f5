/**
 * The file of a listening UNIX socket: made so that it is never there without its permissions, never instead of
 * something else, and never removed when it is somebody else's.
 *
 * The socket is bound in a directory of its own, which nobody else may enter, gets its mode there, and is then linked to its
 * name: a link fails when something is there. (`umask` would do for the mode, but belongs to the whole process, its other
 * threads' files included. And libuv removes what it has bound by its name, whatever is there by then: bound elsewhere,
 * it finds nothing to remove.)
 */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import * as Errno from "../reactor/Errno.ts"
import type { ListenReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import { isTooLong, unixError } from "./unixError.ts"
import { whoListens } from "./whoListens.ts"

/** A reason that was thrown is a reason; the rest comes from the system. */
export const reasonOf =
  (file: string) =>
  (error: unknown): ListenReason =>
    error instanceof Reason.AddressInUse || error instanceof Reason.BadFile
      ? error
      : Errno.listenReason(unixError(file, error))

const attempted = <A>(file: string, f: () => A): Effect.Effect<A, ListenReason> =>
  Effect.try({ try: f, catch: reasonOf(file) })

// --- what is there already ------------------------------------------------------------------------------

/**
 * Makes sure that nothing is there. With `replace` a socket left behind is removed: one of ours, on which nobody listens.
 * Anything else is left alone, and is the failure.
 */
export const clear = Effect.fnUntraced(function* (
  file: string,
  replace: boolean
): Effect.fn.Return<void, ListenReason> {
  const found = yield* attempted(file, () => look(file))
  if (found === undefined) return
  if (!found.isSocket() || !replace) return yield* Effect.fail(occupied(file, found))
  switch (yield* whoListens(file)) {
    case "NoFile":
      return
    case "Somebody":
      return yield* Effect.fail(inUse("somebody already listens there"))
    case "Unknown":
      return yield* Effect.fail(inUse(`${file} is a socket of which it is not known whether it is used`))
    case "Nobody":
      if (found.uid !== process.geteuid?.()) {
        return yield* Effect.fail(inUse(`${file} was left behind by another user`))
      }
      return yield* attempted(file, () => removeStale(file, found))
  }
})

const look = (file: string): fs.Stats | undefined => fs.lstatSync(file, { throwIfNoEntry: false })

const isSame = (a: fs.Stats, b: fs.Stats): boolean => a.dev === b.dev && a.ino === b.ino

/** Moved aside first: what is removed is what was looked at, and nothing that came meanwhile. */
const removeStale = (file: string, found: fs.Stats): void => {
  const directory = privateDirectory(file)
  const aside = path.join(directory, "stale")
  try {
    fs.renameSync(file, aside)
    const moved = fs.lstatSync(aside)
    if (!isSame(moved, found)) {
      fs.linkSync(aside, file)
      throw occupied(file, moved)
    }
  } catch (error) {
    if (Errno.codeOf(error) !== "ENOENT") throw error
  } finally {
    fs.rmSync(directory, { recursive: true, force: true })
  }
}

const occupied = (file: string, found: fs.Stats): ListenReason =>
  found.isSocket()
    ? inUse("there is a socket file already")
    : new Reason.BadFile({ detail: `${file} is ${kindOf(found)}, and is left alone`, errno: "EADDRINUSE" })

const kindOf = (found: fs.Stats): string => {
  if (found.isSymbolicLink()) return "a symbolic link"
  if (found.isDirectory()) return "a directory"
  return found.isFile() ? "a regular file" : "not a socket"
}

const inUse = (detail: string) => new Reason.AddressInUse({ detail, errno: "EADDRINUSE" })

const privateDirectory = (file: string): string => fs.mkdtempSync(path.join(path.dirname(file), ".spindle-"))

// --- ours -----------------------------------------------------------------------------------------------

/** A socket file on its way to its name. */
export class UnixSocketFile {
  /** Where to bind the socket. */
  readonly bindPath: string
  private readonly file: string
  private readonly directory: string
  private readonly born: string
  /** Of the directory, while the socket is bound by way of it. */
  private descriptor: number | undefined = undefined

  /** @throws what the system says, or a reason */
  constructor(file: string) {
    this.file = file
    this.directory = privateDirectory(file)
    const plain = path.join(this.directory, path.basename(file))
    if (!isTooLong(plain)) {
      this.born = plain
      this.bindPath = plain
      return
    }
    // The longest names leave no room for a directory more. Linux has another way to one, and a short one.
    this.born = path.join(this.directory, ".spindle.sock")
    try {
      if (process.platform !== "linux") throw tooLong(this.born)
      this.descriptor = fs.openSync(this.directory, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY)
      this.bindPath = `/proc/self/fd/${this.descriptor}/.spindle.sock`
    } catch (error) {
      this.discard()
      throw error
    }
  }

  /** The socket is bound: gives it its mode, then its name. */
  place(mode: number): PlacedSocketFile {
    try {
      fs.chmodSync(this.born, mode)
      this.link()
      return new PlacedSocketFile(this.file)
    } finally {
      this.discard()
    }
  }

  private link(): void {
    try {
      fs.linkSync(this.born, this.file)
    } catch (error) {
      const found = look(this.file)
      if (found !== undefined) throw occupied(this.file, found)
      // A file system without links.
      if (!linkless.has(Errno.codeOf(error))) throw error
      fs.renameSync(this.born, this.file)
    }
  }

  /** Takes away the directory. Idempotent. */
  discard(): void {
    if (this.descriptor !== undefined) fs.closeSync(this.descriptor)
    this.descriptor = undefined
    fs.rmSync(this.directory, { recursive: true, force: true })
  }
}

/** A socket file that has its name. */
export class PlacedSocketFile {
  private readonly file: string
  private readonly stats: fs.Stats | undefined

  /** What is there now is meant. */
  constructor(file: string) {
    this.file = file
    this.stats = look(file)
  }

  /** Changes its permissions, if they are others. */
  setMode(mode: number): void {
    try {
      if (this.stats?.isSocket() === true && (this.stats.mode & 0o7777) !== mode)
        fs.chmodSync(this.file, mode)
    } catch {
      // It went meanwhile, or is not ours to change.
    }
  }

  /** Removes it, if it still is that one. Call it while the socket is open, so that no other can have its number. */
  remove(): void {
    try {
      const found = look(this.file)
      if (this.stats?.isSocket() === true && found !== undefined && isSame(found, this.stats)) {
        fs.unlinkSync(this.file)
      }
    } catch {
      // Its directory went before us, or is no longer ours to write.
    }
  }
}

const linkless = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"])

const tooLong = (file: string) =>
  new Reason.BadFile({
    detail: `the name of the socket file is too long: it is made as ${file}`,
    errno: "ENAMETOOLONG"
  })
