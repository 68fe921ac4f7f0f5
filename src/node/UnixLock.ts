/** Who owns a socket file: `FILE.lock`, a symbolic link to the number of the process. */
import * as Effect from "effect/Effect"
import * as Errno from "../reactor/Errno.ts"
import type { ListenReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import * as ProcessLink from "./ProcessLink.ts"
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
      if (yield* attempted(file, () => ProcessLink.take(lock))) return new UnixLock(lock)
      const owner = yield* attempted(file, () => ProcessLink.read(lock))
      if (owner === undefined) continue
      if (typeof owner === "string") return yield* Effect.fail(noLock(lock, owner))
      if (ProcessLink.isAlive(owner) && !(yield* isOfFormerLife(file, owner)))
        return yield* Effect.fail(held(lock, owner))
      yield* attempted(file, () => ProcessLink.breakDead(lock, owner))
    }
    return yield* Effect.fail(inUse(`${lock} is taken and left all the time`))
  })

  /** Takes it over from its process, which gives it: at any moment it names one of the two. Throws what the file system does. */
  static takeOver(file: string): UnixLock {
    const lock = lockOf(file)
    ProcessLink.takeOver(lock)
    return new UnixLock(lock)
  }

  /** Takes it back from the process that has taken it over. Throws what the file system does. */
  reclaim(): void {
    ProcessLink.takeOver(this.file)
  }

  /** Idempotent. A lock that somebody else has taken meanwhile is his. */
  release(): void {
    try {
      ProcessLink.release(this.file)
    } catch {
      // It, or its directory, went before us.
    }
  }
}

/** Whether a live process holds the lock of a socket file. Twisted: `isLocked`. */
export const isHeld = (file: string): boolean => {
  try {
    const lock = lockOf(file)
    const owner = ProcessLink.read(lock)
    return typeof owner === "number" && ProcessLink.isHeld(lock, owner)
  } catch {
    return false
  }
}

/** Why a client that asks for a lock (`UnixClient.lock`) shall not connect, if so. */
export const notHeld = (file: string): Reason.BadFile | undefined =>
  isHeld(file)
    ? undefined
    : new Reason.BadFile({ detail: `no live process holds ${lockOf(file)}`, errno: "ENOENT" })

/** Whether a lock with our own number is an earlier process's: it is older than this one, and nobody listens. */
const isOfFormerLife = (file: string, owner: number): Effect.Effect<boolean> => {
  if (owner !== process.pid || !ProcessLink.isOlderThanThisProcess(lockOf(file))) return Effect.succeed(false)
  return Effect.map(whoListens(file), (who) => who === "Nobody" || who === "NoFile")
}

const attempted = <A>(file: string, f: () => A): Effect.Effect<A, ListenReason> =>
  Effect.try({ try: f, catch: (error) => Errno.listenReason(unixError(file, error)) })

const inUse = (detail: string) => new Reason.AddressInUse({ detail, errno: "EADDRINUSE" })
const held = (lock: string, owner: number) => inUse(`process ${owner} holds ${lock}`)
const noLock = (lock: string, what: string) =>
  new Reason.BadFile({ detail: `${lock} is not a lock: it ${what}`, errno: "EEXIST" })
