/** A child of `node:child_process`, with its pipes. */
import * as childProcess from "node:child_process"
import * as fs from "node:fs"
import type * as net from "node:net"
import * as os from "node:os"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Errno from "../reactor/Errno.ts"
import type { Process, Running } from "../reactor/Process.ts"
import { type ChildFDs, type Command, isPipe, modesOf } from "../reactor/ProcessCommand.ts"
import type { ProcessEnd } from "../reactor/ProcessEnd.ts"
import { SpawnFailed, type SpawnReason } from "../reactor/ProcessError.ts"
import type { Transport } from "../reactor/Transport.ts"
import type { Turn } from "../reactor/Turn.ts"
import { spawnReason } from "./NodeProcessFailure.ts"
import { Happening, NodeProcessLife } from "./NodeProcessLife.ts"
import { argsOf, invalidFDs, invalidOf, spawnOptions } from "./NodeProcessOptions.ts"
import { inherited } from "./NodeProcessInherited.ts"
import { NodeProcessPipe } from "./NodeProcessPipe.ts"
import { ourSignal } from "./NodeProcessSignals.ts"
import { limitsOf } from "./streamSettings.ts"
import { timerMillis } from "./timerMillis.ts"

const pipesTimeoutDefault = "2 seconds"

/** A process, and the end that its scope owes it. */
export interface Owned<F extends ChildFDs> {
  readonly process: Process<F>
  readonly release: Effect.Effect<void>
}

export const start = <F extends ChildFDs>(
  turn: Turn,
  command: Command<F>
): Effect.Effect<Owned<F>, SpawnFailed> =>
  Effect.callback((resume) => {
    const fail = (reason: SpawnReason) =>
      resume(Effect.fail(new SpawnFailed({ program: command.program, reason })))
    const invalid = invalidOf(command) ?? invalidFDs(command)
    if (invalid !== undefined) return fail(invalid)
    let child: childProcess.ChildProcess
    try {
      child = spawn(command)
    } catch (error) {
      return fail(spawnReason(command, error))
    }
    if (child.pid === undefined) {
      child.once("error", (error) => {
        // Out of descriptors, there are not even these.
        for (const pipe of child.stdio ?? []) pipe?.destroy()
        fail(spawnReason(command, error))
      })
      return
    }
    // What can still come is about signals sent and messages, of which there are none.
    child.on("error", () => {})
    const made = new NodeProcess(turn, command, child, child.pid)
    resume(Effect.succeed({ process: made as unknown as Process<F>, release: made.release }))
  })

/**
 * Node 26.10 loses all descriptors of a child's pipes when they run out while it starts one, and so makes sure that they stay run out. So
 * it is tried first whether there are enough: two for each pipe, one for each in the child, and those that the start needs.
 *
 * @throws what the system says otherwise
 */
const tryDescriptors = ({ childFDs }: Command): void => {
  const pipes = modesOf(childFDs).filter(([, mode]) => isPipe(mode)).length
  const fds: Array<number> = []
  try {
    while (fds.length < 3 * pipes + startDescriptors) fds.push(fs.openSync(os.devNull, "r"))
  } finally {
    for (const fd of fds) fs.closeSync(fd)
  }
}

const startDescriptors = 6

/** @throws what Node does */
const spawn = (command: Command): childProcess.ChildProcess => {
  tryDescriptors(command)
  const run = (covered: ReadonlyArray<number>, nothing: number) =>
    childProcess.spawn(command.program, argsOf(command), spawnOptions(command, covered, nothing))
  const covered = inherited()
  if (covered.length === 0) return run(covered, -1)
  const nothing = fs.openSync(os.devNull, "r+")
  try {
    return run(covered, nothing)
  } catch (error) {
    // Such numbers are above the limit that this process has by now (`ulimit -n`).
    if (Errno.codeOf(error) === "EINVAL") return run([], nothing)
    throw error
  } finally {
    fs.closeSync(nothing)
  }
}

class NodeProcess extends NodeProcessLife implements Running {
  readonly pipes: Record<number, Transport> = {}
  private readonly all: ReadonlyArray<NodeProcessPipe>
  private readonly closing = new Happening<ProcessEnd>()

  constructor(turn: Turn, command: Command, child: childProcess.ChildProcess, pid: number) {
    super(pid, command)
    const limits = limitsOf({})
    const all: Array<NodeProcessPipe> = []
    for (const [fd, mode] of modesOf(command.childFDs)) {
      const socket = child.stdio[fd] as net.Socket | null | undefined
      if (!isPipe(mode) || socket === null || socket === undefined) continue
      const pipe = new NodeProcessPipe(socket, { turn, limits, program: command.program, fd, mode })
      all.push(pipe)
      this.pipes[fd] = pipe
    }
    this.all = all
    const pipesTimeout = timeoutMillis(command)
    child.once("exit", (code, signal) => {
      for (const pipe of all) pipe.processExited(pipesTimeout)
      this.onExit(code ?? undefined, signal === null ? undefined : ourSignal(signal))
    })
    // After the exit, when all pipes are closed.
    child.once("close", () => this.closing.done(this.end!))
  }

  get stdin(): Transport | undefined {
    return this.pipes[0]
  }
  get stdout(): Transport | undefined {
    return this.pipes[1]
  }
  get stderr(): Transport | undefined {
    return this.pipes[2]
  }

  readonly pipe = (fd: number): Transport | undefined => this.pipes[fd]

  get ended(): Effect.Effect<ProcessEnd> {
    return this.closing.wait
  }

  get leftOpen(): ReadonlyArray<number> {
    return this.all.filter((pipe) => pipe.leftOpen).map((pipe) => pipe.fd)
  }

  /** Nobody takes what it says any more; that must not hold it up. */
  get release(): Effect.Effect<void> {
    return Effect.suspend(() => {
      for (const pipe of this.all) pipe.drop()
      return Effect.andThen(this.stop, () => {
        for (const pipe of this.all) pipe.destroy()
        return this.end === undefined ? Effect.void : Effect.asVoid(this.ended)
      })
    })
  }
}

/** In milliseconds; what no timer can wait for is for ever. */
const timeoutMillis = ({ pipesTimeout = pipesTimeoutDefault }: Command): number => {
  const millis = Duration.toMillis(pipesTimeout)
  return millis > timerMillis(pipesTimeout) ? Infinity : millis
}
