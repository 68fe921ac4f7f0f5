/**
 * Another path than the one that was asked for: what stands behind sees it, or whoever asks is sent there. Twisted: `RewriterResource`,
 * `Redirect`, `redirectTo`.
 *
 * ```ts check
 * import { Rewrite } from "spindle/http"
 *
 * export const rules = [
 *   Rewrite.redirect("/old/*", "/new/*"),
 *   Rewrite.rewrite("/~:user/*", "/users/:user/*"),
 *   Rewrite.toHttps()
 * ]
 * export const routes = Rewrite.layer(rules)
 * ```
 *
 * A pattern is a path, in which `:name` is one segment and `*`, at its end, the rest. They are compared with what was sent, and go to
 * the target as they were sent: nothing is decoded, so nothing can become a separator on the way.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Layer from "effect/Layer"
import * as StaticPath from "./StaticPath.ts"
import * as VirtualHosts from "./VirtualHosts.ts"

/** What a rule makes of a request: another `url` for those behind it, an answer, or nothing. */
export type Outcome =
  | { readonly url: string }
  | { readonly answer: HttpServerResponse.HttpServerResponse }
  | undefined

export type Rule = (request: HttpServerRequest) => Outcome

export interface RedirectOptions {
  /** 308 and 301 are remembered by browsers for good; 308 and 307 keep the method. Default 308. */
  readonly status?: 301 | 302 | 303 | 307 | 308 | undefined
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")

interface Pattern {
  readonly expression: RegExp
  readonly names: ReadonlyArray<string>
}

const piece = /:([A-Za-z_][A-Za-z0-9_]*)|\*$/g

const patternOf = (text: string): Pattern => {
  const names: Array<string> = []
  let source = ""
  let at = 0
  for (const match of text.matchAll(piece)) {
    source += escaped(text.slice(at, match.index))
    names.push(match[1] ?? "*")
    source += match[1] === undefined ? "(.*)" : "([^/]+)"
    at = match.index + match[0].length
  }
  return { names, expression: new RegExp(`^${source}${escaped(text.slice(at))}$`) }
}

/** The target with what was found, and the query of the request. */
const filled = (pattern: Pattern, to: string, url: string): string | undefined => {
  const path = StaticPath.pathOf(url)
  const found = pattern.expression.exec(path)
  if (found === null) return undefined
  const target = to.replace(piece, (whole, name: string | undefined) => {
    const index = pattern.names.indexOf(name ?? "*")
    return index === -1 ? whole : (found[index + 1] ?? "")
  })
  const query = url.slice(path.length)
  return to.includes("?") || query === "" ? target : target + query
}

/** `//other.example/` and `/\other.example/` would lead to another host (CVE-2024-41810's kin): one slash is meant. */
const local = (target: string): string => target.replace(/^[/\\]+(?=[/\\])/, "").replace(/^\\/, "/")

/** What is behind sees another path; whoever asks does not. */
export const rewrite = (from: string, to: string): Rule => {
  const pattern = patternOf(from)
  return ({ url }) => {
    const target = filled(pattern, to, url)
    return target === undefined ? undefined : { url: target }
  }
}

const redirected = (location: string, status: number): Outcome => ({
  answer: HttpServerResponse.empty({ status, headers: { location } })
})

/**
 * Sends whoever asks elsewhere: to a path, which stays on this host, or to an absolute URL. Throws a `TypeError` where what is asked for would
 * become part of its host.
 */
export const redirect = (from: string, to: string, { status = 308 }: RedirectOptions = {}): Rule => {
  if (/^https?:\/\/[^/]*(\*|:[A-Za-z_])/i.test(to)) throw new TypeError(`the host of ${to} is not fixed`)
  const pattern = patternOf(from)
  const isAbsolute = /^https?:\/\/[^/]+/i.test(to)
  return ({ url }) => {
    const target = filled(pattern, to, url)
    return target === undefined ? undefined : redirected(isAbsolute ? target : local(target), status)
  }
}

/** To the same over TLS. A name that is none is left alone. `port`: default none, which is 443. */
export const toHttps = (options: RedirectOptions & { readonly port?: number | undefined } = {}): Rule => {
  const { port, status = 308 } = options
  return (request) => {
    if (request.protocol === "https" || request.originalUrl.startsWith("https:")) return undefined
    const name = VirtualHosts.nameOf(request.headers["host"])
    if (name === undefined || !/^[a-z0-9.\-[\]:]+$/.test(name)) return undefined
    return redirected(`https://${name}${port === undefined ? "" : `:${port}`}${local(request.url)}`, status)
  }
}

/** Around what handles requests: each rule in turn, on what those before it made of the path, until one answers. */
export const middleware =
  (rules: ReadonlyArray<Rule>) =>
  <E, R>(
    app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
  ): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest> =>
    Effect.flatMap(HttpServerRequest, (original) => {
      let request = original
      for (const rule of rules) {
        const outcome = rule(request)
        if (outcome === undefined) continue
        if ("answer" in outcome) return Effect.succeed(outcome.answer)
        request = request.modify({ url: outcome.url })
      }
      return request === original ? app : Effect.provideService(app, HttpServerRequest, request)
    })

/** For all routes of the router: they are found by what the rules made of the path. */
export const layer = (rules: ReadonlyArray<Rule>): Layer.Layer<never, never, HttpRouter.HttpRouter> =>
  HttpRouter.middleware(middleware(rules), { global: true }) as Layer.Layer<
    never,
    never,
    HttpRouter.HttpRouter
  >
