/**
 * Programs on a terminal, by the package `node-pty`: an optional one, loaded when the first terminal is asked for.
 *
 * The package reaps its children itself, and tells later. So it is asked by `/proc` whether a child still has its number before a
 * signal goes there; and its own `destroy` and `kill`, which do not ask, are not used.
 */
import { createRequire } from "node:module"
import * as os from "node:os"
import * as Effect from "effect/Effect"
import type { PtyProcess } from "../reactor/Process.ts"
import type { PtyCommand } from "../reactor/ProcessCommand.ts"
import type { ProcessEnd } from "../reactor/ProcessEnd.ts"
import { SpawnFailed, type SpawnReason, Unsupported } from "../reactor/ProcessError.ts"
import type { Transport } from "../reactor/Transport.ts"
import type { Turn } from "../reactor/Turn.ts"
import { directoryReason, programReason, spawnReason } from "./NodeProcessFailure.ts"
import { NodeProcessLife } from "./NodeProcessLife.ts"
import { argsOf, environmentOf, invalidOf } from "./NodeProcessOptions.ts"
import { NodeProcessTerminal } from "./NodeProcessTerminal.ts"
import * as Signals from "./NodeProcessSignals.ts"
import { isChild } from "./NodeProcessTable.ts"

/** What is used of `node-pty`'s `IPty`. */
export interface Pty {
  readonly pid: number
  readonly onData: (listener: (data: string | Uint8Array) => void) => unknown
  readonly onExit: (listener: (end: { exitCode: number; signal?: number }) => void) => unknown
  readonly write: (data: string | Buffer) => void
  readonly resize: (columns: number, rows: number) => void
  readonly pause: () => void
  readonly resume: () => void
}

/** What is used of `node-pty`. */
export interface Library {
  readonly spawn: (
    file: string,
    args: Array<string>,
    options: {
      readonly name: string
      readonly cols: number
      readonly rows: number
      readonly cwd?: string
      readonly env: Record<string, string>
      readonly uid?: number
      readonly gid?: number
      readonly encoding: null
    }
  ) => Pty
}

export type Load = () => Promise<Library>

const packageName = "node-pty"

/** By `require`, which no bundler and no compiler follows: it need not be there. */
export const load: Load = () =>
  new Promise((resolve) => resolve(createRequire(import.meta.url)(packageName) as Library))

const failed = ({ program }: PtyCommand, reason: SpawnReason) => new SpawnFailed({ program, reason })

export const libraryOf = (command: PtyCommand, loading: Load): Effect.Effect<Library, SpawnFailed> =>
  Effect.tryPromise({
    try: loading,
    catch: (cause) => {
      const { code } = cause as NodeJS.ErrnoException
      const detail =
        code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND"
          ? `a terminal needs the package ${packageName}, which is not installed`
          : `the package ${packageName} does not load: ${cause instanceof Error ? cause.message : cause}`
      return failed(command, new Unsupported({ detail, errno: code, cause }))
    }
  })

export interface Owned {
  readonly process: PtyProcess
  readonly release: Effect.Effect<void>
}

export const start = (turn: Turn, command: PtyCommand, library: Library): Effect.Effect<Owned, SpawnFailed> =>
  Effect.suspend(() => {
    // The library finds out in the child, which then ends.
    const reason = invalidOf(command) ?? directoryReason(command) ?? programReason(command)
    if (reason !== undefined) return Effect.fail(failed(command, reason))
    try {
      const pty = library.spawn(command.program, [...argsOf(command)], {
        name: command.terminal ?? "xterm-256color",
        cols: command.columns ?? 80,
        rows: command.rows ?? 24,
        env: environmentOf(command),
        encoding: null,
        ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
        ...(command.uid === undefined ? {} : { uid: command.uid }),
        ...(command.gid === undefined ? {} : { gid: command.gid })
      })
      const process = new NodePtyProcess(turn, command, pty)
      return Effect.succeed({ process, release: process.release })
    } catch (error) {
      return Effect.fail(failed(command, spawnReason(command, error)))
    }
  })

class NodePtyProcess extends NodeProcessLife implements PtyProcess {
  readonly terminal: NodeProcessTerminal
  readonly leftOpen: ReadonlyArray<number> = []
  private readonly pty: Pty

  constructor(turn: Turn, command: PtyCommand, pty: Pty) {
    super(pty.pid, { ...command, group: "own" })
    this.pty = pty
    this.terminal = new NodeProcessTerminal(turn, command.program, pty, () => this.hangUp())
    // It is told when the terminal is closed, too.
    pty.onExit(({ exitCode, signal = 0 }) => {
      this.terminal.ended()
      const name = signalNames.get(signal)
      this.onExit(name === undefined ? exitCode : undefined, name)
    })
  }

  readonly pipe = (fd: number): Transport | undefined => (fd <= 2 && fd >= 0 ? this.terminal : undefined)

  get ended(): Effect.Effect<ProcessEnd> {
    return this.exited
  }

  readonly resize: PtyProcess["resize"] = ({ columns, rows }) =>
    Effect.sync(() => {
      if (this.isThere()) this.pty.resize(columns, rows)
    })

  get release(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.terminal.drop()
      return Effect.asVoid(this.stop)
    })
  }

  protected override isThere(): boolean {
    return super.isThere() && isChild(this.pid) !== false
  }

  private hangUp(): void {
    if (this.isThere()) Signals.send(-this.pid, "HUP")
  }
}

const signalNames = new Map(
  Object.entries(os.constants.signals).map(([name, number]) => [
    number,
    Signals.ourSignal(name as NodeJS.Signals)
  ])
)
