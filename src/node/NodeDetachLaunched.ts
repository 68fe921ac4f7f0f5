/** A daemon that is starting, as its parent sees it. */
import type * as childProcess from "node:child_process"
import * as fs from "node:fs"
import type * as net from "node:net"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { ProcessEnd } from "../reactor/ProcessEnd.ts"
import type { ProcessSignal } from "../reactor/ProcessSignal.ts"
import { type Message, parse, statusFd } from "./NodeDetachChild.ts"
import { Happening, NodeProcessLife } from "./NodeProcessLife.ts"
import { ourSignal } from "./NodeProcessSignals.ts"

/** How it went. The child lives on in the first case only. */
export type Outcome =
  | { readonly _tag: "Ready"; readonly pid: number }
  /** It said why it does not start, and the code that it exits with. */
  | { readonly _tag: "Failed"; readonly pid: number; readonly reason: string; readonly code: number }
  /** It ended, and said nothing. */
  | {
      readonly _tag: "Died"
      readonly pid: number
      readonly code: number | undefined
      readonly signal: ProcessSignal | undefined
      /** What it wrote to its standard error last. */
      readonly lines: ReadonlyArray<string>
    }

/** A file, and how long it was before. */
export interface Log {
  readonly file: string
  readonly fd: number
  readonly bytesBefore: number
}

/** What a child wrote to its standard error is kept up to this. */
const tailBytesMax = 65_536
const linesMax = 20
/** A child that has ended, or others that it started, may hold its pipes. */
const pipesMillis = 1_000

export class Launched {
  private readonly child: childProcess.ChildProcess
  private readonly pid: number
  private readonly log: Log | undefined
  private readonly grace: Duration.Input
  private readonly life: NodeProcessLife
  private readonly message = new Happening<Message>()
  private readonly closed = new Happening<true>()
  private tail = Buffer.alloc(0)

  constructor(child: childProcess.ChildProcess, pid: number, log: Log | undefined, grace: Duration.Input) {
    this.child = child
    this.pid = pid
    this.log = log
    this.grace = grace
    this.life = new NodeProcessLife(pid, { program: process.execPath, grace })
    let status = ""
    const pipe = child.stdio[statusFd] as net.Socket
    pipe.setEncoding("utf8").on("data", (text: string) => {
      status += text
      const message = parse(status)
      if (message !== undefined) this.message.done(message)
    })
    child.stderr?.on("data", (bytes: Buffer) => {
      const tail = Buffer.concat([this.tail, bytes])
      this.tail = tail.subarray(Math.max(0, tail.length - tailBytesMax))
    })
    for (const readable of [pipe, child.stderr]) readable?.on("error", () => {})
    child.once("close", () => this.closed.done(true))
    child.once("exit", (code, signal) =>
      this.life.onExit(code ?? undefined, signal === null ? undefined : ourSignal(signal))
    )
  }

  get outcome(): Effect.Effect<Outcome> {
    const said = Effect.map(this.message.wait, (message): Message | undefined => message)
    // What it said before its end may come after the news of that.
    const ended = Effect.as(
      Effect.andThen(this.life.exited, Effect.timeoutOption(this.closed.wait, pipesMillis)),
      undefined
    )
    return Effect.raceFirst(said, ended).pipe(
      Effect.flatMap((message) => this.judge(message ?? this.message.value)),
      Effect.tap(this.forget)
    )
  }

  private judge(message: Message | undefined): Effect.Effect<Outcome> {
    const { pid } = this
    // Nobody is left to end what it started.
    if (message === undefined) return Effect.map(this.stop, () => this.died())
    if ("ready" in message) return Effect.succeed({ _tag: "Ready", pid })
    // What it leaves (a pid file, sockets) is to be gone when this is told.
    return Effect.timeoutOption(this.life.exited, this.grace).pipe(
      Effect.andThen(this.stop),
      Effect.map(({ exitCode }) => ({
        _tag: "Failed",
        pid,
        reason: message.failed,
        code: exitCode || message.code
      }))
    )
  }

  private died(): Outcome {
    const end = this.life.end!
    const text = this.log === undefined ? this.tail.toString() : tailOf(this.log)
    const lines = text.split("\n").slice(-linesMax - 1)
    if (lines.at(-1) === "") lines.pop()
    return {
      _tag: "Died",
      pid: this.pid,
      code: end.exitCode,
      signal: end._tag === "Terminated" ? end.signal : undefined,
      lines: lines.slice(-linesMax)
    }
  }

  get stop(): Effect.Effect<ProcessEnd> {
    return this.life.stop
  }

  /** Nothing of it holds this process any more. */
  readonly forget: Effect.Effect<void> = Effect.sync(() => {
    for (const pipe of this.child.stdio) pipe?.destroy()
    this.child.unref()
  })
}

/** What came to the file since; others may write to it, too. */
const tailOf = ({ bytesBefore, file }: Log): string => {
  try {
    const fd = fs.openSync(file, "r")
    try {
      const { size } = fs.fstatSync(fd)
      const from = Math.max(Math.min(bytesBefore, size), size - tailBytesMax)
      const bytes = Buffer.alloc(size - from)
      return bytes.toString("utf8", 0, fs.readSync(fd, bytes, 0, bytes.length, from))
    } finally {
      fs.closeSync(fd)
    }
  } catch {
    return ""
  }
}
