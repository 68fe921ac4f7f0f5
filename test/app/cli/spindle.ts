/**
 * The real command, run in a directory of its own. Whatever it leaves running there is killed when the place's scope closes, daemons
 * and successors too: a process carries the place in its environment. Real time: use `it.live`.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Child from "../../support/child.ts"

const root = path.resolve(import.meta.dirname, "../../..")

/** What Node needs to run the command from its sources. */
export const nodeArgs = ["--conditions=source", path.join(root, "src/bin.ts")] as const

/** An application of `fixtures`. */
export const fixture = (name: string): string => path.join(import.meta.dirname, "fixtures", `${name}.ts`)

/** Tells which processes belong to a place. */
const mark = "SPINDLE_TEST_PLACE"

/** Longer than anything here takes, on a machine that has other things to do. */
export const patience = 20_000

/** A test that has several of these to wait for. */
export const testTimeout = { timeout: 3 * patience }

type Variables = Readonly<Record<string, string>>

export interface Place {
  /** Short: names of sockets are limited to 107 bytes. */
  readonly directory: string
  readonly file: (name: string) => string
  readonly write: (name: string, text: string) => void
  readonly read: (name: string) => string
  readonly remove: (name: string) => void
  readonly has: (name: string) => boolean
  /** What is there. */
  readonly files: () => ReadonlyArray<string>
  readonly env: Variables
}

/** A directory for a daemon, and what it leaves. */
export const place: Effect.Effect<Place, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), "sp-"))
    const file = (name: string) => path.join(directory, name)
    return {
      directory,
      file,
      write: (name, text) => fs.writeFileSync(file(name), text),
      read: (name) => fs.readFileSync(file(name), "utf8"),
      remove: (name) => fs.rmSync(file(name)),
      has: (name) => fs.existsSync(file(name)),
      files: () => fs.readdirSync(directory).sort(),
      env: { [mark]: directory }
    } satisfies Place
  }),
  (place) =>
    Effect.andThen(
      killAll(place),
      Effect.sync(() => fs.rmSync(place.directory, { recursive: true, force: true, maxRetries: 3 }))
    )
)

const killAll = (place: Place): Effect.Effect<void> =>
  Effect.suspend(() => {
    const left = processesOf(place)
    left.forEach(kill)
    // One may have been about to start another.
    return left.length === 0 ? Effect.void : Effect.delay(killAll(place), 10)
  })

const kill = (pid: number): void => {
  try {
    process.kill(pid, "SIGKILL")
  } catch {
    // It is gone.
  }
}

/** The processes that were started at a place, directly or not, and run. Where there is no /proc: those of its pid files. */
export const processesOf = ({ directory }: Place): ReadonlyArray<number> => {
  if (!fs.existsSync("/proc/self/environ")) return named(directory)
  const entry = `${mark}=${directory}`
  return fs
    .readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        // That of a zombie is empty.
        return fs.readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(entry)
      } catch {
        return false
      }
    })
}

const named = (directory: string): ReadonlyArray<number> =>
  fs
    .readdirSync(directory)
    .filter((name) => name.endsWith(".pid"))
    .map((name) => Number(fs.readFileSync(path.join(directory, name), "utf8")))
    .filter((pid) => isAlive(pid))

/** Whether it runs; one that has ended, and that nobody has asked about yet, does not. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return !/^State:\tZ/m.test(fs.readFileSync(`/proc/${pid}/status`, "utf8"))
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" && !fs.existsSync("/proc/self")
  }
}

/** Waits until it is so; dies with `what` if that takes too long. */
export const until = (what: string, condition: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() =>
    condition() ? Effect.void : Effect.repeat(Effect.sleep(10), { until: () => condition() })
  ).pipe(
    Effect.timeoutOrElse({
      duration: patience,
      orElse: () => Effect.die(new Error(`waited in vain: ${what}`))
    }),
    Effect.asVoid
  )

export interface Options {
  readonly env?: Variables | undefined
  /** In milliseconds. Default `patience`. */
  readonly timeout?: number | undefined
  readonly cwd?: string | undefined
}

const optionsOf = (place: Place, options: Options): Child.Options => ({
  cwd: options.cwd ?? place.directory,
  env: { ...place.env, ...options.env },
  timeout: options.timeout ?? patience
})

/** Runs a command to its end. */
export const run = (place: Place, args: ReadonlyArray<string>, options: Options = {}) =>
  Child.run(process.execPath, [...nodeArgs, ...args], optionsOf(place, options))

/** Starts a command that goes on. */
export const start = (place: Place, args: ReadonlyArray<string>, options: Options = {}) =>
  Effect.tap(Child.spawn(process.execPath, [...nodeArgs, ...args], optionsOf(place, options)), () =>
    // Its successors hold its outputs, whose end is waited for.
    Effect.addFinalizer(() => killAll(place))
  )

/** A daemon in the foreground, whose log is its standard output. */
export interface Daemon extends Child.Child {
  /** Of a fixture's only server. */
  readonly port: number
}

/** Starts a fixture in the foreground, and waits until it is ready. */
export const serve = Effect.fnUntraced(function* (
  place: Place,
  args: ReadonlyArray<string> = [],
  options: Options = {}
) {
  const child = yield* start(place, ["run", fixture("visits"), ...args], options)
  const [, port] = yield* child.says(/door listening.*127\.0\.0\.1:(\d+)/)
  // Not only a worker of it.
  yield* child.says(/visits is ready(?:","fiber":\d+\})?$/m)
  return { ...child, port: Number(port) } satisfies Daemon
})

/** Runs a command that must succeed, and gives what it said; it complains of nothing. */
export const says = (place: Place, args: ReadonlyArray<string>, options: Options = {}) =>
  Effect.map(run(place, args, options), ({ code, signal, stderr, stdout }) => {
    assert.deepStrictEqual(
      { code, signal, stderr },
      { code: 0, signal: undefined, stderr: "" },
      args.join(" ")
    )
    return stdout
  })

/** Runs a command that must fail, and gives its line on standard error; it says nothing else there. */
export const fails = (place: Place, args: ReadonlyArray<string>, status: number, options: Options = {}) =>
  Effect.map(run(place, args, options), ({ code, signal, stderr }) => {
    assert.deepStrictEqual(
      { code, signal },
      { code: status, signal: undefined },
      `${args.join(" ")}: ${stderr}`
    )
    assert.match(stderr, /^spindle: [^\n]+\n$/)
    return stderr.slice("spindle: ".length, -1)
  })

/** As `spindle status --json` has it. */
export interface Status {
  readonly application: string
  readonly pid: number
  readonly state: string
  readonly services: {
    readonly children: ReadonlyArray<ServiceStatus>
  }
  readonly workers?: ReadonlyArray<{
    readonly slot: number
    readonly id?: number
    readonly state: string
    readonly restarts: number
  }>
}
export interface ServiceStatus {
  readonly path: string
  readonly state: { readonly _tag: string; readonly since: number }
  readonly ready: boolean
  readonly children: ReadonlyArray<ServiceStatus>
}

export const status = (place: Place, args: ReadonlyArray<string> = []) =>
  Effect.map(says(place, ["status", "--json", ...args]), (text) => JSON.parse(text) as Status)

/** The process that the pid file names. */
export const pidOf = (place: Place, name = "visits.pid"): number => {
  const text = place.read(name)
  assert.match(text, /^[0-9]+\n$/)
  return Number(text)
}
