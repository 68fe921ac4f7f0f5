/**
 * Users of a file (`PasswordFileWire` has its grammar), read again when it has changed. Twisted: `FilePasswordDB` with `cache`.
 *
 * ```ts check
 * import { PasswordFile } from "spindle/auth"
 *
 * const users = PasswordFile.checker({ path: "/etc/app/passwords" })
 * ```
 */
import type { SecureRandom } from "effect/crypto/SecureRandom"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import type { Fault } from "../reactor/Reason.ts"
import { visible } from "../result/VisibleText.ts"
import type * as Checker from "./Checker.ts"
import { KeyDerivation } from "./KeyDerivation.ts"
import { checkerFailed, type LoginError } from "./LoginError.ts"
import { supported } from "./PasswordHash.ts"
import * as Wire from "./PasswordFileWire.ts"
import type { StoredPassword } from "./StoredPassword.ts"
import * as UserStore from "./UserStore.ts"

export interface Options extends Wire.Options, UserStore.Options {
  readonly path: string
  /** More is not read. Default: 16 MiB. */
  readonly bytesMax?: number | undefined
  /**
   * What to do with lines that nobody can log in by, when the file is first read: `fail`, or `warn` and go on. Later ones are
   * always warned of. Default: `fail`.
   */
  readonly onProblem?: "fail" | "warn" | undefined
}

/** The file cannot be read, or has lines that nobody can log in by. */
export class PasswordFileError extends Data.TaggedError("PasswordFileError")<{
  readonly path: string
  readonly detail: string
  readonly problems: ReadonlyArray<Wire.Problem>
  readonly cause?: unknown
}> {
  readonly fault: Fault = "Local"
  override get message(): string {
    const lines = this.problems
      .slice(0, 5)
      .map(({ detail, line }) => `\n  ${line === undefined ? "" : `line ${line}: `}${visible(detail)}`)
    const more = this.problems.length > 5 ? `\n  and ${this.problems.length - 5} more` : ""
    return `password file ${visible(this.path)}: ${this.detail}${lines.join("")}${more}`
  }
}

interface Read extends Wire.Entries {
  /** What changes when the file does: size, time of its last change, inode, mode. */
  readonly mark: string
}

/** Whom the system lets at it besides, where it is everybody. */
const exposureOf = (mark: string): string | undefined => {
  const mode = Number(mark.split(" ").at(-1))
  if ((mode & 0o002) !== 0) return "everybody on this machine can write it, and be anybody here"
  return (mode & 0o004) !== 0 ? "everybody on this machine can read it" : undefined
}

const bytesMaxDefault = 16 * 1024 * 1024

/** The users of a file. It must be there when this is made; when it is gone later, nobody can log in until it is back. */
export const make = Effect.fn("PasswordFile.make")(function* (
  options: Options
): Effect.fn.Return<UserStore.UserStore, PasswordFileError, FileSystem.FileSystem | KeyDerivation> {
  const fs = yield* FileSystem.FileSystem
  const derivation = yield* KeyDerivation
  const { path } = options
  const failed = (detail: string, cause?: unknown) =>
    new PasswordFileError({ path, detail, problems: [], cause })

  const markOf = Effect.mapError(
    Effect.map(
      fs.stat(path),
      ({ ino, mode, mtime, size }) =>
        `${size} ${Option.match(mtime, { onNone: () => "", onSome: (at) => at.getTime() })} ${Option.getOrElse(ino, () => "")} ${mode}`
    ),
    (cause) => failed("it cannot be read", cause)
  )

  const read = Effect.fnUntraced(function* (mark: string): Effect.fn.Return<Read, PasswordFileError> {
    const bytesMax = options.bytesMax ?? bytesMaxDefault
    if (Number(mark.split(" ", 1)[0]) > bytesMax) return yield* failed(`it has more than ${bytesMax} bytes`)
    const text = yield* Effect.mapError(fs.readFileString(path), (cause) =>
      failed("it cannot be read", cause)
    )
    const { problems, users } = Wire.parse(text, options)
    const usable = new Map<string, StoredPassword>()
    const unusable: Array<Wire.Problem> = []
    for (const [name, password] of users) {
      const why = supported(password, derivation)
      if (why === undefined) usable.set(name, password)
      else unusable.push({ line: undefined, detail: `the password of ${JSON.stringify(name)}: ${why}` })
    }
    return { mark, users: usable, problems: [...problems, ...unusable] }
  })

  const warn = Effect.fnUntraced(function* ({ mark, problems }: Read) {
    const exposure = exposureOf(mark)
    if (exposure !== undefined) yield* Effect.logWarning(failed(exposure).message)
    if (problems.length === 0) return
    yield* Effect.logWarning(
      new PasswordFileError({ path, detail: "some lines cannot be used", problems }).message
    )
  })

  let known = yield* Effect.flatMap(markOf, read)
  if (known.problems.length > 0 && options.onProblem !== "warn") {
    return yield* new PasswordFileError({
      path,
      detail: "some lines cannot be used",
      problems: known.problems
    })
  }
  yield* warn(known)

  const turn = Semaphore.makeUnsafe(1).withPermits(1)
  const current: Effect.Effect<Wire.Entries, LoginError> = turn(
    Effect.gen(function* () {
      const mark = yield* markOf
      if (mark !== known.mark) {
        known = yield* read(mark)
        yield* warn(known)
      }
      return known
    })
  ).pipe(Effect.mapError((error) => checkerFailed(error.message, error)))

  return {
    find: (username) =>
      Effect.map(current, ({ users }) => {
        const id = Wire.keyOf(username, options)
        const password = users.get(id)
        return password && { id, password }
      }),
    typical: Effect.map(current, ({ users }) => users.values().next().value)
  }
})

export const checker = (
  options: Options
): Effect.Effect<
  Checker.Checker<UserStore.Kind>,
  PasswordFileError,
  FileSystem.FileSystem | KeyDerivation | SecureRandom
> => Effect.flatMap(make(options), (store) => UserStore.checker(store, options))
