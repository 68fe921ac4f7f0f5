/** Servers and load generators as processes that speak JSON lines on stdout and obey lines on stdin. */
import { spawn } from "node:child_process"
import type { ChildProcessWithoutNullStreams } from "node:child_process"
import { createInterface } from "node:readline"
import type { Server } from "./Case.ts"
import { pin } from "./machine.ts"

const ANSWER_TIMEOUT_MILLIS = 20_000

/** A running process, asked one question at a time. */
export class Conversation {
  readonly child: ChildProcessWithoutNullStreams
  readonly exited: Promise<void>
  private readonly lines: Array<string> = []
  private complaint = ""
  private wake: () => void = () => {}
  private exit: string | undefined

  constructor(command: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) {
    const [program = "", ...args] = command
    this.child = spawn(program, args, { env: { ...process.env, ...env }, stdio: "pipe" })
    // A process that is gone says so by its exit; writing to it must not end the harness.
    this.child.stdin.on("error", () => {})
    this.child.stderr.on("data", (bytes: Buffer) => {
      this.complaint = (this.complaint + String(bytes)).slice(-2000)
    })
    this.child.on("error", (error) => {
      this.complaint += error.message
    })
    createInterface({ input: this.child.stdout }).on("line", (line) => {
      this.lines.push(line)
      this.wake()
    })
    this.exited = new Promise((resolve) => {
      this.child.on("close", (code, signal) => {
        this.exit = `ended with ${signal ?? `exit code ${code}`}`
        this.wake()
        resolve()
      })
    })
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  say(line: string): void {
    this.child.stdin.write(`${line}\n`)
  }

  /** The next JSON line. Fails when the process ends, answers with an error, or does not answer in time. */
  async answer(timeoutMillis = ANSWER_TIMEOUT_MILLIS): Promise<Readonly<Record<string, unknown>>> {
    let late = false
    const timer = setTimeout(() => {
      late = true
      this.wake()
    }, timeoutMillis)
    while (this.lines.length === 0 && this.exit === undefined && !late) {
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
    clearTimeout(timer)
    const line = this.lines.shift()
    if (line === undefined) throw new Error(this.lastWords ?? `no answer in ${timeoutMillis} ms`)
    const value = JSON.parse(line) as Readonly<Record<string, unknown>>
    if (typeof value.error === "string") throw new Error(value.error)
    return value
  }

  async ask(line: string): Promise<Readonly<Record<string, unknown>>> {
    this.say(line)
    return this.answer()
  }

  /** Ends the process: by the end of its stdin, by force where that does not help. */
  async stop(): Promise<void> {
    this.child.stdin.end()
    const timer = setTimeout(() => this.child.kill("SIGKILL"), 3000)
    await this.exited
    clearTimeout(timer)
  }

  /** What a process that has ended said last; `undefined` while it runs. */
  get lastWords(): string | undefined {
    if (this.exit === undefined) return undefined
    const lines = this.complaint.split("\n").filter((line) => line.trim() !== "")
    // Node and Python both put the error itself on a line that begins with its name.
    return lines.find((line) => /^[\w.]*(Error|Exception)\b/.test(line)) ?? lines.at(-1) ?? this.exit
  }
}

/** A figure of an answer; 0 where it is missing or null. */
export const figure = (value: Readonly<Record<string, unknown>>, name: string): number =>
  typeof value[name] === "number" ? value[name] : 0

/** A server of a case, listening. */
export interface RunningServer {
  readonly conversation: Conversation
  readonly port: number
}

export const startServer = async (server: Server): Promise<RunningServer> => {
  const conversation = new Conversation([...pin("server"), ...server.command], { ...server.env, PORT: "0" })
  try {
    return { conversation, port: figure(await conversation.answer(), "port") }
  } catch (error) {
    await conversation.stop()
    throw error
  }
}

/** Processor time of a server so far, in microseconds. */
export const serverCpuMicros = async (server: RunningServer): Promise<number> => {
  const cpu = await server.conversation.ask("cpu")
  return figure(cpu, "userMicros") + figure(cpu, "systemMicros")
}

/** What the generator found out; times in the unit of the name, `messages` inside the window, `messagesAll` with its tail. */
export interface LoadResult {
  readonly messages: number
  readonly messagesAll: number
  readonly bytes: number
  readonly seconds: number
  /** Processor time of the generator inside the window, and of its process as a whole. */
  readonly cpuMicros: number
  readonly processMicros: number
  readonly p50Micros: number
  readonly p99Micros: number
  /** Replies that began with `ok`, and the others (mode `request-reply-lines`). */
  readonly ok: number
  readonly other: number
  /** Datagrams that were not answered in time (mode `udp`). */
  readonly lost: number
}

export const startLoad = (
  generator: ReadonlyArray<string>,
  mode: string,
  port: number,
  args: ReadonlyArray<string>
): Conversation => new Conversation([...pin("load"), ...generator, mode, String(port), ...args])

/** Modes that say when their connections are open, and wait to be told to go on; and again at the end. */
const announced: ReadonlySet<string> = new Set(["websocket-fan"])

/** One run of the generator, to its end. `look` is called when such connections are open, and before they are closed. */
export const runLoad = async (
  generator: ReadonlyArray<string>,
  mode: string,
  port: number,
  args: ReadonlyArray<string>,
  look: () => Promise<void>
): Promise<LoadResult> => {
  const load = startLoad(generator, mode, port, args)
  try {
    const isAnnounced = announced.has(mode)
    if (isAnnounced) {
      await load.answer(60_000)
      await look()
      load.say("go")
    }
    const result = await load.answer(60_000)
    if (isAnnounced) await look()
    return {
      messages: figure(result, "messages"),
      messagesAll: figure(result, "messagesAll"),
      bytes: figure(result, "bytes"),
      seconds: figure(result, "seconds"),
      cpuMicros: figure(result, "userMicros") + figure(result, "systemMicros"),
      processMicros: figure(result, "processMicros"),
      p50Micros: figure(result, "p50Micros"),
      p99Micros: figure(result, "p99Micros"),
      ok: figure(result, "ok"),
      other: figure(result, "other"),
      lost: figure(result, "lost")
    }
  } finally {
    await load.stop()
  }
}
