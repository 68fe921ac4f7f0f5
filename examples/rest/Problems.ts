/** What can go wrong, as clients are told (RFC 9457): `type` tells problems apart, for programs; `detail` is for people. */
import * as HttpApiError from "effect/http-api/HttpApiError"
import * as Schema from "effect/Schema"

const type = <const Name extends string>(name: Name) => `urn:spindle:inventory:${name}` as const

export class Unauthorized extends HttpApiError.Problem<Unauthorized>()("Unauthorized", {
  type: type("unauthorized"),
  status: 401,
  title: "Say who you are"
}) {}

export class Forbidden extends HttpApiError.Problem<Forbidden>()("Forbidden", {
  type: type("forbidden"),
  status: 403,
  title: "You may read only"
}) {}

export class NotFound extends HttpApiError.Problem<NotFound>()(
  "NotFound",
  { type: type("not-found"), status: 404, title: "There is no such item" },
  { id: Schema.Int }
) {}

export class SkuTaken extends HttpApiError.Problem<SkuTaken>()(
  "SkuTaken",
  { type: type("sku-taken"), status: 409, title: "Another item has this SKU" },
  { sku: Schema.String }
) {}

/** RFC 9110 §13.1.1: somebody else was faster. */
export class Changed extends HttpApiError.Problem<Changed>()(
  "Changed",
  { type: type("changed"), status: 412, title: "The item is not what it was" },
  { etag: Schema.String }
) {}

/** RFC 6585 §3: what is changed blindly is lost. */
export class ConditionMissing extends HttpApiError.Problem<ConditionMissing>()("ConditionMissing", {
  type: type("condition-missing"),
  status: 428,
  title: "Say in If-Match which version you mean"
}) {}

export class TooManyRequests extends HttpApiError.Problem<TooManyRequests>()(
  "TooManyRequests",
  { type: type("too-many-requests"), status: 429, title: "Ask less often" },
  { retryAfterSeconds: Schema.Int }
) {}
