/**
 * A line for each request, when its answer has been sent, as other servers write it. Twisted: `combinedLogFormatter`.
 *
 * ```ts check
 * import * as Effect from "effect/Effect"
 * import { AccessLog } from "spindle/http"
 *
 * const log = AccessLog.layer({ write: (line) => Effect.log(line) })
 * ```
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as RequestUser from "./RequestUser.ts"

export interface Entry {
  /** The client's address; `undefined` over a UNIX socket. */
  readonly remoteAddress: string | undefined
  /** Who has logged in (`Guard`). */
  readonly user: string | undefined
  /** When it came, since 1970. */
  readonly startMillis: number
  readonly durationMillis: number
  readonly method: string
  /** As it was asked for, with its query: that may have secrets in it. */
  readonly target: string
  /** `1.1`, `2.0`. */
  readonly version: string
  /** 499: whoever asked went before it was answered. */
  readonly status: number
  /** Of the body; `undefined`: it was not known before, or there was none. */
  readonly bodyBytes: number | undefined
  readonly host: string | undefined
  readonly referer: string | undefined
  readonly userAgent: string | undefined
}

/** `common` and `combined` are Apache's; JSON has all fields of an `Entry`. */
export type Format = "common" | "combined" | "json" | ((entry: Entry) => string)

const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ")

const two = (number: number): string => String(number).padStart(2, "0")

/** `10/Oct/2000:13:55:36 +0000`. */
const timeOf = (millis: number): string => {
  const date = new Date(millis)
  return (
    `${two(date.getUTCDate())}/${months[date.getUTCMonth()]}/${date.getUTCFullYear()}:` +
    `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`
  )
}

/** No field ends itself, nor the line, nor talks to a terminal. */
const quoted = (text: string): string =>
  text.replace(/["\\]|[^\x20-\x7e]/g, (character) =>
    character === '"' || character === "\\"
      ? `\\${character}`
      : `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`
  )

/** A field without quotes has no spaces either. */
const bare = (text: string | undefined): string =>
  text === undefined || text === "" ? "-" : quoted(text).replaceAll(" ", "\\x20")

const field = (text: string | undefined): string => (text === undefined ? '"-"' : `"${quoted(text)}"`)

/** One line, without its end. */
export const format = (entry: Entry, as: Format = "combined"): string => {
  if (typeof as === "function") return as(entry)
  if (as === "json") return JSON.stringify(entry)
  const { bodyBytes, method, referer, remoteAddress, startMillis, status, target, user, userAgent, version } =
    entry
  const common =
    `${bare(remoteAddress)} - ${bare(user)} [${timeOf(startMillis)}] ` +
    `"${quoted(method)} ${quoted(target)} HTTP/${version}" ${status} ${bodyBytes ?? "-"}`
  return as === "common" ? common : `${common} ${field(referer)} ${field(userAgent)}`
}

export interface Options {
  /** Default `combined`. */
  readonly format?: Format | undefined
  /** Default: `Effect.log`. Failures of it are the application's to prevent. */
  readonly write?: ((line: string) => Effect.Effect<void>) | undefined
}

const bodyBytesOf = (method: string, { body, headers, status }: HttpServerResponse): number | undefined => {
  if (method === "HEAD" || status === 204 || status === 304) return undefined
  if (body._tag === "Empty") return 0
  const said = headers["content-length"] ?? body.contentLength
  return said === undefined ? undefined : Number(said)
}

/** Around what handles requests. */
export const middleware =
  ({ format: as, write = (line) => Effect.log(line) }: Options = {}) =>
  <E, R>(
    app: Effect.Effect<HttpServerResponse, E, R>
  ): Effect.Effect<HttpServerResponse, E, R | HttpServerRequest | Scope.Scope> =>
    Effect.gen(function* () {
      const request = yield* HttpServerRequest
      const startMillis = yield* Clock.currentTimeMillis
      let sent: HttpServerResponse | undefined
      yield* Scope.addFinalizer(
        yield* Effect.scope,
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          const source = request.source as {
            readonly url?: string | undefined
            readonly httpVersion?: string | undefined
          }
          const entry: Entry = {
            remoteAddress: Option.getOrUndefined(request.remoteAddress),
            user: RequestUser.of(request),
            startMillis,
            durationMillis: now - startMillis,
            method: request.method,
            target: source.url ?? request.url,
            version: source.httpVersion ?? "1.1",
            status: sent?.status ?? 499,
            bodyBytes: sent === undefined ? undefined : bodyBytesOf(request.method, sent),
            host: request.headers["host"],
            referer: request.headers["referer"],
            userAgent: request.headers["user-agent"]
          }
          return write(format(entry, as))
        })
      )
      // Behind whatever else changes the answer.
      const noting = HttpEffect.appendPreResponseHandler((_, response) =>
        Effect.sync(() => {
          sent = response
          return response
        })
      )
      return yield* Effect.ensuring(app, Effect.provideService(noting, HttpServerRequest, request))
    })

/** For all routes of the router, and for what none of them has. */
export const layer = (options?: Options): Layer.Layer<never, never, HttpRouter.HttpRouter> =>
  HttpRouter.middleware(middleware(options), { global: true }) as Layer.Layer<
    never,
    never,
    HttpRouter.HttpRouter
  >
