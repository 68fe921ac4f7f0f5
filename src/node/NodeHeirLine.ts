/** A process or thread that this one has started, and the way to it. */
import * as childProcess from "node:child_process"
import { MessageChannel, type ResourceLimits, Worker } from "node:worker_threads"
import { notRunning } from "./moving.ts"
import type { NativeHandle } from "./nativeHandle.ts"
import { environmentName, type ThreadData } from "./NodeHeirChannel.ts"
import type { Role, ToHeir } from "./NodeHeirMessage.ts"

/** How it ended. */
export interface End {
  readonly code: number | undefined
  readonly signal: string | undefined
  /** Why it could not be started, or what a thread threw. */
  readonly error: string | undefined
}

export interface Events {
  readonly message: (message: unknown) => void
  /** The way to it is closed, and it lives on: nothing can be said to it, or heard of it, any more. */
  readonly lost: () => void
  /** Once, and the last. */
  readonly ended: (end: End) => void
}

export interface HeirLine {
  /** Of the process; a thread has that of its process. */
  readonly pid: number
  readonly thread: Worker | undefined
  /** What cannot be sent is dropped: `ended` tells. With a socket that is closed meanwhile, `unsent` is called. */
  readonly post: (message: ToHeir, handle?: NativeHandle, unsent?: () => void) => void
  /** A connection, to a thread; throws if it cannot be moved. */
  readonly move: (message: ToHeir, moved: object) => void
  readonly signal: (signal: NodeJS.Signals) => void
  /** Ends it now. */
  readonly kill: () => void
  /** Lets it go: it lives on without this process. */
  readonly release: () => void
}

/** The command of a process; what is left out is as this process has it. */
export interface Command {
  readonly execPath?: string | undefined
  /** Options of Node's. */
  readonly execArgv?: ReadonlyArray<string> | undefined
  /** The program and its arguments. */
  readonly args?: ReadonlyArray<string> | undefined
  readonly cwd?: string | undefined
  /** The whole environment. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /** Standard input, output and error. Default: this process's. */
  readonly stdio?: readonly [Stdio, Stdio, Stdio] | undefined
  /** In a session of its own, so that a terminal's signals do not reach it. Default: not. */
  readonly detached?: boolean | undefined
}

/** `number`: a descriptor of this process. */
export type Stdio = "inherit" | "ignore" | number

/** Between the end of the channel and that of the process, if it is the process that ends. */
const lostMillis = 1_000

export const startProcess = (role: Role, command: Command, events: Events): HeirLine => {
  const execArgv = command.execArgv ?? process.execArgv
  const args = command.args ?? process.argv.slice(1)
  let hasEnded = false
  let isReleased = false
  let lost: NodeJS.Timeout | undefined
  const ended = (end: End) => {
    clearTimeout(lost)
    if (hasEnded) return
    hasEnded = true
    events.ended(end)
  }
  const child = childProcess.spawn(command.execPath ?? process.execPath, [...execArgv, ...args], {
    cwd: command.cwd,
    env: { ...(command.env ?? process.env), [environmentName]: role },
    stdio: [...(command.stdio ?? (["inherit", "inherit", "inherit"] as const)), "ipc"],
    detached: command.detached ?? false
  })
  child.on("message", events.message)
  child.on("error", (error) => {
    // Others are about signals and messages that came too late.
    if (child.pid === undefined) ended({ code: undefined, signal: undefined, error: error.message })
  })
  // Of a process that ends this comes first.
  child.once("disconnect", () => {
    if (!hasEnded && !isReleased) lost = setTimeout(events.lost, lostMillis)
  })
  child.on("exit", (code, signal) =>
    ended({ code: code ?? undefined, signal: signal ?? undefined, error: undefined })
  )
  return {
    pid: child.pid ?? 0,
    thread: undefined,
    post: (message, handle, unsent) => {
      if (!child.connected) return
      child.send(message, handle as childProcess.SendHandle | undefined, { keepOpen: true }, (error) => {
        if (error !== null) unsent?.()
      })
    },
    move: () => {
      throw new Error("connections go to threads only")
    },
    signal: (signal) => void child.kill(signal),
    kill: () => void child.kill("SIGKILL"),
    release: () => {
      isReleased = true
      clearTimeout(lost)
      if (child.connected) child.disconnect()
      child.unref()
    }
  }
}

export interface Module {
  /** What each thread runs. */
  readonly module: URL
  /** Its `workerData.data`. */
  readonly data?: unknown
  /** Its `process.argv` from the third on. */
  readonly argv?: ReadonlyArray<string> | undefined
  readonly execArgv?: ReadonlyArray<string> | undefined
  readonly resourceLimits?: ResourceLimits | undefined
}

export const startThread = (
  { argv, data, execArgv, module, resourceLimits }: Module,
  events: Events
): HeirLine => {
  const { port1, port2 } = new MessageChannel()
  const workerData: ThreadData & { readonly data: unknown } = { "spindle/heir": port2, data }
  const worker = new Worker(module, {
    workerData,
    transferList: [port2],
    ...(argv === undefined ? {} : { argv: [...argv] }),
    ...(execArgv === undefined ? {} : { execArgv: [...execArgv] }),
    ...(resourceLimits === undefined ? {} : { resourceLimits })
  })
  let error: string | undefined
  let isClosed = false
  port1.on("message", events.message)
  port1.once("close", () => {
    isClosed = true
  })
  worker.on("error", (thrown: unknown) => {
    error ??= thrown instanceof Error ? thrown.message : String(thrown)
  })
  worker.on("exit", (code) => {
    port1.close()
    events.ended({ code, signal: undefined, error })
  })
  return {
    pid: process.pid,
    thread: worker,
    post: (message) => port1.postMessage(message),
    move: (message, moved) => {
      // Node would take it all the same, and lose it.
      if (isClosed) throw Object.assign(new Error("the thread has ended"), { code: notRunning })
      // The typings of the transfer list do not know sockets yet.
      port1.postMessage(message, [moved as never])
    },
    signal: () => {},
    kill: () => void worker.terminate(),
    release: () => {}
  }
}

export const describeEnd = ({ code, error, signal }: End): string => {
  if (error !== undefined) return error
  return signal === undefined ? `it ended with code ${code}` : `it was ended by ${signal}`
}
