/** The API as data: what the server implements, what clients are derived from, and what the OpenAPI document says. */
import * as Context from "effect/Context"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as HttpApiSecurity from "effect/http-api/HttpApiSecurity"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import { Item, ItemInput, ItemPatch } from "./Item.ts"
import {
  Changed,
  ConditionMissing,
  Forbidden,
  NotFound,
  SkuTaken,
  TooManyRequests,
  Unauthorized
} from "./Problems.ts"

/** Who asks. */
export class User extends Context.Service<User, { readonly name: string; readonly mayWrite: boolean }>()(
  "examples/rest/User"
) {}

/** By name and password, or by a token. */
export class Access extends HttpApiMiddleware.Service<Access, { provides: User }>()("examples/rest/Access", {
  security: { basic: HttpApiSecurity.basic, bearer: HttpApiSecurity.bearer },
  error: [Unauthorized, TooManyRequests]
}) {}

/** So much for each user. */
export class Fairness extends HttpApiMiddleware.Service<Fairness, { requires: User }>()(
  "examples/rest/Fairness",
  { error: TooManyRequests }
) {}

const params = { id: Schema.Int }
const etag = { etag: Schema.String }
const tagged = HttpApiSchema.WithHeaders(Item, etag)
/** RFC 9110 §15.4.5: what the client has is still so. */
const notModified = HttpApiSchema.WithHeaders(HttpApiSchema.Empty(304), etag)
const ifNoneMatch = { "if-none-match": Schema.optionalKey(Schema.String) }
const ifMatch = { "if-match": Schema.optionalKey(Schema.String) }
const conditional = [Forbidden, NotFound, Changed, ConditionMissing] as const

const limit = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100 }))

/** By number, from `after` on; `next` is the `after` of the next page. */
export class Page extends Schema.Class<Page>("Page")({
  items: Schema.Array(Item),
  next: Schema.optionalKey(Schema.Int)
}) {}

export const listQuery = {
  /** At most so many, 20 if it is not said. */
  limit: Schema.optionalKey(limit),
  after: Schema.optionalKey(Schema.Int),
  /** Part of the name, in any case of the letters of ASCII. */
  name: Schema.optionalKey(Schema.String),
  quantityMin: Schema.optionalKey(Schema.Int),
  quantityMax: Schema.optionalKey(Schema.Int)
}

const items = HttpApiGroup.make("items")
  .add(
    HttpApiEndpoint.get("list", "/", {
      query: listQuery,
      headers: ifNoneMatch,
      success: [HttpApiSchema.WithHeaders(Page, etag), notModified]
    }),
    HttpApiEndpoint.post("create", "/", {
      payload: ItemInput,
      success: HttpApiSchema.WithHeaders(Item, { ...etag, location: Schema.String }).pipe(
        HttpApiSchema.status(201)
      ),
      error: [Forbidden, SkuTaken]
    }),
    HttpApiEndpoint.get("read", "/:id", {
      params,
      headers: ifNoneMatch,
      success: [tagged, notModified],
      error: NotFound
    }),
    HttpApiEndpoint.put("replace", "/:id", {
      params,
      headers: ifMatch,
      payload: ItemInput,
      success: tagged,
      error: [...conditional, SkuTaken]
    }),
    HttpApiEndpoint.patch("patch", "/:id", {
      params,
      headers: ifMatch,
      payload: ItemPatch.pipe(HttpApiSchema.asJson({ contentType: "application/merge-patch+json" })),
      success: tagged,
      error: [...conditional, SkuTaken]
    }),
    HttpApiEndpoint.delete("remove", "/:id", {
      params,
      headers: ifMatch,
      success: HttpApiSchema.NoContent,
      error: conditional
    })
  )
  .prefix("/items")
  .middleware(Fairness)
  .middleware(Access)

export const InventoryApi = HttpApi.make("inventory")
  .add(items)
  .middleware(HttpApiMiddleware.ProblemDetails)
  .annotateMerge(
    OpenApi.annotations({
      title: "Inventory",
      version: "1",
      description:
        "How many there are of what. Whoever changes an item says in `If-Match` which version is meant."
    })
  )
