/** The API, done. What is broken here is no answer to anybody: it is logged, and 500. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import { Preconditions } from "spindle/http"
import { Inventory, type Versioned } from "./Inventory.ts"
import { InventoryApi, Page, User } from "./InventoryApi.ts"
import { type ItemInput, patched } from "./Item.ts"
import { Changed, ConditionMissing, Forbidden } from "./Problems.ts"

const limitDefault = 20

const etagOf = ({ version }: Versioned): string => `"${version}"`

const answer = (one: Versioned) =>
  HttpApiSchema.withHeaders({ body: one.item, headers: { etag: etagOf(one) } })

const mayWrite = Effect.flatMap(User, (user) =>
  user.mayWrite ? Effect.void : Effect.fail(new Forbidden({}))
)

/** Whether it is what the client means (RFC 9110 §13.1.1). */
const matches = (condition: string, etag: string): boolean =>
  Preconditions.evaluate("PUT", { "if-match": condition }, { etag, modifiedMillis: undefined }) === undefined

/** Whether the client has it already (RFC 9110 §13.1.2): it is sent nothing but the tag then. */
const isKnown = (condition: string | undefined, etag: string): boolean =>
  Preconditions.evaluate("GET", { "if-none-match": condition }, { etag, modifiedMillis: undefined }) === 304

const notModified = (etag: string) => HttpApiSchema.withHeaders({ body: undefined, headers: { etag } })

export const InventoryHandlers = HttpApiBuilder.group(
  InventoryApi,
  "items",
  Effect.fnUntraced(function* (handlers) {
    const inventory = yield* Inventory

    /** The item as the client knows it. */
    const known = Effect.fnUntraced(function* (id: number, condition: string | undefined) {
      yield* mayWrite
      const one = yield* inventory.find(id).pipe(Effect.catchTag("InventoryError", Effect.die))
      if (condition === undefined) return yield* new ConditionMissing({})
      if (!matches(condition, etagOf(one))) return yield* new Changed({ etag: etagOf(one) })
      return one
    })

    const replace = Effect.fnUntraced(function* (one: Versioned, input: ItemInput) {
      const { id } = one.item
      const replaced = yield* inventory
        .replace(id, one.version, input)
        .pipe(Effect.catchTag("InventoryError", Effect.die))
      return replaced === undefined ? yield* new Changed({ etag: etagOf(one) }) : answer(replaced)
    })

    return handlers.handleAll({
      list: Effect.fnUntraced(function* ({ headers, query }) {
        // Asked for first: what changes meanwhile is newer than its tag, and is sent once more.
        const etag = `"${yield* inventory.revision.pipe(Effect.catchTag("InventoryError", Effect.die))}"`
        if (isKnown(headers["if-none-match"], etag)) return notModified(etag)
        const limit = query.limit ?? limitDefault
        const found = yield* inventory
          .list({
            limit: limit + 1,
            after: query.after ?? 0,
            name: query.name ?? "",
            quantityMin: query.quantityMin ?? 0,
            quantityMax: query.quantityMax ?? Number.MAX_SAFE_INTEGER
          })
          .pipe(Effect.catchTag("InventoryError", Effect.die))
        const items = found.slice(0, limit)
        const next = found.length > limit ? { next: items.at(-1)!.id } : {}
        return HttpApiSchema.withHeaders({ body: new Page({ items, ...next }), headers: { etag } })
      }),
      create: Effect.fnUntraced(function* ({ payload }) {
        yield* mayWrite
        const one = yield* inventory.add(payload).pipe(Effect.catchTag("InventoryError", Effect.die))
        return HttpApiSchema.withHeaders({
          body: one.item,
          headers: { etag: etagOf(one), location: `/items/${one.item.id}` }
        })
      }),
      read: Effect.fnUntraced(function* ({ headers, params }) {
        const one = yield* inventory.find(params.id).pipe(Effect.catchTag("InventoryError", Effect.die))
        return isKnown(headers["if-none-match"], etagOf(one)) ? notModified(etagOf(one)) : answer(one)
      }),
      replace: Effect.fnUntraced(function* ({ headers, params, payload }) {
        return yield* replace(yield* known(params.id, headers["if-match"]), payload)
      }),
      patch: Effect.fnUntraced(function* ({ headers, params, payload }) {
        const one = yield* known(params.id, headers["if-match"])
        return yield* replace(one, patched(one.item, payload))
      }),
      remove: Effect.fnUntraced(function* ({ headers, params }) {
        const one = yield* known(params.id, headers["if-match"])
        const removed = yield* inventory
          .remove(params.id, one.version)
          .pipe(Effect.catchTag("InventoryError", Effect.die))
        if (!removed) return yield* new Changed({ etag: etagOf(one) })
      })
    })
  })
)
