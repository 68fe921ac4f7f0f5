/**
 * Fields behind a body, of HTTP/1.1 in chunks and of HTTP/2 (RFC 9110 §6.5): what is known only when all of it was read or made, as a
 * checksum, or how it went.
 *
 * ```ts check
 * import * as Effect from "effect/Effect"
 * import { HttpServerRequest } from "effect/http/HttpServerRequest"
 * import * as HttpServerResponse from "effect/http/HttpServerResponse"
 * import * as Stream from "effect/Stream"
 * import { HttpTrailers } from "spindle/http"
 *
 * export const copy = Effect.gen(function* () {
 *   const request = yield* HttpServerRequest
 *   let bytes = 0
 *   yield* HttpTrailers.send(
 *     ["x-bytes", "x-sum"],
 *     Effect.map(HttpTrailers.received(request), (fields) => ({
 *       "x-bytes": String(bytes),
 *       "x-sum": fields["x-sum"] ?? "none"
 *     }))
 *   )
 *   return HttpServerResponse.stream(
 *     Stream.tap(request.stream, (piece) => Effect.sync(() => void (bytes += piece.length)))
 *   )
 * })
 * ```
 */
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as NodeHttpTrailers from "../node/NodeHttpTrailers.ts"

const fieldsMax = 100

/**
 * What has come behind the body of the request: nothing before its end was read. Fields that must stand in front (lengths, credentials,
 * cookies, conditions...) are left out, and so are all of them where they are more than 100. Of HTTP/1.0 and of Effect's web handlers there are none.
 */
export const received = ({ source }: HttpServerRequest): Effect.Effect<Headers.Headers> =>
  Effect.sync(() => {
    const { trailers = {} } = source as {
      readonly trailers?: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
    }
    const fields: Record<string, string> = {}
    const all = Object.entries(trailers)
    if (all.length > fieldsMax) return Headers.empty
    for (const [name, value] of all)
      if (value !== undefined && NodeHttpTrailers.mayFollow(name)) fields[name] = [value].flat().join(", ")
    return Headers.fromInput(fields)
  })

/**
 * What is to follow the answer to the request that is being handled; the last word counts. `fields` is asked for when the body was sent, and
 * a `Trailer` field tells the names in front. HTTP/1.0 has none, nor have answers without a body; files and forms of Effect's platform are sent without
 * them. A name that must not follow is a defect. Whoever reads may drop them: nothing should depend on them that cannot do without.
 */
export const send = (
  names: ReadonlyArray<string>,
  fields: Effect.Effect<Headers.Input>
): Effect.Effect<void, never, HttpServerRequest> =>
  Effect.flatMap(HttpServerRequest, ({ source }) =>
    Effect.sync(() => {
      const lower = names.map((name) => name.toLowerCase())
      const wrong = lower.find((name) => !NodeHttpTrailers.mayFollow(name))
      if (wrong !== undefined) throw new RangeError(`${JSON.stringify(wrong)} must not follow a body`)
      NodeHttpTrailers.set(source, { names: lower, fields })
    })
  )
