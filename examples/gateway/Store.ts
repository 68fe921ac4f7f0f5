/** The readings, on disk. */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Database from "./Database.ts"
import type { Point } from "./Database.ts"
import * as GroupCommit from "./GroupCommit.ts"
import type { Reading } from "./Reading.ts"
import { StoreError, storeError } from "./StoreError.ts"

export type { Point } from "./Database.ts"

export interface Series {
  readonly station: string
  readonly metric: string
}

export interface RangeQuery extends Series {
  /** The first time that counts, in milliseconds since 1970. Default: the beginning of time. */
  readonly from?: number | undefined
  /** The first time that does not count any more. Default: the end of time. */
  readonly to?: number | undefined
  /** The most points that are returned, the earliest ones: 1 to 100,000. Default: 1,000. */
  readonly limit?: number | undefined
}

export type AggregateFunction = "avg" | "min" | "max" | "count"

export interface AggregateQuery extends RangeQuery {
  /**
   * The width of a bucket in milliseconds. Buckets are those of UTC: they begin at 1970-01-01T00:00Z and at every
   * multiple of the width before and after; if it is whole weeks, at Monday 1970-01-05 instead.
   */
  readonly bucket: number
  readonly fn: AggregateFunction
}

export interface Page {
  readonly points: ReadonlyArray<Point>
  /** The query for what comes after; none when this was all. */
  readonly next: Option.Option<RangeQuery>
}

export const limitDefault = 1_000
export const limitMax = 100_000

export interface Options {
  readonly directory: string
  /** Default: `telemetry.db`. SQLite puts `-wal` and `-shm` beside it. */
  readonly fileName?: string | undefined
  /**
   * What an acknowledged reading survives. `"NORMAL"`: the end of this process in any way, `kill -9` too, because a
   * commit has been written to the operating system. `"FULL"` (the default): also the end of the system, a power cut,
   * because a commit waits until the disk has it. Measured on a virtual machine's disk, FULL costs 0.15 ms a commit:
   * 5,500 commits of one reading a second against 71,000 with NORMAL, but 1.3 against 1.5 million readings a second in
   * batches of 5,000. With group commits the dear case is rare, so the safer setting is the default.
   */
  readonly synchronous?: "FULL" | "NORMAL" | undefined
  /** How long a commit waits for another process that is writing, holding the event loop. Default: 100 ms. */
  readonly busyTimeout?: Duration.Input | undefined
  /** The most readings in one transaction; 5,000 (the default) take about 4 ms. */
  readonly batchReadingsMax?: number | undefined
  /** An append that finds this many readings waiting for their commit waits for room first. Default: 50,000. */
  readonly queueReadingsMax?: number | undefined
}

// One step of a long query, a few milliseconds, after which the event loop turns.
const pageRows = 2_000
const aggregateRows = 20_000

const week = 7 * 24 * 60 * 60 * 1_000
// 1970-01-05 was the first Monday.
const firstMonday = 4 * 24 * 60 * 60 * 1_000

const timeEnd = Number.MAX_SAFE_INTEGER

const limitOf = (query: RangeQuery): number =>
  Math.min(Math.max(Math.trunc(query.limit ?? limitDefault), 1), limitMax)

const pick = (bucket: Database.Bucket, fn: AggregateFunction): number =>
  fn === "avg" ? bucket.sum / bucket.count : bucket[fn]

const merge = (left: Database.Bucket, right: Database.Bucket): Database.Bucket => ({
  time: left.time,
  count: left.count + right.count,
  sum: left.sum + right.sum,
  min: Math.min(left.min, right.min),
  max: Math.max(left.max, right.max),
  last: right.last
})

/**
 * Stores readings and answers questions about them. A reading is known by its station, metric and time: a second one
 * with the same three replaces the value of the first (the last write wins).
 */
export class Store extends Context.Service<
  Store,
  {
    /**
     * Returns once the reading is committed. Everything appended in one turn of the event loop is one transaction; if
     * that fails, all of its appends fail, nothing of them is stored, and the store goes on. Interrupted before the
     * commit, the reading is not stored.
     */
    readonly append: (reading: Reading) => Effect.Effect<void, StoreError>
    /**
     * The same for many at once, in their order. More than `batchReadingsMax` take several transactions, and if one
     * fails, the ones before it stay.
     */
    readonly appendAll: (readings: ReadonlyArray<Reading>) => Effect.Effect<void, StoreError>
    /** The reading with the greatest time. */
    readonly latest: (series: Series) => Effect.Effect<Option.Option<Point>, StoreError>
    /** A part of a range, ascending by time: for who does not want all of it in memory at once. */
    readonly page: (query: RangeQuery) => Effect.Effect<Page, StoreError>
    /** A range, ascending by time, at most `limit` points. A series that is not known has none. */
    readonly readings: (query: RangeQuery) => Effect.Effect<ReadonlyArray<Point>, StoreError>
    /**
     * One point for each bucket that has readings, ascending: the bucket's beginning, even if `from` is later, and the
     * function over the readings in it that are in the range. At most `limit` buckets. An average is not finite if
     * the sum of its readings is not.
     */
    readonly aggregate: (query: AggregateQuery) => Effect.Effect<ReadonlyArray<Point>, StoreError>
  }
>()("examples/gateway/Store") {
  /** Opens the file, and creates it where there is none. Closing commits what was appended. */
  static readonly layer = (options: Options): Layer.Layer<Store, StoreError> =>
    Layer.effect(Store, make(options))
}

const make = Effect.fnUntraced(function* (options: Options) {
  const database = yield* Effect.acquireRelease(
    Effect.try({
      try: () =>
        Database.open({
          directory: options.directory,
          fileName: options.fileName ?? "telemetry.db",
          synchronous: options.synchronous ?? "FULL",
          busyTimeout: Duration.toMillis(options.busyTimeout ?? "100 millis")
        }),
      catch: storeError("open")
    }),
    (database) => Effect.sync(database.close)
  )

  const appends = yield* GroupCommit.make<Reading, StoreError>({
    batchItemsMax: options.batchReadingsMax ?? 5_000,
    queueItemsMax: options.queueReadingsMax ?? 50_000,
    closed: () =>
      new StoreError({ operation: "append", reason: { _tag: "Closed", detail: "the store is closed" } }),
    commit: (batch) => {
      try {
        database.insert(batch)
        return Exit.void
      } catch (cause) {
        return Exit.fail(storeError("append")(cause))
      }
    }
  })

  const latest = (series: Series) =>
    Effect.try({
      try: () => {
        const id = database.findSeries(series.station, series.metric)
        const point = id === undefined ? undefined : database.latest(id)
        return Option.fromUndefinedOr(point)
      },
      catch: storeError("latest")
    })

  const page = (query: RangeQuery) =>
    Effect.try({
      try: (): Page => {
        const id = database.findSeries(query.station, query.metric)
        if (id === undefined) return { points: [], next: Option.none() }
        const limit = limitOf(query)
        const rows = Math.min(limit, pageRows)
        const points = database.page(id, query.from ?? -timeEnd, query.to ?? timeEnd, rows)
        const last = points.at(-1)
        return {
          points,
          next:
            last === undefined || points.length < rows || rows === limit
              ? Option.none()
              : Option.some({ ...query, from: last.time + 1, limit: limit - rows })
        }
      },
      catch: storeError("readings")
    })

  const readings = Effect.fnUntraced(function* (query: RangeQuery) {
    let { points, next } = yield* page(query)
    if (Option.isNone(next)) return points
    const all = [...points]
    while (Option.isSome(next)) {
      yield* Effect.yieldNow
      ;({ points, next } = yield* page(next.value))
      for (const point of points) all.push(point)
    }
    return all
  })

  const aggregate = Effect.fnUntraced(function* (query: AggregateQuery) {
    const series = yield* Effect.try({
      try: () => database.findSeries(query.station, query.metric),
      catch: storeError("aggregate")
    })
    if (series === undefined) return []
    const buckets: Array<Database.Bucket> = []
    const bucketsMax = limitOf(query)
    const to = query.to ?? timeEnd
    const width = query.bucket
    const origin = width % week === 0 ? firstMonday : 0
    let from = query.from ?? -timeEnd
    for (;;) {
      const found = yield* Effect.try({
        try: () => database.aggregatePage({ series, from, to, limit: aggregateRows, origin, width }),
        catch: storeError("aggregate")
      })
      let rows = 0
      for (const bucket of found) {
        rows += bucket.count
        from = bucket.last + 1
        const previous = buckets.at(-1)
        // A step may end in the middle of a bucket.
        if (previous?.time === bucket.time) buckets[buckets.length - 1] = merge(previous, bucket)
        else buckets.push(bucket)
      }
      // One more than asked for tells that the last one asked for is whole.
      if (rows < aggregateRows || buckets.length > bucketsMax) break
      yield* Effect.yieldNow
    }
    return buckets
      .slice(0, bucketsMax)
      .map((bucket) => ({ time: bucket.time, value: pick(bucket, query.fn) }))
  })

  return Store.of({
    append: (reading) => appends.submit([reading]),
    appendAll: appends.submit,
    latest,
    page,
    readings,
    aggregate
  })
})
