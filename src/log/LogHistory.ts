/**
 * An observer that keeps the newest lines, for whoever asks later or wants to follow: `spindle logs`. Twisted:
 * `LimitedHistoryLogObserver`.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Logger from "effect/Logger"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import * as LogRecord from "./LogRecord.ts"

type Record = LogRecord.LogRecord

export interface Options {
  /** Lines that are kept. Default 1000. */
  readonly linesMax?: number | undefined
  /** Memory that they take, about. The newest line is kept however long it is. Default 1 MiB. */
  readonly bytesMax?: number | undefined
}

export interface StreamOptions {
  /** How many of those that are kept, the newest. Default all. */
  readonly last?: number | undefined
  /** Whether to go on with what comes. Default false. */
  readonly follow?: boolean | undefined
}

/** Records that a follower gets at a time. */
const batchMax = 256

interface Kept {
  readonly record: Record
  readonly size: number
}

export class LogHistory {
  private readonly linesMax: number
  private readonly bytesMax: number
  /** A ring: the record of number `n` is at `n % linesMax`. */
  private readonly ring: Array<Kept | undefined> = []
  /** The number of the oldest that is kept. */
  private oldest = 0
  /** The number of the next one. */
  private next = 0
  private bytes = 0
  private readonly more = Latch.makeUnsafe(false)

  constructor({ bytesMax = 1_048_576, linesMax = 1000 }: Options = {}) {
    this.linesMax = Math.max(1, Math.floor(linesMax))
    this.bytesMax = bytesMax
  }

  readonly logger: Logger.Logger<unknown, void> = Logger.make((options) => this.add(LogRecord.of(options)))

  /** What is kept, the oldest first. */
  readonly records: Effect.Effect<ReadonlyArray<Record>> = Effect.sync(() =>
    this.slice(this.oldest, this.next)
  )

  /** A follower that is too slow is never waited for: a line tells it how many it missed. */
  stream({ follow = false, last = Infinity }: StreamOptions = {}): Stream.Stream<Record> {
    return Stream.suspend(() => {
      const end = this.next
      const known = Stream.fromIterable(this.slice(Math.max(this.oldest, end - Math.max(0, last)), end))
      return follow ? Stream.concat(known, this.from(end)) : known
    })
  }

  private from(position: number): Stream.Stream<Record> {
    let at = position
    const pull: Pull.Pull<readonly [Record, ...Array<Record>]> = Effect.suspend(() => {
      const skipped = this.oldest - at
      if (skipped > 0) at = this.oldest
      const batch = this.slice(at, Math.min(this.next, at + batchMax))
      at += batch.length
      const [first, ...others] = batch
      if (first !== undefined) {
        return Effect.succeed(skipped > 0 ? [missed(skipped, first), ...batch] : [first, ...others])
      }
      this.more.closeUnsafe()
      // It is woken within whoever logs, which must not wait for what a follower does.
      return Effect.andThen(this.more.await, Effect.andThen(Effect.yieldNow, pull))
    })
    return Stream.fromPull(Effect.succeed(pull))
  }

  private slice(from: number, to: number): Array<Record> {
    const records: Array<Record> = []
    for (let number = from; number < to; number++) records.push(this.ring[number % this.linesMax]!.record)
    return records
  }

  private add(record: Record): void {
    const size = LogRecord.sizeOf(record)
    if (this.next - this.oldest === this.linesMax) this.drop()
    while (this.oldest < this.next && this.bytes + size > this.bytesMax) this.drop()
    this.ring[this.next % this.linesMax] = { record, size }
    this.next++
    this.bytes += size
    this.more.openUnsafe()
  }

  private drop(): void {
    const place = this.oldest % this.linesMax
    this.bytes -= this.ring[place]!.size
    this.ring[place] = undefined
    this.oldest++
  }
}

const missed = (count: number, { time }: Record): Record => ({
  time,
  level: "Warn",
  namespace: "spindle.log",
  message: `${count} ${count === 1 ? "line was" : "lines were"} missed here`,
  values: [],
  annotations: {},
  spans: {},
  fiber: 0
})

export const make = (options?: Options): Effect.Effect<LogHistory> =>
  Effect.sync(() => new LogHistory(options))
