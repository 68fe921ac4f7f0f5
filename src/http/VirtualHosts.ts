/**
 * Several sites on one port, told apart by the name that is asked for. Twisted: `NameVirtualHost`.
 *
 * ```ts check
 * import * as Effect from "effect/Effect"
 * import * as HttpServerResponse from "effect/http/HttpServerResponse"
 * import { VirtualHosts } from "spindle/http"
 *
 * export const handler = VirtualHosts.make({
 *   "example.org": Effect.succeed(HttpServerResponse.text("the site")),
 *   "*.example.org": Effect.succeed(HttpServerResponse.text("one of its parts"))
 * })
 * ```
 *
 * A name that nobody has is answered with 421 unless there is an `otherwise`: a site that answers to any name can be asked by pages of
 * others whose name leads here (DNS rebinding).
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import * as ErrorPage from "./ErrorPage.ts"

/** The name in a `Host`: lower case, without a port or a last dot. `undefined`: there is none. */
export const nameOf = (host: string | undefined): string | undefined => {
  const [, name] = /^(\[[0-9a-f:.]+\]|[^:[\]/@\s]+)(?::\d*)?$/i.exec(host ?? "") ?? []
  return name?.toLowerCase().replace(/\.$/, "")
}

export interface Options<E = never, R = never> {
  /** For names that are not among the hosts. Default: 421. */
  readonly otherwise?: Effect.Effect<HttpServerResponse, E, R> | undefined
}

type AnyApp = Effect.Effect<HttpServerResponse, unknown, unknown>
type ErrorIn<F> = F extends Effect.Effect<infer _A, infer E, infer _R> ? E : never
type NeedIn<F> = F extends Effect.Effect<infer _A, infer _E, infer R> ? R : never

/** By name; `*.example.org` is whatever is below that has no entry of its own, however deep; the longest is taken. */
export const make = <const Hosts extends Readonly<Record<string, AnyApp>>, E = never, R = never>(
  hosts: Hosts,
  { otherwise }: Options<E, R> = {}
): Effect.Effect<
  HttpServerResponse,
  ErrorIn<Hosts[keyof Hosts]> | E,
  NeedIn<Hosts[keyof Hosts]> | R | HttpServerRequest
> => {
  const byName = new Map<string, AnyApp>(
    Object.entries(hosts).map(([name, app]) => [name.toLowerCase().replace(/\.$/, ""), app])
  )
  const find = (name: string): AnyApp | undefined => {
    const exact = byName.get(name)
    if (exact !== undefined) return exact
    for (let dot = name.indexOf("."); dot !== -1; dot = name.indexOf(".", dot + 1)) {
      const app = byName.get(`*${name.slice(dot)}`)
      if (app !== undefined) return app
    }
    return undefined
  }
  return Effect.flatMap(HttpServerRequest, (request) => {
    const name = nameOf(request.headers["host"])
    const app = (name === undefined ? undefined : find(name)) ?? otherwise
    return app ?? Effect.succeed(ErrorPage.of(request, 421))
  }) as Effect.Effect<HttpServerResponse, never, never>
}

/** `make` as routes: of all methods and paths that no other route has. */
export const layer = <const Hosts extends Readonly<Record<string, AnyApp>>, E = never, R = never>(
  hosts: Hosts,
  options?: Options<E, R>
) => HttpRouter.add("*", "/*", make(hosts, options))
