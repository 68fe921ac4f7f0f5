/** `effect/sql` over `node:sqlite`, in memory or in a file: what tests of tables need, and no more. */
import { DatabaseSync } from "node:sqlite"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Reactivity } from "effect/reactivity"
import * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import { classifySqliteError, SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"

const make = Effect.fnUntraced(function* (file: string) {
  const database = yield* Effect.acquireRelease(
    Effect.sync(() => new DatabaseSync(file)),
    (database) => Effect.sync(() => database.close())
  )
  const run = (sql: string, params: ReadonlyArray<unknown>): Effect.Effect<ReadonlyArray<object>, SqlError> =>
    Effect.try({
      try: () => database.prepare(sql).all(...(params as Array<string>)),
      catch: (cause) =>
        new SqlError({ reason: classifySqliteError(cause, { message: "failed", operation: "execute" }) })
    })
  const values = (sql: string, params: ReadonlyArray<unknown>) =>
    Effect.map(run(sql, params), (rows) => rows.map((row) => Object.values(row) as ReadonlyArray<unknown>))
  const connection: Connection = {
    execute: run,
    executeRaw: run,
    executeStream: (sql, params) => Stream.fromIterableEffect(run(sql, params)),
    executeValues: values,
    executeValuesUnprepared: values,
    executeUnprepared: run
  }
  const acquirers = SqlClient.makeSqliteAcquirers({
    connection: Effect.succeed(connection),
    semaphore: Semaphore.makeUnsafe(1)
  })
  return yield* SqlClient.make({
    ...acquirers,
    isTransaction: undefined,
    compiler: Statement.makeCompilerSqlite(),
    driver: "node:sqlite",
    spanAttributes: []
  })
})

export const layerFile = (file: string) =>
  Layer.effect(SqlClient.SqlClient, make(file)).pipe(Layer.provide(Reactivity.layer))

export const layer = layerFile(":memory:")
