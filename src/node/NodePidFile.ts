/**
 * A file that says which process is the daemon: its number and a newline, nothing else, so that `kill $(cat FILE)` works.
 * Twisted: `--pidfile`, `PIDFile`.
 *
 * A file whose process is gone is stale, and taken over. So is one whose number another process has by now: one that began after the
 * file was written. As clocks are set (a machine without one of its own first, and then by the network), that alone would take a
 * daemon for dead that runs; so the microseconds of the file's time of change carry a mark of the process, which is looked at first.
 */
import * as crypto from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Errno from "../reactor/Errno.ts"
import { AlreadyRunning, Contended, PidFileError } from "./NodePidFileError.ts"
import { isRunning, look, type Looked, reasonOf } from "./NodePidFileLook.ts"
import { startOf } from "./NodeProcessStart.ts"
import * as ProcessLink from "./ProcessLink.ts"

export {
  AlreadyRunning,
  Contended,
  Inaccessible,
  NotAPidFile,
  PidFileError,
  type PidFileReason
} from "./NodePidFileError.ts"

/** A pid file that names this process, until its scope ends. */
export interface PidFile {
  /** Absolute. */
  readonly path: string
  readonly pid: number
}

/** What a pid file says, and whether that process is still the one which was meant. */
export interface Found {
  readonly pid: number
  readonly state: "Running" | "Stale"
}

/** Everybody may know which process it is, whatever the umask. */
const mode = 0o644
const attemptsMax = 200
const attemptsPause = "10 millis"

/** The files of this process. They belong to it, and so does this. */
const held = new Set<string>()

/**
 * Takes the file for this process, until the scope ends. Of several that start at the same moment one gets it. Fails as
 * `AlreadyRunning` with the number of the process that has it, and as `NotAPidFile` where something else is there.
 *
 * The directory must exist. A relative path is one of the directory that the process is in now.
 */
export const acquire = (file: string): Effect.Effect<PidFile, PidFileError, Scope.Scope> =>
  owned(file, (absolute) => Effect.as(claimed(absolute), absolute))

/**
 * Takes the file over from the process `predecessor` in one step: at any moment it names one of the two. What the predecessor does
 * when it ends leaves it alone. For a restart that drops no connections; the predecessor runs meanwhile, so nobody else can take it.
 * Fails as `AlreadyRunning` where it names a third process that runs.
 */
export const replace = (
  file: string,
  predecessor: number
): Effect.Effect<PidFile, PidFileError, Scope.Scope> =>
  owned(file, (absolute) =>
    attempted(absolute, () => {
      const found = look(absolute)
      if (
        found !== undefined &&
        found !== "Writing" &&
        found.pid !== predecessor &&
        isRunning(found, held.has(absolute))
      ) {
        throw new AlreadyRunning({ pid: found.pid })
      }
      fs.renameSync(writeTemporary(absolute), absolute)
      held.add(absolute)
      return absolute
    })
  )

/** What a pid file says; `undefined` when there is none. */
export const read = (file: string): Effect.Effect<Found | undefined, PidFileError> =>
  Effect.suspend(() => {
    const absolute = path.resolve(file)
    return Effect.map(settled(absolute), (found): Found | undefined =>
      found === undefined
        ? undefined
        : { pid: found.pid, state: isRunning(found, held.has(absolute)) ? "Running" : "Stale" }
    )
  })

const owned = (
  file: string,
  take: (absolute: string) => Effect.Effect<string, PidFileError>
): Effect.Effect<PidFile, PidFileError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.suspend(() => take(path.resolve(file))).pipe(
      Effect.map((absolute): PidFile => ({ path: absolute, pid: process.pid }))
    ),
    (pidFile) => released(pidFile.path),
    { interruptible: true }
  )

// --- taking and leaving -----------------------------------------------------------------------------------

const claimed = Effect.fnUntraced(function* (file: string): Effect.fn.Return<void, PidFileError> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    if (yield* attempted(file, () => claim(file))) return
    const found = yield* settled(file)
    if (found === undefined) continue
    if (isRunning(found, held.has(file))) {
      return yield* new PidFileError({ path: file, reason: new AlreadyRunning({ pid: found.pid }) })
    }
    yield* attempted(file, () => breakStale(file, found))
    // Where somebody else is doing the same, he is given the time.
    if (attempt > 0) yield* Effect.sleep(attemptsPause)
  }
  return yield* new PidFileError({ path: file, reason: new Contended() })
})

/** File systems without hard links: FAT, and some of networks. */
const linkless = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"])

/** Makes the file, whole from its first moment; false when there is something already. */
const claim = (file: string): boolean => {
  const isOurs = claimLinked(file)
  if (isOurs) held.add(file)
  return isOurs
}

const claimLinked = (file: string): boolean => {
  const temporary = writeTemporary(file)
  try {
    fs.linkSync(temporary, file)
    return true
  } catch (error) {
    const errno = Errno.codeOf(error)
    if (errno === "EEXIST") return false
    if (linkless.has(errno)) return claimUnlinked(file)
    throw error
  } finally {
    fs.unlinkSync(temporary)
  }
}

/** The same, but empty in its first moment. */
const claimUnlinked = (file: string): boolean => {
  try {
    write(file)
    return true
  } catch (error) {
    if (Errno.codeOf(error) === "EEXIST") return false
    throw error
  }
}

/** Makes a file of ours that was not there. */
const write = (file: string): void => {
  const fd = fs.openSync(file, "wx", mode)
  try {
    fs.writeSync(fd, `${process.pid}\n`)
    fs.fchmodSync(fd, mode)
    const mark = startOf(process.pid)?.mark
    const seconds = Math.floor(Date.now() / 1_000)
    // Half a microsecond more: whatever rounds it, it stays in its microsecond.
    if (mark !== undefined) fs.futimesSync(fd, seconds, seconds + (mark + 0.5) / 1_000_000)
  } finally {
    fs.closeSync(fd)
  }
}

const temporaryOf = (file: string): string =>
  `${file}.${process.pid}-${crypto.randomBytes(6).toString("hex")}`

const writeTemporary = (file: string): string => {
  const temporary = temporaryOf(file)
  write(temporary)
  return temporary
}

/**
 * Removes a stale file, if it is still the one that was looked at. Several may find it; while the link stands whose name says which
 * one is to go, nobody else removes that one, and who comes later does not find it any more. See `ProcessLink.breakDead`.
 */
const breakStale = (file: string, stale: Looked): void => {
  const right = `${file}.${stale.identity}`
  if (!ProcessLink.take(right)) {
    const breaker = ProcessLink.read(right)
    if (typeof breaker === "number" && !ProcessLink.isHeld(right, breaker))
      ProcessLink.breakDead(right, breaker)
    return
  }
  try {
    const now = look(file)
    if (now !== undefined && now !== "Writing" && now.identity === stale.identity) fs.unlinkSync(file)
  } finally {
    fs.unlinkSync(right)
  }
}

/** Removes it if it names this process. A file that stays is stale from the process's end on, so that is no failure. */
const released = (file: string): Effect.Effect<void> =>
  attempted(file, () => {
    held.delete(file)
    if (!namesUs(file)) return
    const temporary = temporaryOf(file)
    fs.renameSync(file, temporary)
    // A successor may have put his there in between.
    if (!namesUs(temporary)) putBack(temporary, file)
    fs.unlinkSync(temporary)
  }).pipe(
    Effect.catch((error) =>
      Effect.logWarning(`${error.message}; it stays, and is stale when this process has ended`)
    )
  )

const namesUs = (file: string): boolean => {
  const found = look(file)
  return found !== undefined && found !== "Writing" && found.pid === process.pid
}

const putBack = (temporary: string, file: string): void => {
  try {
    fs.linkSync(temporary, file)
  } catch (error) {
    // Somebody newer is there.
    if (Errno.codeOf(error) !== "EEXIST") throw error
  }
}

/** What is there when nobody is writing it. */
const settled = Effect.fnUntraced(function* (
  file: string
): Effect.fn.Return<Looked | undefined, PidFileError> {
  for (;;) {
    const found = yield* attempted(file, () => look(file))
    if (found !== "Writing") return found
    yield* Effect.sleep(attemptsPause)
  }
})

const attempted = <A>(file: string, f: () => A): Effect.Effect<A, PidFileError> =>
  Effect.try({ try: f, catch: (cause) => new PidFileError({ path: file, reason: reasonOf(file, cause) }) })
