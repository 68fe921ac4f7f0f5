/** What is looked up: what the application supplies. The ready default is a table in memory. */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** The table cannot say now: Postfix gets a 400, and defers. `detail` is what it logs; tell nothing secret. */
export class Unavailable extends Data.TaggedError("Unavailable")<{
  readonly detail: string
  readonly cause?: unknown
}> {}

/** The table does not take it: Postfix gets a 500. */
export class Refused extends Data.TaggedError("Refused")<{ readonly detail: string }> {}

/** Twisted: `PostfixTCPMapDeferringDictServerFactory`. */
export class PostfixTable extends Context.Service<
  PostfixTable,
  {
    /** `undefined` for none. */
    readonly get: (key: string) => Effect.Effect<string | undefined, Unavailable>
    readonly put: (key: string, value: string) => Effect.Effect<void, Unavailable | Refused>
  }
>()("spindle/postfix/PostfixTable") {}

const readOnly = new Refused({ detail: "this table is only read" })

/** A table that is only read. */
export const fromLookup = (get: PostfixTable["Service"]["get"]): PostfixTable["Service"] => ({
  get,
  put: () => Effect.fail(readOnly)
})

/** Entries in memory; only read. */
export const memory = (entries: Iterable<readonly [key: string, value: string]>): PostfixTable["Service"] => {
  const table = new Map(entries)
  return fromLookup((key) => Effect.sync(() => table.get(key)))
}

/** A table of these entries. Default an empty one. */
export const layer = (
  entries: Iterable<readonly [key: string, value: string]> = []
): Layer.Layer<PostfixTable> => Layer.succeed(PostfixTable, memory(entries))
