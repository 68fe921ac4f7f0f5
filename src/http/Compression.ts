/**
 * Answers in a coding that whoever asks understands: Effect's rules (`HttpMiddleware.compression`) over Node's zlib. Twisted:
 * `EncodingResourceWrapper`, `GzipEncoderFactory`.
 *
 * ```ts check
 * import { Compression } from "spindle/http"
 *
 * export const compression = Compression.layer({ algorithms: ["zstd", "br", "gzip"], minSize: 1024 })
 * ```
 *
 * Compressed are 2xx to 5xx with a body of a type that is worth it; not what is a part (206), has a coding, is shorter than `minSize`, or says
 * `Cache-Control: no-transform`. A tag becomes a weak one. Pieces of a stream leave as they come. `HEAD` says what `GET` would, but for
 * a length that nobody knows before it is compressed.
 *
 * **BREACH**: the length of a compressed answer tells whether what somebody made a browser send is also in what is secret there. Do not
 * compress pages that have both; `Content-Encoding: identity` or `no-transform` leaves one out, `compressible` whole types.
 */
import * as Effect from "effect/Effect"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpPlatform from "effect/http/HttpPlatform"
import * as HttpRouter from "effect/http/HttpRouter"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as NodeCompression from "../node/NodeCompression.ts"

type Response = HttpServerResponse.HttpServerResponse

export type Options = NonNullable<Parameters<typeof HttpMiddleware.compression>[0]>

const varyOf = (vary: string | undefined): string =>
  vary === undefined
    ? "Accept-Encoding"
    : /(^|,)\s*(\*|accept-encoding)\s*(,|$)/i.test(vary)
      ? vary
      : `${vary}, Accept-Encoding`

const coded = (response: Response, coding: NodeCompression.Coding, body: HttpBody.HttpBody): Response => {
  const { etag } = response.headers
  return HttpServerResponse.setBody(response, body).pipe(
    HttpServerResponse.removeHeader("content-length"),
    HttpServerResponse.setHeaders({
      "content-encoding": coding,
      vary: varyOf(response.headers["vary"]),
      ...(etag === undefined || etag.startsWith("W/") ? {} : { etag: `W/${etag}` }),
      ...(body._tag === "Uint8Array" ? { "content-length": String(body.contentLength) } : {})
    })
  )
}

const compressResponse: HttpPlatform.Compression["compressResponse"] = (response, coding, options) => {
  const { body } = response
  const given = response.headers["content-type"]
  switch (body._tag) {
    case "Uint8Array":
      return Effect.map(NodeCompression.compress(body.body, coding, options?.level), (bytes) =>
        coded(response, coding, HttpBody.uint8Array(bytes, given ?? body.contentType))
      )
    case "Stream":
      return Effect.succeed(
        coded(
          response,
          coding,
          HttpBody.stream(
            NodeCompression.stream(body.stream, coding, options?.level),
            given ?? body.contentType
          )
        )
      )
    default:
      return Effect.succeed(response)
  }
}

const notHere = () => Effect.die(new Error("files are served by StaticFiles"))

const platform = HttpPlatform.HttpPlatform.of({
  platform: "node",
  compression: { algorithms: NodeCompression.codings, compressResponse },
  fileResponse: notHere,
  fileWebResponse: notHere
})

/**
 * What answers `HEAD` without a body has one for `GET`: it stands in, and is never read. Without it the length of what is not
 * compressed would be told, and the tag of it.
 */
const standIn: HttpEffect.PreResponseHandler = (request, response) => {
  const { body, headers } = response
  const length = Number(headers["content-length"] ?? 0)
  const type = headers["content-type"]
  return Effect.succeed(
    request.method === "HEAD" && body._tag === "Empty" && type !== undefined && length > 0
      ? HttpServerResponse.setBody(response, HttpBody.stream(Stream.empty, type, length))
      : response
  )
}

/** Around what handles requests. Default: `br`, then `gzip` and `deflate`, of 1,024 bytes and more. */
export const middleware = (options?: Options) => {
  // It notes what is to be done with the answer, and wants a platform only then.
  const note = Effect.provideService(
    HttpMiddleware.compression(options)(Effect.succeed(HttpServerResponse.empty())),
    HttpPlatform.HttpPlatform,
    platform
  )
  return <E, R>(app: Effect.Effect<Response, E, R>): Effect.Effect<Response, E, R | HttpServerRequest> =>
    Effect.andThen(HttpEffect.appendPreResponseHandler(standIn), Effect.andThen(note, app))
}

/** For all routes of the router. */
export const layer = (options?: Options): Layer.Layer<never, never, HttpRouter.HttpRouter> =>
  HttpRouter.middleware(middleware(options), { global: true }) as Layer.Layer<
    never,
    never,
    HttpRouter.HttpRouter
  >
