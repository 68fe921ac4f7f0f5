/**
 * Who owns a socket file: `FILE.lock`, a symbolic link to the number of the process, as Twisted's `FilesystemLock` makes it.
 * A link is made whole or not at all, and has no contents to be half written.
 */
import * as fs from "node:fs"
import * as Effect from "effect/Effect"
import * as Errno from "../reactor/Errno.ts"
import type { ListenReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import { unixError } from "./unixError.ts"
import { whoListens } from "./whoListens.ts"

/** Each attempt more means that somebody took or left the lock in the middle of ours. */
const attemptsMax = 100

export const lockOf = (file: string): string => `${file}.lock`

/** A lock that this process holds. */
export class UnixLock {
  readonly file: string

  private constructor(file: string) {
    this.file = file
  }

  /**
   * Takes the lock of a socket file; one whose process is gone is broken. Fails as `AddressInUse` while its process lives,
   * and as `BadFile` when what is there is no lock, which is then left alone.
   */
  static readonly acquire = Effect.fnUntraced(function* (
    file: string
  ): Effect.fn.Return<UnixLock, ListenReason> {
    const lock = lockOf(file)
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      if (yield* attempted(file, () => take(lock))) return new UnixLock(lock)
      const owner = yield* attempted(file, () => read(lock))
      if (owner === undefined) continue
      if (typeof owner === "string") return yield* Effect.fail(noLock(lock, owner))
      if (isAlive(owner) && !(yield* isOfFormerLife(file, owner)))
        return yield* Effect.fail(held(lock, owner))
      yield* attempted(file, () => breakLock(lock, owner))
    }
    return yield* Effect.fail(inUse(`${lock} is taken and left all the time`))
  })

  /** Idempotent. A lock that somebody else has taken meanwhile is his. */
  release(): void {
    try {
      if (read(this.file) === process.pid) fs.unlinkSync(this.file)
    } catch {
      // It, or its directory, went before us.
    }
  }
}

/** Whether a live process holds the lock of a socket file. Twisted: `isLocked`. */
export const isHeld = (file: string): boolean => {
  try {
    const owner = read(lockOf(file))
    return typeof owner === "number" && isAlive(owner)
  } catch {
    return false
  }
}

/** Why a client that asks for a lock (`UnixClient.lock`) shall not connect, if so. */
export const notHeld = (file: string): Reason.BadFile | undefined =>
  isHeld(file)
    ? undefined
    : new Reason.BadFile({ detail: `no live process holds ${lockOf(file)}`, errno: "ENOENT" })

const take = (lock: string): boolean => {
  try {
    fs.symlinkSync(String(process.pid), lock)
    return true
  } catch (error) {
    if (Errno.codeOf(error) === "EEXIST") return false
    throw error
  }
}

/** The process that a lock names, what it says if that is none, or undefined when there is no lock. */
const read = (lock: string): number | string | undefined => {
  try {
    const text = fs.readlinkSync(lock)
    // 0 and less are not processes but groups of them.
    return /^[1-9][0-9]{0,9}$/.test(text) ? Number(text) : `leads to "${text}"`
  } catch (error) {
    if (Errno.codeOf(error) === "ENOENT") return undefined
    if (Errno.codeOf(error) === "EINVAL") return "is no symbolic link"
    throw error
  }
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it lives, and is somebody else's.
    return Errno.codeOf(error) !== "ESRCH"
  }
}

/**
 * In a container the same program has the same number after each start, so that a lock left behind by a crash seems to be
 * our own. It is not when it is older than this process, and nobody listens.
 */
const isOfFormerLife = (file: string, owner: number): Effect.Effect<boolean> => {
  if (owner !== process.pid) return Effect.succeed(false)
  const made = fs.lstatSync(lockOf(file), { throwIfNoEntry: false })?.mtimeMs
  const started = Date.now() - process.uptime() * 1_000
  if (made === undefined || made >= started) return Effect.succeed(false)
  return Effect.map(whoListens(file), (who) => who === "Nobody" || who === "NoFile")
}

let broken = 0

/**
 * Takes a dead process's lock out of the way. Two may find it dead at once, and the slower one must not take away what
 * the faster one has put there: so it is moved aside, looked at again, and put back if it is another one. Should a third
 * have come in between, its lock and the one put back name two processes that both believe in theirs; which of them listens
 * is decided by the socket file, which only one can make.
 */
const breakLock = (lock: string, owner: number): void => {
  const aside = `${lock}.${process.pid}.${++broken}`
  try {
    fs.renameSync(lock, aside)
  } catch (error) {
    if (Errno.codeOf(error) === "ENOENT") return
    throw error
  }
  const moved = read(aside)
  if (moved !== owner && moved !== undefined) {
    try {
      if (typeof moved === "number") fs.symlinkSync(String(moved), lock)
      else fs.linkSync(aside, lock)
    } catch (error) {
      if (Errno.codeOf(error) !== "EEXIST") throw error
    }
  }
  fs.unlinkSync(aside)
}

const attempted = <A>(file: string, f: () => A): Effect.Effect<A, ListenReason> =>
  Effect.try({ try: f, catch: (error) => Errno.listenReason(unixError(file, error)) })

const inUse = (detail: string) => new Reason.AddressInUse({ detail, errno: "EADDRINUSE" })
const held = (lock: string, owner: number) => inUse(`process ${owner} holds ${lock}`)
const noLock = (lock: string, what: string) =>
  new Reason.BadFile({ detail: `${lock} is not a lock: it ${what}`, errno: "EEXIST" })
