/**
 * Messages on their way to a system log that may be away: they wait, within a limit, and leave together, once a turn.
 */
import type { Writable } from "node:stream"

export interface QueueOptions {
  /** What may wait, in UTF-16 units. What comes then is lost. */
  readonly bufferLengthMax: number
  /** Told, in one line, when messages begin to be lost, and when that is over. */
  readonly complain: (text: string) => void
  /** What is sent for a message. */
  readonly frame: (message: string) => string
}

export class NodeSyslogQueue {
  private readonly options: QueueOptions
  private pending: Array<string> = []
  private pendingLength = 0
  private isScheduled = false
  private isLosing = false
  private stream: Writable | undefined
  private readonly waiting = new Set<() => void>()
  lines = 0
  lost = 0

  constructor(options: QueueOptions) {
    this.options = options
  }

  /** A message, without a line's end. Never waits, never throws. */
  readonly write = (message: string): void => {
    this.lines++
    if (this.pendingLength >= this.options.bufferLengthMax) return this.lose(1, "it does not take them")
    this.pending.push(message)
    this.pendingLength += message.length
    if (!this.isScheduled) {
      this.isScheduled = true
      setImmediate(this.endTurn)
    }
  }

  /** Sends to this one from now on; to nobody, if there is none. */
  attach(stream: Writable | undefined): void {
    this.stream = stream
    this.flushNow()
  }

  /** Calls it when nothing waits any more; gives what takes that back. */
  whenEmpty(done: () => void): () => void {
    this.flushNow()
    if (this.isEmpty) done()
    else this.waiting.add(done)
    return () => void this.waiting.delete(done)
  }

  lose(count: number, detail: string): void {
    if (count === 0) return
    this.lost += count
    if (this.isLosing) return
    this.isLosing = true
    this.options.complain(`spindle: system log: ${detail}; messages are lost`)
  }

  /** What waits is lost. */
  abandon(detail: string): void {
    this.lose(this.pending.length, detail)
    this.pending = []
    this.pendingLength = 0
  }

  readonly flushNow = (): void => {
    const { stream } = this
    if (stream !== undefined && stream.writable && !stream.writableNeedDrain && this.pending.length > 0) {
      const text = this.pending.map(this.options.frame).join("")
      this.pending = []
      this.pendingLength = 0
      stream.write(text, this.flushNow)
      if (this.isLosing) {
        this.isLosing = false
        this.options.complain(`spindle: system log: works again; ${this.lost} messages were lost so far`)
      }
    }
    if (!this.isEmpty) return
    for (const done of this.waiting) done()
    this.waiting.clear()
  }

  /** Nothing waits here, and nothing in the stream. */
  private get isEmpty(): boolean {
    return this.pending.length === 0 && (this.stream === undefined || this.stream.writableLength === 0)
  }

  private readonly endTurn = (): void => {
    this.isScheduled = false
    this.flushNow()
  }
}
