/**
 * Becoming somebody less than root, once ports are bound. Twisted: `--uid`, `--gid`, `--euid`, `--umask`, `--chroot`.
 *
 * `resolve` looks names up (do that first: it reads files and may start a program), `drop` changes the process, all of its threads.
 * A `drop` that fails may have changed some of it already: the process should end then, and not go on.
 */
import * as fs from "node:fs"
import { isMainThread } from "node:worker_threads"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { quoted } from "../reactor/EndpointExcerpt.ts"
import { findGroup, findUser, type UnknownAccount } from "./NodeAccounts.ts"

export { UnknownAccount } from "./NodeAccounts.ts"

/** It was said what cannot be, or must not be. */
export class InvalidIdentity extends Data.TaggedError("InvalidIdentity")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

/** This process may not. */
export class NotPrivileged extends Data.TaggedError("NotPrivileged")<{
  readonly detail: string
  readonly cause?: unknown
}> {
  override get message(): string {
    return this.detail
  }
}

/** The system said yes, and it is not so. */
export class NotDropped extends Data.TaggedError("NotDropped")<{ readonly detail: string }> {
  override get message(): string {
    return `privileges were not dropped: ${this.detail}`
  }
}

/** This platform, or Node, cannot. */
export class UnsupportedHere extends Data.TaggedError("UnsupportedHere")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

export class PrivilegesError extends Data.TaggedError("PrivilegesError")<{
  readonly reason: UnknownAccount | InvalidIdentity | NotPrivileged | NotDropped | UnsupportedHere
}> {
  override get message(): string {
    return this.reason.message
  }
}

export interface Asked {
  /** A name or a number. */
  readonly user?: string | number | undefined
  /** Default: the user's first group. Without a user, only the group changes. */
  readonly group?: string | number | undefined
}

/** Whom to become. */
export interface Identity {
  readonly uid: number | undefined
  readonly gid: number
  /** Whose other groups the process will have too; `undefined`: it will have none. */
  readonly name: string | undefined
}

export interface DropOptions {
  /**
   * Sets the effective user and group only: the process can become root again (`process.seteuid(0)`), and so can whoever takes
   * it over. Twisted: `--euid`. Default `false`.
   */
  readonly effectiveOnly?: boolean | undefined
}

const fail = (reason: PrivilegesError["reason"]) => Effect.fail(new PrivilegesError({ reason }))

const known = <A>(found: Effect.Effect<A, UnknownAccount>): Effect.Effect<A, PrivilegesError> =>
  Effect.mapError(found, (reason) => new PrivilegesError({ reason }))

/** Who is meant; `undefined` where nobody is. */
export const resolve = Effect.fnUntraced(function* ({
  group,
  user
}: Asked): Effect.fn.Return<Identity | undefined, PrivilegesError> {
  const found = user === undefined ? undefined : yield* known(findUser(user))
  const gid = group === undefined ? found?.gid : (yield* known(findGroup(group))).gid
  if (found === undefined) return gid === undefined ? undefined : { uid: undefined, gid, name: undefined }
  if (gid === undefined) {
    const detail = `user ${found.uid} has no entry in the system, and so no group: say which one`
    return yield* fail(new InvalidIdentity({ detail }))
  }
  return { uid: found.uid, gid, name: found.name }
})

/**
 * Becomes that user and group, and makes sure of it: group first, then the other groups, the user last, and then neither root nor
 * the former groups can be had again. Nothing is done if the process is that already.
 */
export const drop = Effect.fnUntraced(function* (
  identity: Identity,
  { effectiveOnly = false }: DropOptions = {}
): Effect.fn.Return<void, PrivilegesError> {
  const { gid, name, uid } = identity
  const system = calls()
  if (system === undefined) {
    const detail =
      process.platform === "win32"
        ? "on Windows a process stays the user's who started it"
        : "only the main thread can change whose the process is"
    return yield* fail(new UnsupportedHere({ detail }))
  }
  if (isAlready(system, identity)) return
  if (!mayChange(system)) {
    const detail = `only root can become another user or group, and this process is user ${system.geteuid()}: start it as root, or as the user that it shall be`
    return yield* fail(new NotPrivileged({ detail }))
  }
  const refusal = refusalOf(() => {
    // Without a user it stays root, which has the groups of root.
    if (effectiveOnly) system.setegid(gid)
    else system.setgid(gid)
    if (name === undefined) system.setgroups([gid])
    else system.initgroups(name, gid)
    if (uid === undefined) return
    if (effectiveOnly) system.seteuid(uid)
    else system.setuid(uid)
  })
  if (refusal !== undefined) {
    const detail = `the system does not let this process become user ${uid ?? "as it is"}, group ${gid} (${refusal.message}): it may be root without the right to (CAP_SETUID, CAP_SETGID)`
    return yield* fail(new NotPrivileged({ detail, cause: refusal }))
  }
  const remains = remainsOf(system, identity, effectiveOnly)
  if (remains !== undefined) return yield* fail(new NotDropped({ detail: remains }))
})

const names = [
  "getegid",
  "geteuid",
  "getgid",
  "getgroups",
  "getuid",
  "setegid",
  "seteuid",
  "setgid",
  "setgroups",
  "setuid"
] as const

type Calls = Required<Pick<NodeJS.Process, (typeof names)[number]>> & {
  /** Missing in the types. */
  readonly initgroups: (user: string | number, group: string | number) => void
}

/** Those of a process that has users and groups: POSIX. Other threads have them too, but theirs throw. */
const calls = (): Calls | undefined =>
  isMainThread && [...names, "initgroups"].every((name) => name in process)
    ? (process as NodeJS.Process & Calls)
    : undefined

const isAlready = (system: Calls, { gid, uid }: Identity): boolean =>
  system.geteuid() !== 0 &&
  [system.getuid(), system.geteuid()].every((id) => id === (uid ?? id)) &&
  [system.getgid(), system.getegid()].every((id) => id === gid)

const CAP_SETGID = 6
const CAP_SETUID = 7

/** Root, or what the system lets do the same. */
const mayChange = (system: Calls): boolean => {
  if (system.geteuid() === 0) return true
  const capabilities = /^CapEff:\s*([0-9a-f]+)$/m.exec(statusText())?.[1]
  if (capabilities === undefined) return false
  const bits = BigInt(`0x${capabilities}`)
  return [CAP_SETGID, CAP_SETUID].every((bit) => ((bits >> BigInt(bit)) & 1n) === 1n)
}

const statusText = (): string => {
  try {
    return fs.readFileSync("/proc/self/status", "latin1")
  } catch {
    return ""
  }
}

const refusalOf = (f: () => void): Error | undefined => {
  try {
    f()
    return undefined
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

/** What of the former privileges is still there. */
const remainsOf = (
  system: Calls,
  { gid, name, uid }: Identity,
  effectiveOnly: boolean
): string | undefined => {
  if (system.getegid() !== gid) return `the group is ${system.getegid()}, not ${gid}`
  if (uid !== undefined && system.geteuid() !== uid) return `the user is ${system.geteuid()}, not ${uid}`
  const others = name === undefined ? system.getgroups().filter((id) => id !== gid) : []
  if (others.length > 0) return `it is still in the groups ${others.join(", ")}`
  if (effectiveOnly) return undefined
  if (system.getgid() !== gid) return `the real group is ${system.getgid()}, not ${gid}`
  if (uid === undefined) return undefined
  if (system.getuid() !== uid) return `the real user is ${system.getuid()}, not ${uid}`
  if (uid === 0) return undefined
  if (refusalOf(() => system.setuid(0)) === undefined) return "it can become root again"
  if (gid !== 0 && refusalOf(() => system.setgid(0)) === undefined) return "it can join root's group again"
  return undefined
}

// --- umask, chroot ----------------------------------------------------------------------------------------

/** A umask as text, in octal: `0077`, `77`, `0o077`. */
export const parseUmask = (text: string): Effect.Effect<number, PrivilegesError> =>
  /^(?:0o)?[0-7]{1,4}$/i.test(text) && Number.parseInt(text.replace(/^0o/i, ""), 8) <= 0o777
    ? Effect.succeed(Number.parseInt(text.replace(/^0o/i, ""), 8))
    : fail(new InvalidIdentity({ detail: `a umask is an octal number from 0 to 0777, not ${quoted(text)}` }))

/** Sets the process's umask; gives the one before. */
export const umask = (mask: number): Effect.Effect<number, PrivilegesError> =>
  Effect.try({
    try: () => process.umask(mask),
    catch: (cause) => {
      const detail = `the umask cannot be set: ${cause instanceof Error ? cause.message : String(cause)}`
      return new PrivilegesError({ reason: new UnsupportedHere({ detail }) })
    }
  })

/** Always refused, with what to do instead. A program that loads modules when it needs them would not find them afterwards. */
export const chroot = (directory: string): Effect.Effect<never, PrivilegesError> =>
  fail(
    new UnsupportedHere({
      detail: `Node cannot change the root of a running process to ${quoted(directory)}. Start it there: by RootDirectory= in its systemd unit, in a container, or by \`chroot --userspec=USER:GROUP DIRECTORY COMMAND\` with Node and the program inside`
    })
  )
