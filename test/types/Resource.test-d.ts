import type * as Effect from "effect/Effect"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import { describe, expectTypeOf, it } from "vitest"
import * as Resource from "../../src/http/Resource.ts"

type Answer<E, R> = Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
declare const one: Answer<"one", "Db">
declare const two: Answer<"two", "Log">
declare const find: Effect.Effect<Resource.Resource<"below", "Cache"> | undefined, "lookup", "Index">

describe("Resource", () => {
  it("tells of errors and needs anywhere in the tree", () => {
    const tree = Resource.make({
      GET: one,
      POST: (place) => {
        expectTypeOf(place).toEqualTypeOf<Resource.Place>()
        return two
      },
      children: { a: Resource.make({ getChild: () => find }), b: Resource.make({}) }
    })
    expectTypeOf(tree).toEqualTypeOf<
      Resource.Resource<"one" | "two" | "below" | "lookup", "Db" | "Log" | "Cache" | "Index">
    >()
    expectTypeOf(Resource.toHandler(tree)).toEqualTypeOf<
      Answer<"one" | "two" | "below" | "lookup", "Db" | "Log" | "Cache" | "Index" | HttpServerRequest>
    >()
    expectTypeOf(Resource.make({})).toEqualTypeOf<Resource.Resource<never, never>>()
  })
})
