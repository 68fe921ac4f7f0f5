/**
 * Other programs, started by tests: bounded in time and output, and never left behind. A child runs in a process group
 * of its own, and the whole group is killed when the child's scope closes or its time is over. Real time: use `it.live`.
 */
import * as childProcess from "node:child_process"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export interface Options {
  readonly cwd?: string | undefined
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>> | undefined
  /** Written to its standard input, which then ends. Without it the input stays open for `write`. */
  readonly input?: string | Uint8Array | undefined
  /** How long it may live, in milliseconds. Default 15,000. */
  readonly timeout?: number | undefined
  /** The most that is kept of each of its outputs; the rest is thrown away. Default 4 MiB. */
  readonly outputBytesMax?: number | undefined
}

export interface Ended {
  /** `undefined` when a signal ended it. */
  readonly code: number | undefined
  readonly signal: NodeJS.Signals | undefined
  readonly stdout: string
  readonly stderr: string
}

/** A program that could not be started, outlived its time, or ended before it said what it was waited for. */
export class ChildError extends Data.TaggedError("ChildError")<{
  readonly command: string
  readonly detail: string
  readonly stdout: string
  readonly stderr: string
}> {
  override get message(): string {
    return `${this.command}: ${this.detail}\n--- stdout\n${this.stdout}\n--- stderr\n${this.stderr}`
  }
}

export interface Child {
  readonly pid: number
  /** What it has said so far. */
  readonly stdout: () => string
  readonly stderr: () => string
  readonly write: (input: string | Uint8Array) => Effect.Effect<void>
  /** The end of its standard input. */
  readonly end: Effect.Effect<void>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** Waits until one of its outputs, from the beginning, matches. */
  readonly says: (pattern: RegExp) => Effect.Effect<RegExpExecArray, ChildError>
  /** Waits until it has ended, by itself. */
  readonly ended: Effect.Effect<Ended, ChildError>
}

class Output {
  private readonly pieces: Array<Buffer> = []
  private bytes = 0

  constructor(stream: NodeJS.ReadableStream, bytesMax: number, changed: () => void) {
    stream.on("data", (piece: Buffer) => {
      if (this.bytes < bytesMax) this.pieces.push(piece.subarray(0, bytesMax - this.bytes))
      this.bytes += piece.length
      changed()
    })
  }

  readonly text = (): string => Buffer.concat(this.pieces).toString()
}

const killGroup = (pid: number): void => {
  try {
    process.kill(-pid, "SIGKILL")
  } catch {
    // Nothing is left of it.
  }
}

const start = (
  command: string,
  args: ReadonlyArray<string>,
  options: Options
): { readonly child: Child; readonly stop: Effect.Effect<void> } => {
  const { timeout = 15_000, outputBytesMax = 4 * 1024 * 1024 } = options
  const line = [command, ...args].join(" ")
  const listeners = new Set<() => void>()
  const changed = () => listeners.forEach((listener) => listener())
  const ended = Deferred.makeUnsafe<Ended, ChildError>()
  const closed = Deferred.makeUnsafe<void>()

  const spawned = childProcess.spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    detached: true,
    stdio: "pipe"
  })
  const pid = spawned.pid ?? 0
  const stdout = new Output(spawned.stdout, outputBytesMax, changed)
  const stderr = new Output(spawned.stderr, outputBytesMax, changed)
  const error = (detail: string): ChildError =>
    new ChildError({ command: line, detail, stdout: stdout.text(), stderr: stderr.text() })
  const finish = (result: Effect.Effect<Ended, ChildError>): void => {
    Deferred.doneUnsafe(ended, result)
    changed()
  }
  const timer = setTimeout(() => {
    finish(Effect.fail(error(`still there after ${timeout} ms`)))
    killGroup(pid)
  }, timeout)

  // It may be gone before it has read all: what it said and how it ended tells that.
  spawned.stdin.on("error", () => {})
  spawned.on("error", (cause) => {
    clearTimeout(timer)
    finish(Effect.fail(error(cause.message)))
    if (spawned.pid === undefined) Deferred.doneUnsafe(closed, Effect.void)
  })
  spawned.on("close", (code, signal) => {
    clearTimeout(timer)
    finish(
      Effect.succeed({
        code: code ?? undefined,
        signal: signal ?? undefined,
        stdout: stdout.text(),
        stderr: stderr.text()
      })
    )
    Deferred.doneUnsafe(closed, Effect.void)
  })
  if (options.input !== undefined) spawned.stdin.end(options.input)

  const child: Child = {
    pid,
    stdout: stdout.text,
    stderr: stderr.text,
    write: (input) => Effect.sync(() => void spawned.stdin.write(input)),
    end: Effect.sync(() => void spawned.stdin.end()),
    signal: (signal) => Effect.sync(() => void spawned.kill(signal)),
    says: (pattern) =>
      Effect.callback<RegExpExecArray, ChildError>((resume) => {
        const look = () => {
          const found = pattern.exec(stdout.text()) ?? pattern.exec(stderr.text())
          if (found !== null) resume(Effect.succeed(found))
          else if (Deferred.isDoneUnsafe(ended)) {
            resume(
              Effect.andThen(Deferred.await(ended), Effect.fail(error(`ended without saying ${pattern}`)))
            )
          } else return
          listeners.delete(look)
        }
        listeners.add(look)
        look()
        return Effect.sync(() => void listeners.delete(look))
      }),
    ended: Deferred.await(ended)
  }
  const stop = Effect.suspend(() => {
    clearTimeout(timer)
    if (spawned.pid !== undefined) killGroup(pid)
    return Deferred.await(closed)
  })
  return { child, stop }
}

/** Starts a program that goes on until the scope closes. */
export const spawn = (
  command: string,
  args: ReadonlyArray<string>,
  options: Options = {}
): Effect.Effect<Child, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => start(command, args, options)),
      ({ stop }) => stop
    ),
    ({ child }) => child
  )

/** Runs a program to its end; a code other than 0 is for the caller to judge. Its input is empty unless given. */
export const run = (
  command: string,
  args: ReadonlyArray<string>,
  options: Options = {}
): Effect.Effect<Ended, ChildError> =>
  Effect.scoped(Effect.flatMap(spawn(command, args, { input: "", ...options }), (child) => child.ended))
