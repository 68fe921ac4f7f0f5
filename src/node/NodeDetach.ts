/**
 * Starting the program again as a daemon: a new session, without terminal, with the null device or a log as its outputs; and knowing
 * how that went. Twisted: `daemonize`, with its status pipe (which carries at most 100 bytes).
 *
 * Node cannot fork, so the child is a program started anew, with the same arguments. Descriptor 3 leads to the parent until the child
 * has said `ready` or `failed`; its standard error does too, so that a parent can show why a child crashed.
 *
 * It is not forked twice: what starts it ends, so it belongs to `init` anyway; and being the first of its session, it could only get a
 * terminal by opening one.
 */
import * as childProcess from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Errno from "../reactor/Errno.ts"
import { InvalidCommand, SpawnFailed, UnknownReason } from "../reactor/ProcessError.ts"
import { statusFd, variable } from "./NodeDetachChild.ts"
import { Launched, type Log, type Outcome } from "./NodeDetachLaunched.ts"
import { spawnReason } from "./NodeProcessFailure.ts"
import { inherited } from "./NodeProcessInherited.ts"

export { child, type DetachedChild } from "./NodeDetachChild.ts"
export type { Outcome } from "./NodeDetachLaunched.ts"

export interface Options {
  /** The script and its arguments. Default: those of this process. */
  readonly args?: ReadonlyArray<string> | undefined
  /** Node's own. Default: those of this process. */
  readonly execArgv?: ReadonlyArray<string> | undefined
  /** Default: this process's. */
  readonly cwd?: string | undefined
  /** Added to this process's environment; `undefined` takes a variable out. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /** A file that the child's standard output and error are appended to. Default: the null device. */
  readonly output?: string | undefined
  /** Descriptors of this process that the child gets, by its own numbers, which are 4 or more. Default: none. */
  readonly descriptors?: Readonly<Record<number, number>> | undefined
  /** How long a child has to end that was interrupted, or has said that it failed; then it is killed. Default 5 seconds. */
  readonly grace?: Duration.Input | undefined
}

/**
 * Starts the program as a daemon, and waits until that is up or has failed. Interrupted while it waits, it ends the child, with all
 * that the child has started in its session. There is no time limit but the caller's.
 */
export const start = (options: Options = {}): Effect.Effect<Outcome, SpawnFailed> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(
      Effect.suspend(() => launch(options)),
      (launched) =>
        Effect.onInterrupt(restore(launched.outcome), () => Effect.andThen(launched.stop, launched.forget))
    )
  )

const launch = (options: Options): Effect.Effect<Launched, SpawnFailed> => {
  const { args = process.argv.slice(1), cwd, execArgv = process.execArgv, output } = options
  const program = process.execPath
  const fail = (reason: SpawnFailed["reason"]) => Effect.fail(new SpawnFailed({ program, reason }))
  const bad = Object.keys(options.descriptors ?? {}).find((fd) => !(Number(fd) > statusFd))
  if (bad !== undefined) return fail(new InvalidCommand({ detail: `descriptor ${bad} of a daemon is taken` }))
  const opened: Array<number> = []
  try {
    const log = output === undefined ? undefined : openLog(output, cwd)
    if (log instanceof UnknownReason) return fail(log)
    if (log !== undefined) opened.push(log.fd)
    const nothing = fs.openSync(os.devNull, "r+")
    opened.push(nothing)
    const child = childProcess.spawn(program, [...execArgv, ...args], {
      detached: true,
      windowsHide: true,
      stdio: stdioOf(log?.fd, options.descriptors ?? {}, nothing),
      env: environmentOf(options, log === undefined ? "parent" : "file"),
      ...(cwd === undefined ? {} : { cwd })
    })
    return started(child, log, options)
  } catch (error) {
    return fail(spawnReason({ program, cwd }, error))
  } finally {
    for (const fd of opened) fs.closeSync(fd)
  }
}

const openLog = (output: string, cwd = "."): Log | UnknownReason => {
  const file = path.resolve(cwd, output)
  try {
    const fd = fs.openSync(file, "a", 0o640)
    return { file, fd, bytesBefore: fs.fstatSync(fd).size }
  } catch (cause) {
    const detail = `it cannot append to ${file}: ${cause instanceof Error ? cause.message : String(cause)}`
    return new UnknownReason({ detail, errno: Errno.codeOf(cause), cause })
  }
}

/** What this process was started with by mistake, and would hand on (a lock, the end of a pipe), the child gets as the null device. */
const stdioOf = (
  log: number | undefined,
  descriptors: Readonly<Record<number, number>>,
  nothing: number
): Array<childProcess.IOType | number> => {
  const places = new Map<number, childProcess.IOType | number>()
  for (const fd of inherited()) places.set(fd, nothing)
  places
    .set(0, "ignore")
    .set(1, log ?? "ignore")
    .set(2, log ?? "pipe")
    .set(statusFd, "pipe")
  for (const [fd, ours] of Object.entries(descriptors)) places.set(Number(fd), ours)
  const length = Math.max(...places.keys()) + 1
  return Array.from({ length }, (_, fd) => places.get(fd) ?? "ignore")
}

const environmentOf = ({ env = {} }: Options, error: "parent" | "file"): NodeJS.ProcessEnv => {
  const made: NodeJS.ProcessEnv = { ...process.env, ...env, [variable]: error }
  for (const name of Object.keys(made)) if (made[name] === undefined) delete made[name]
  return made
}

const started = (
  child: childProcess.ChildProcess,
  log: Log | undefined,
  options: Options
): Effect.Effect<Launched, SpawnFailed> => {
  const { pid } = child
  if (pid !== undefined) {
    child.on("error", () => {})
    return Effect.succeed(new Launched(child, pid, log, options.grace ?? "5 seconds"))
  }
  return Effect.callback((resume) => {
    child.once("error", (error) => {
      for (const pipe of child.stdio ?? []) pipe?.destroy()
      const program = process.execPath
      const reason = spawnReason({ program, cwd: options.cwd }, error)
      resume(Effect.fail(new SpawnFailed({ program, reason })))
    })
  })
}
