/**
 * The SQLite file: its schema, its statements, and the synchronous operations on it. All of them throw what
 * `node:sqlite` throws.
 */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import type { Reading } from "./Reading.ts"
import { StoreError } from "./StoreError.ts"

export interface Options {
  /** Created if missing, with its parents. */
  readonly directory: string
  readonly fileName: string
  /** SQLite's `synchronous`: `Store.Options` says what each promises. */
  readonly synchronous: "FULL" | "NORMAL"
  /** How long another connection's lock is waited for, holding the event loop, in milliseconds. */
  readonly busyTimeout: number
}

export interface Point {
  /** Milliseconds since 1970. */
  readonly time: number
  readonly value: number
}

/** What is known of some readings of one bucket. */
export interface Bucket {
  /** Its beginning, in milliseconds since 1970. */
  readonly time: number
  readonly count: number
  readonly sum: number
  readonly min: number
  readonly max: number
  /** The time of its last reading. */
  readonly last: number
}

const version = 1

// A name is stored once, in `series`; a reading is three numbers in the order in which they are asked for.
const schema = `
  CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    station TEXT NOT NULL,
    metric TEXT NOT NULL,
    UNIQUE (station, metric)
  ) STRICT;
  CREATE TABLE reading (
    series INTEGER NOT NULL REFERENCES series (id),
    time INTEGER NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (series, time)
  ) STRICT, WITHOUT ROWID;
  PRAGMA user_version = ${version};
`

// `time - floorMod(time - origin, width)`: SQL's % takes the sign of the dividend, and there are times before 1970.
const aggregate = `
  SELECT bucket AS time, count(*) AS count, total(value) AS sum, min(value) AS min, max(value) AS max, max(time) AS last
  FROM (
    SELECT time, value, time - ((time - :origin) % :width + :width) % :width AS bucket
    FROM reading WHERE series = :series AND time >= :from AND time < :to ORDER BY time LIMIT :limit
  )
  GROUP BY bucket ORDER BY bucket
`

const seriesCacheMax = 10_000

const migrate = (db: DatabaseSync): void => {
  // Under the write lock, for two processes may open the same new file at once.
  db.exec("BEGIN IMMEDIATE")
  try {
    const found = db.prepare("PRAGMA user_version").get()?.["user_version"]
    if (found === 0) db.exec(schema)
    else if (found !== version) {
      const detail = `the file has version ${String(found)} of the schema, this program knows ${version}`
      throw new StoreError({ operation: "open", reason: { _tag: "UnknownVersion", detail } })
    }
    db.exec("COMMIT")
  } finally {
    if (db.isTransaction) db.exec("ROLLBACK")
  }
}

export const open = (options: Options) => {
  mkdirSync(options.directory, { recursive: true })
  const db = new DatabaseSync(join(options.directory, options.fileName))
  try {
    db.exec(`PRAGMA busy_timeout = ${Math.trunc(Math.min(options.busyTimeout, 2_147_483_647))}`)
    // Readers (a backup, the sqlite3 shell) and the writer do not block one another, and a commit is one append.
    db.exec("PRAGMA journal_mode = WAL")
    db.exec(`PRAGMA synchronous = ${options.synchronous}`)
    migrate(db)
  } catch (error) {
    db.close()
    throw error
  }

  const begin = db.prepare("BEGIN IMMEDIATE")
  const commit = db.prepare("COMMIT")
  const rollback = db.prepare("ROLLBACK")
  const selectSeries = db.prepare("SELECT id FROM series WHERE station = ? AND metric = ?")
  const insertSeries = db.prepare("INSERT INTO series (station, metric) VALUES (?, ?) RETURNING id")
  const upsertReading = db.prepare(
    "INSERT INTO reading (series, time, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
  )
  const selectLatest = db.prepare(
    "SELECT time, value FROM reading WHERE series = ? ORDER BY time DESC LIMIT 1"
  )
  const selectPage = db.prepare(
    "SELECT time, value FROM reading WHERE series = ? AND time >= ? AND time < ? ORDER BY time LIMIT ?"
  )
  const selectAggregate = db.prepare(aggregate)

  // Only committed series are looked up here, or those of the transaction that is being made.
  const seriesIds = new Map<string, number>()

  const findSeries = (station: string, metric: string): number | undefined => {
    // A name has no space. A new string, so that the cache does not keep the line alive that the names are slices of.
    const key = `${station} ${metric}`
    const cached = seriesIds.get(key)
    if (cached !== undefined) return cached
    const row = selectSeries.get(station, metric) as { readonly id: number } | undefined
    if (row !== undefined) remember(key, row.id)
    return row?.id
  }

  const remember = (key: string, id: number): void => {
    // Peers choose the names: what they can make us remember has a bound.
    if (seriesIds.size >= seriesCacheMax) seriesIds.clear()
    seriesIds.set(key, id)
  }

  const makeSeries = (station: string, metric: string): number => {
    const { id } = insertSeries.get(station, metric) as { readonly id: number }
    remember(`${station} ${metric}`, id)
    return id
  }

  return {
    /** Stores all readings in one transaction, or none. Of two with one series and time, the later one stays. */
    insert: (groups: ReadonlyArray<ReadonlyArray<Reading>>): void => {
      begin.run()
      try {
        for (const group of groups) {
          for (const { station, metric, time, value } of group) {
            upsertReading.run(findSeries(station, metric) ?? makeSeries(station, metric), time, value)
          }
        }
        commit.run()
      } catch (error) {
        // The series of this transaction are gone again. (A full disk has rolled back already.)
        seriesIds.clear()
        if (db.isTransaction) rollback.run()
        throw error
      }
    },

    findSeries,

    latest: (series: number): Point | undefined => selectLatest.get(series) as Point | undefined,

    /** At most `limit` points from `from` on and before `to`, ascending. */
    page: (series: number, from: number, to: number, limit: number): Array<Point> =>
      selectPage.all(series, from, to, limit) as unknown as Array<Point>,

    /** The same readings as `page`, summed up by buckets of `width`, one of which begins at `origin`. */
    aggregatePage: (parameters: {
      readonly series: number
      readonly from: number
      readonly to: number
      readonly limit: number
      readonly origin: number
      readonly width: number
    }): Array<Bucket> => selectAggregate.all({ ...parameters }) as unknown as Array<Bucket>,

    close: (): void => db.close()
  }
}

export type Database = ReturnType<typeof open>
