/** Users and groups of the system, by name or number. */
import * as childProcess from "node:child_process"
import * as fs from "node:fs"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { quoted } from "../reactor/EndpointExcerpt.ts"
import { nearest } from "../reactor/EndpointSuggestion.ts"

export interface User {
  /** `undefined` for a number that is nobody's. */
  readonly name: string | undefined
  readonly uid: number
  /** Of the user's first group; `undefined` for a number that is nobody's. */
  readonly gid: number | undefined
}

export interface Group {
  readonly name: string | undefined
  readonly gid: number
}

/** There is no such user or group. */
export class UnknownAccount extends Data.TaggedError("UnknownAccount")<{
  readonly kind: "user" | "group"
  readonly asked: string
  readonly suggestion: string | undefined
}> {
  override get message(): string {
    const hint = this.suggestion === undefined ? "" : `; did you mean ${quoted(this.suggestion)}?`
    return `there is no ${this.kind} ${quoted(this.asked)}${hint}`
  }
}

/** 2^32 - 1 means "as it is" to the system. */
const idMax = 4_294_967_294

/** A user by name or number. A number need not be anybody's. As POSIX has it, a name that looks like a number is a name first. */
export const findUser = Effect.fnUntraced(function* (
  asked: string | number
): Effect.fn.Return<User, UnknownAccount> {
  const [users, found] = yield* search("passwd", asked, userOf)
  if (found !== undefined) return found
  const uid = numberOf(asked)
  if (uid !== undefined) return { name: undefined, uid, gid: undefined }
  return yield* unknown("user", asked, users)
})

/** A group by name or number. A number need not be anybody's. */
export const findGroup = Effect.fnUntraced(function* (
  asked: string | number
): Effect.fn.Return<Group, UnknownAccount> {
  const [groups, found] = yield* search("group", asked, groupOf)
  if (found !== undefined) return found
  const gid = numberOf(asked)
  if (gid !== undefined) return { name: undefined, gid }
  return yield* unknown("group", asked, groups)
})

const unknown = (
  kind: "user" | "group",
  asked: string | number,
  all: ReadonlyArray<{ readonly name: string | undefined }>
) => {
  const names = all.flatMap(({ name }) => (name === undefined ? [] : [name]))
  return new UnknownAccount({ kind, asked: String(asked), suggestion: nearest(String(asked), names) })
}

const numberOf = (asked: string | number): number | undefined => {
  const number = typeof asked === "number" ? asked : /^\d{1,10}$/.test(asked) ? Number(asked) : -1
  return Number.isInteger(number) && number >= 0 && number <= idMax ? number : undefined
}

/** All that the system's own file lists, and the one that was meant: from there, or from whatever else knows accounts (LDAP, ...). */
const search = <A extends { readonly name: string | undefined }>(
  database: "passwd" | "group",
  asked: string | number,
  parse: (line: string) => { readonly entry: A; readonly id: number } | undefined
): Effect.Effect<readonly [all: ReadonlyArray<A>, found: A | undefined]> =>
  Effect.suspend(() => {
    const key = String(asked)
    const pick = (text: string) => {
      const entries = text.split("\n").flatMap((line) => parse(line) ?? [])
      const found =
        entries.find(({ entry }) => typeof asked === "string" && entry.name === key) ??
        entries.find(({ id }) => id === numberOf(asked))
      return [entries.map(({ entry }) => entry), found?.entry] as const
    }
    const [all, found] = pick(fileOf(database))
    // What cannot be a name would be an option of the program, or several lines.
    if (found !== undefined || !/^[^-:\s][^:\s]*$/.test(key)) return Effect.succeed([all, found])
    return Effect.map(getent(database, key), (text) => [all, pick(text)[1]] as const)
  })

/** `name:x:uid:gid:...` */
const userOf = (line: string) => {
  const [name, , uid, gid] = line.split(":")
  if (name === undefined || !isNumber(uid) || !isNumber(gid)) return undefined
  return { entry: { name, uid: Number(uid), gid: Number(gid) }, id: Number(uid) }
}

/** `name:x:gid:members` */
const groupOf = (line: string) => {
  const [name, , gid] = line.split(":")
  if (name === undefined || !isNumber(gid)) return undefined
  return { entry: { name, gid: Number(gid) }, id: Number(gid) }
}

const isNumber = (text: string | undefined): boolean => /^\d{1,10}$/.test(text ?? "")

const fileOf = (database: "passwd" | "group"): string => {
  try {
    return fs.readFileSync(`/etc/${database}`, "utf8")
  } catch {
    return ""
  }
}

/** A directory service that does not answer knows nobody. */
const getentMillisMax = 10_000

/** Nothing where there is no such program, or no such account. */
const getent = (database: string, key: string): Effect.Effect<string> =>
  Effect.callback((resume) => {
    const child = childProcess.execFile(
      "getent",
      [database, key],
      { timeout: getentMillisMax },
      (_, stdout) => resume(Effect.succeed(stdout))
    )
    return Effect.sync(() => void child.kill())
  })
