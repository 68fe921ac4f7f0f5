/**
 * What an application fails with, as a page or JSON instead of an empty answer: status by Effect's rules (a `RouteNotFound` is 404, a defect
 * 500), the story of a failure in development only. It is logged as before. Twisted: `Site.displayTracebacks`.
 *
 * ```ts check
 * import { ErrorPages } from "spindle/http"
 *
 * const pages = ErrorPages.layer({ development: true })
 * ```
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpRouter from "effect/http/HttpRouter"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import type * as Layer from "effect/Layer"
import * as Failure from "../result/Failure.ts"
import * as ErrorPage from "./ErrorPage.ts"

export interface Options {
  /** Shows tracebacks to whoever asks: file names, messages, values. Never where strangers ask. Default `false`. */
  readonly development?: boolean | undefined
}

const pageOf = (
  request: HttpServerRequest,
  response: HttpServerResponse,
  cause: Cause.Cause<unknown>,
  development: boolean
): HttpServerResponse => {
  const { body, headers, status } = response
  if (status < 400 || body._tag !== "Empty") return response
  const { "content-length": _, "content-type": __, ...kept } = headers
  if (!development || status < 500) return ErrorPage.of(request, status, { headers: kept })
  const failure = Failure.fromCause(cause)
  return ErrorPage.of(request, status, {
    headers: kept,
    html: Failure.html(failure),
    trace: Failure.render(failure)
  })
}

/** Around what handles requests. What answers with a body of its own is left as it is. */
export const middleware =
  ({ development = false }: Options = {}) =>
  <E, R>(
    app: Effect.Effect<HttpServerResponse, E, R>
  ): Effect.Effect<HttpServerResponse, E, R | HttpServerRequest> =>
    Effect.tapCause(app, (cause) =>
      HttpEffect.appendPreResponseHandler((request, response) =>
        Effect.sync(() => pageOf(request, response, cause, development))
      )
    )

/** For all routes of the router, and for what none of them has. */
export const layer = (options?: Options): Layer.Layer<never, never, HttpRouter.HttpRouter> =>
  HttpRouter.middleware(middleware(options), { global: true }) as Layer.Layer<
    never,
    never,
    HttpRouter.HttpRouter
  >
