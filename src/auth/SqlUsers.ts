/**
 * Users of a table, by Effect's SQL client, whatever the database. Twisted: `dbcred`, an example that everybody copies.
 *
 * ```ts check
 * import { SqlUsers } from "spindle/auth"
 *
 * const users = SqlUsers.checker({ table: "accounts", username: "email", password: "password_hash" })
 * ```
 */
import type { SecureRandom } from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { SqlClient } from "effect/sql/SqlClient"
import type * as Checker from "./Checker.ts"
import { KeyDerivation } from "./KeyDerivation.ts"
import { checkerFailed, type LoginError } from "./LoginError.ts"
import { supported } from "./PasswordHash.ts"
import * as StoredPassword from "./StoredPassword.ts"
import * as UserStore from "./UserStore.ts"

export interface Options extends UserStore.Options {
  /** Default `users`. */
  readonly table?: string | undefined
  /** The column of names. Default `username`. */
  readonly username?: string | undefined
  /** The column of passwords, as `StoredPassword` writes them. Default `password`. */
  readonly password?: string | undefined
  /** The column of what a user is known as within the program. Default: that of names. */
  readonly id?: string | undefined
  /** Whether passwords may stand there as they are. Default false. */
  readonly plain?: boolean | undefined
}

interface Row {
  readonly id: unknown
  readonly password: unknown
}

export const make = Effect.fnUntraced(function* (
  options: Options = {}
): Effect.fn.Return<UserStore.UserStore, never, SqlClient | KeyDerivation> {
  const sql = (yield* SqlClient).withoutTransforms()
  const derivation = yield* KeyDerivation
  const { password = "password", plain = false, table = "users", username = "username" } = options
  const id = sql(options.id ?? username)
  const columns = sql`SELECT ${id} AS ${sql("id")}, ${sql(password)} AS ${sql("password")} FROM ${sql(table)}`

  /** Of the first row. What cannot be used is told to the program's log, and to the peer as a user that is not there. */
  const userOf = (rows: ReadonlyArray<Row>): Effect.Effect<UserStore.User | undefined> => {
    const [row] = rows
    if (row === undefined || typeof row.password !== "string") return Effect.undefined
    const read = StoredPassword.parse(row.password)
    const why = Result.isFailure(read)
      ? read.failure
      : !plain && read.success._tag === "Plain"
        ? "it is not hashed"
        : supported(read.success, derivation)
    if (Result.isSuccess(read) && why === undefined) {
      return Effect.succeed({ id: String(row.id), password: read.success })
    }
    return Effect.as(
      Effect.logWarning(`the password of ${JSON.stringify(String(row.id))} cannot be used: ${why}`),
      undefined
    )
  }

  const ask = (rows: Effect.Effect<ReadonlyArray<Row>, unknown>) =>
    rows.pipe(
      Effect.mapError((cause): LoginError => checkerFailed("the table of users cannot be asked", cause)),
      Effect.flatMap(userOf)
    )

  return {
    find: (name) => ask(sql<Row>`${columns} WHERE ${sql(username)} = ${name}`),
    typical: Effect.map(ask(sql<Row>`${columns} LIMIT 1`), (user) => user?.password)
  }
})

export const checker = (
  options: Options = {}
): Effect.Effect<Checker.Checker<UserStore.Kind>, never, SqlClient | KeyDerivation | SecureRandom> =>
  Effect.flatMap(make(options), (store) => UserStore.checker(store, options))
