/** Tables by their names: what the application supplies to a socketmap. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { PostfixTable, Refused, Unavailable } from "./PostfixTable.ts"

export class SocketmapTables extends Context.Service<
  SocketmapTables,
  {
    /**
     * A table that is only looked at; `undefined` for none of that name. A lookup that fails as `Unavailable` is a `TEMP`, one that fails as
     * `Refused` a `PERM`.
     */
    readonly table: (
      name: string
    ) =>
      | { readonly get: (key: string) => Effect.Effect<string | undefined, Unavailable | Refused> }
      | undefined
  }
>()("spindle/postfix/SocketmapTables") {}

/** These tables, by their names. */
export const fromRecord = (
  tables: Readonly<Record<string, Pick<PostfixTable["Service"], "get">>>
): SocketmapTables["Service"] => {
  const byName = new Map(Object.entries(tables))
  return { table: (name) => byName.get(name) }
}

export const layer = (
  tables: Readonly<Record<string, Pick<PostfixTable["Service"], "get">>>
): Layer.Layer<SocketmapTables> => Layer.succeed(SocketmapTables, fromRecord(tables))
