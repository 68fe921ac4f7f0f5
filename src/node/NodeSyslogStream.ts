/** System logs that are reached through a stream, which is made again whenever it is lost: TCP, and the program `logger`. */
import * as childProcess from "node:child_process"
import * as net from "node:net"
import type { Writable } from "node:stream"
import { atExit } from "./atExit.ts"
import { NodeSyslogQueue, type QueueOptions } from "./NodeSyslogQueue.ts"

/** A way to it. `ended` is called once, whether it was ever good or not. */
export interface Way {
  readonly stream: Writable
  /** Ends it; what was written is sent. */
  readonly end: () => void
  /** At once. */
  readonly destroy: () => void
}

export type Open = (events: { readonly ready: () => void; readonly ended: (error?: Error) => void }) => Way

const pauseMillisMin = 500
const pauseMillisMax = 30_000
/** What was good for so long begins with the first pause again. */
const goodMillis = 10_000

/** RFC 6587, 3.4.1: each message with its length before it. */
export const counted = (message: string): string => `${Buffer.byteLength(message)} ${message}`

export const line = (message: string): string => `${message}\n`

export const tcp =
  (host: string, port: number): Open =>
  ({ ended, ready }) => {
    const socket = net.connect({ host, port })
    // The log keeps no process alive.
    socket.unref()
    let failure: Error | undefined
    socket.on("connect", ready)
    socket.on("error", (error) => void (failure = error))
    socket.on("close", () => ended(failure))
    // Nothing is said to us; its end is an end.
    socket.resume()
    return { stream: socket, end: () => void socket.end(), destroy: () => void socket.destroy() }
  }

/** A program that reads messages, one a line. In a session of its own: what ends us must not end it before us. */
export const program =
  (command: string, args: ReadonlyArray<string>): Open =>
  ({ ended, ready }) => {
    const child = childProcess.spawn(command, args, { stdio: ["pipe", "ignore", "ignore"], detached: true })
    child.unref()
    if ((child.stdin as typeof child.stdin | undefined) === undefined) {
      child.on("error", () => {})
      throw new Error(`${command} cannot be started: too many processes or open files`)
    }
    ;(child.stdin as net.Socket).unref()
    // Told by its end.
    child.stdin.on("error", () => {})
    let isOver = false
    const over = (error?: Error) => {
      if (isOver) return
      isOver = true
      child.stdin.destroy()
      ended(error)
    }
    child.on("spawn", ready)
    child.on("error", over)
    child.on("exit", (code, signal) => over(new Error(`${command} ended (${signal ?? `exit code ${code}`})`)))
    return {
      stream: child.stdin,
      end: () => void child.stdin.end(),
      destroy: () => void child.kill("SIGKILL")
    }
  }

/** Keeps a way open, from the moment it is made until it is closed. */
export class NodeSyslogStream {
  readonly queue: NodeSyslogQueue
  private readonly open: Open
  private readonly complain: QueueOptions["complain"]
  private way: Way | undefined
  private timer: NodeJS.Timeout | undefined
  private pause = pauseMillisMin
  private readyAt: number | undefined
  private isClosed = false
  private isTold = false
  private readonly closing = new Set<() => void>()
  private readonly forget: () => void
  /** Called with the outcome of the first attempt. */
  private first: ((error: Error | undefined) => void) | undefined

  constructor(open: Open, options: QueueOptions, first: (error: Error | undefined) => void) {
    this.open = open
    this.queue = new NodeSyslogQueue(options)
    this.complain = options.complain
    this.first = first
    this.forget = atExit(this.queue.flushNow)
    this.start()
  }

  private start(): void {
    let isOver = false
    const ended = (error?: Error): void => {
      if (isOver) return
      isOver = true
      this.ended(error)
    }
    try {
      const way = this.open({ ready: () => this.ready(way), ended })
      this.way = way
    } catch (error) {
      ended(error instanceof Error ? error : new Error(String(error)))
    }
  }

  private ready({ stream }: Way): void {
    this.readyAt = performance.now()
    this.queue.attach(stream)
    if (this.isTold) this.complain("spindle: system log: is there again")
    this.isTold = false
    this.answer(undefined)
  }

  private answer(error: Error | undefined): void {
    const { first } = this
    this.first = undefined
    first?.(error)
  }

  private ended(error: Error | undefined): void {
    this.way = undefined
    this.queue.attach(undefined)
    if (this.first !== undefined) {
      this.isClosed = true
      this.forget()
      this.answer(error ?? new Error("it ended"))
    }
    if (this.isClosed) {
      for (const done of this.closing) done()
      return
    }
    if (!this.isTold) {
      this.complain(
        `spindle: system log: ${error?.message ?? "its connection was closed"}; it is tried again`
      )
    }
    this.isTold = true
    if (this.readyAt !== undefined && performance.now() - this.readyAt >= goodMillis)
      this.pause = pauseMillisMin
    this.readyAt = undefined
    this.timer = setTimeout(() => this.start(), this.pause)
    this.timer.unref()
    this.pause = Math.min(pauseMillisMax, 2 * this.pause)
  }

  /** Sends what waits, if it is taken within this time; calls `done` when it is over. */
  close(millis: number, done: () => void): void {
    const { way } = this
    this.isClosed = true
    clearTimeout(this.timer)
    this.forget()
    const over = () => {
      clearTimeout(timer)
      this.queue.abandon("it was away when the process ended")
      done()
    }
    const timer = setTimeout(
      () => (way === undefined ? over() : way.destroy()),
      way === undefined ? 0 : millis
    )
    if (way === undefined) return
    this.closing.add(over)
    this.queue.whenEmpty(way.end)
  }
}
