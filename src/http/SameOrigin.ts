/**
 * Requests that other sites make a browser send, refused before they do anything (CSRF): by what browsers say of them, so that no page needs a
 * token. `Sec-Fetch-Site` has been sent by all of them since 2023; `Origin`, by older ones, with whatever is no `GET`. What sends neither
 * is no browser: nobody makes it ask for something.
 *
 * ```ts check
 * import { SameOrigin } from "spindle/http"
 *
 * export const protection = SameOrigin.layer({ trusted: ["https://app.example.org"] })
 * ```
 *
 * It helps only if what is safe by its method changes nothing (RFC 9110 §9.2.1). Where scripts of other sites are to have access, that
 * is CORS (`HttpRouter.cors`): name them in both.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import type * as Layer from "effect/Layer"
import * as ErrorPage from "./ErrorPage.ts"

export interface Options {
  /** Origins of others that may, as browsers write them: `https://app.example.org`. Default none. */
  readonly trusted?: ReadonlyArray<string> | undefined
  /** Whether pages of other hosts below the same registered domain may. Default `false`. */
  readonly sameSite?: boolean | undefined
}

const safe = new Set(["GET", "HEAD", "OPTIONS", "TRACE"])

/** Whether no other site has made this request. */
export const isOwn = (
  request: HttpServerRequest,
  { sameSite = false, trusted = [] }: Options = {}
): boolean => {
  if (safe.has(request.method)) return true
  const { host, origin, "sec-fetch-site": site } = request.headers
  if (origin !== undefined && trusted.includes(origin)) return true
  // `none`: the user did it, by an address or a bookmark.
  if (site !== undefined)
    return site === "same-origin" || site === "none" || (sameSite && site === "same-site")
  if (origin === undefined) return true
  // `null` has no host, and is not ours.
  return URL.canParse(origin) && host !== undefined && new URL(origin).host === host.toLowerCase()
}

/** Around what handles requests: 403 for what others made somebody send. */
export const middleware =
  (options?: Options) =>
  <E, R>(
    app: Effect.Effect<HttpServerResponse, E, R>
  ): Effect.Effect<HttpServerResponse, E, R | HttpServerRequest> =>
    Effect.flatMap(HttpServerRequest, (request) =>
      isOwn(request, options)
        ? app
        : Effect.succeed(
            ErrorPage.of(request, 403, { detail: "This request was made by a page of another site." })
          )
    )

/** For all routes of the router. */
export const layer = (options?: Options): Layer.Layer<never, never, HttpRouter.HttpRouter> =>
  HttpRouter.middleware(middleware(options), { global: true }) as Layer.Layer<
    never,
    never,
    HttpRouter.HttpRouter
  >
