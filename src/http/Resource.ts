/**
 * A tree of things that have names: the segments of a path lead to one of them, and it answers by method. For those who think in it, and for
 * trees that are known only when they are asked. Twisted: `Resource`.
 *
 * ```ts check
 * import * as Effect from "effect/Effect"
 * import * as HttpServerResponse from "effect/http/HttpServerResponse"
 * import { Resource } from "spindle/http"
 *
 * const user = (name: string) =>
 *   Resource.make({ GET: Effect.succeed(HttpServerResponse.text(`this is ${name}`)) })
 *
 * const root = Resource.make({
 *   GET: HttpServerResponse.text("home"),
 *   children: { users: Resource.make({ getChild: (name) => Effect.succeed(user(name)) }) }
 * })
 *
 * export const routes = Resource.layer(root)
 * ```
 *
 * HEAD and OPTIONS are answered for every resource; a method that this one has not is 405 with `Allow`, one that is not HTTP's is 501.
 * Handlers, and the search for children, are effects.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Layer from "effect/Layer"
import * as ErrorPage from "./ErrorPage.ts"
import * as StaticPath from "./StaticPath.ts"

type Response = HttpServerResponse.HttpServerResponse

/** Where in the tree a request has arrived: decoded segments. */
export interface Place {
  /** That led here. Twisted: `prepath`. */
  readonly before: ReadonlyArray<string>
  /** Those behind it, which only a leaf has. Twisted: `postpath`. */
  readonly rest: ReadonlyArray<string>
  /** `rest` as it was asked for, with a slash in front, and the query: what a handler below is to see. */
  readonly restUrl: string
}

/** What answers to a method. */
export type Handler<E = never, R = never> =
  | Response
  | Effect.Effect<Response, E, R>
  | ((place: Place) => Effect.Effect<Response, E, R>)

/** How an answer, or the search for one, may fail (`E`), and what it needs (`R`). */
export interface Resource<out E = never, out R = never> {
  readonly methods: ReadonlyMap<string, (place: Place) => Effect.Effect<Response, E, R>>
  /** Answers for everything below it. */
  readonly isLeaf: boolean
  /** `undefined`: there is none of this name. */
  readonly child: (name: string, place: Place) => Effect.Effect<Resource<E, R> | undefined, E, R>
}

type AnyResource = Resource<unknown, unknown>
type AnyHandler = Handler<unknown, unknown>
type Method = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS"

export type Definition = { readonly [M in Method]?: AnyHandler } & {
  /** Other methods, by name. */
  readonly methods?: Readonly<Record<string, AnyHandler>>
  /** By name. `""` is what a slash at the end asks for; without it that is this one itself. */
  readonly children?: Readonly<Record<string, AnyResource>>
  /** For names that are not among `children`; never for `""`. */
  readonly getChild?: (name: string, place: Place) => Effect.Effect<AnyResource | undefined, unknown, unknown>
  /** Answers for everything below it. Default `false`. */
  readonly isLeaf?: boolean
}

type HandlerEffect<H> = H extends (place: Place) => infer F ? F : H
type ErrorIn<F> = F extends Effect.Effect<infer _A, infer E, infer _R> ? E : never
type NeedIn<F> = F extends Effect.Effect<infer _A, infer _E, infer R> ? R : never
type Handlers<D> = D[keyof D & Method] | (D extends { readonly methods: infer M } ? M[keyof M] : never)
type Children<D> =
  | (D extends { readonly children: infer C } ? C[keyof C] : never)
  | (D extends { readonly getChild: (...args: never) => Effect.Effect<infer C, infer _E, infer _R> }
      ? Exclude<C, undefined>
      : never)
type Search<D> = D extends { readonly getChild: (...args: never) => infer F } ? F : never
type ChildError<C> = C extends Resource<infer E, infer _R> ? E : never
type ChildNeed<C> = C extends Resource<infer _E, infer R> ? R : never

/** How what a definition makes may fail. */
export type ErrorOf<D> = ErrorIn<HandlerEffect<Handlers<D>>> | ErrorIn<Search<D>> | ChildError<Children<D>>
/** What it needs. */
export type NeedOf<D> = NeedIn<HandlerEffect<Handlers<D>>> | NeedIn<Search<D>> | ChildNeed<Children<D>>

const methodNames: ReadonlyArray<Method> = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

const handled = (handler: AnyHandler): ((place: Place) => Effect.Effect<Response, unknown, unknown>) =>
  typeof handler === "function"
    ? handler
    : HttpServerResponse.isHttpServerResponse(handler)
      ? () => Effect.succeed(handler)
      : () => handler

/** A resource, from what it does and what is below it. */
export const make = <const D extends Definition>(definition: D): Resource<ErrorOf<D>, NeedOf<D>> => {
  const { children = {}, getChild, isLeaf = false } = definition
  const methods = new Map<string, (place: Place) => Effect.Effect<Response, unknown, unknown>>()
  for (const name of methodNames) {
    const handler = definition[name]
    if (handler !== undefined) methods.set(name, handled(handler))
  }
  for (const [name, handler] of Object.entries(definition.methods ?? {})) methods.set(name, handled(handler))
  const known = new Map(Object.entries(children))
  const made: AnyResource = {
    methods,
    isLeaf,
    child: (name, place) => {
      const child = known.get(name)
      return child === undefined && name !== "" && getChild !== undefined
        ? getChild(name, place)
        : Effect.succeed(child)
    }
  }
  return made as Resource<ErrorOf<D>, NeedOf<D>>
}

/** A handler of all methods for everything below: files, a proxy, the routes of a router. It sees a `url` that begins here. */
export const leaf = <E, R>(
  handler: Effect.Effect<Response, E, R>
): Resource<E, Exclude<R, HttpServerRequest> | HttpServerRequest> => {
  const run = ({ restUrl }: Place) =>
    Effect.flatMap(HttpServerRequest, (request) =>
      Effect.provideService(handler, HttpServerRequest, request.modify({ url: restUrl }))
    )
  return { methods: anyMethod(run), isLeaf: true, child: () => Effect.undefined }
}

/** A map that has every name. */
const anyMethod = <A>(value: A): ReadonlyMap<string, A> => {
  const map = new Map<string, A>()
  map.get = () => value
  map.has = () => true
  return map
}

/** RFC 9110 §9.1, RFC 5789: those that whoever asks may expect to be known. */
const known = new Set([...methodNames, "TRACE", "CONNECT"] as ReadonlyArray<string>)

/** `GET` brings `HEAD` along; `OPTIONS` is always there. */
const allowOf = (methods: ReadonlyMap<string, unknown>): string => {
  const names = new Set(methods.keys())
  if (names.has("GET")) names.add("HEAD")
  names.add("OPTIONS")
  return [...names].toSorted().join(", ")
}

interface Step {
  readonly raw: string
  readonly name: string
}

/** `undefined`: it cannot be decoded, or goes up. */
const stepsOf = (path: string): ReadonlyArray<Step> | undefined => {
  const steps: Array<Step> = []
  for (const raw of path.split("/").slice(1)) {
    let name = raw
    try {
      if (raw.includes("%")) name = decodeURIComponent(raw)
    } catch {
      return undefined
    }
    if (name === "." || name === "..") return undefined
    steps.push({ raw, name })
  }
  return steps
}

/** What answers for the tree. Its requests' `url` begins at the root. */
export const toHandler = <E, R>(root: Resource<E, R>): Effect.Effect<Response, E, R | HttpServerRequest> =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest
    const { method, url } = request
    // The server as a whole is meant (RFC 9110 §9.3.7).
    if (url === "*") {
      return method === "OPTIONS"
        ? HttpServerResponse.empty({ status: 204 })
        : ErrorPage.of(request, 405, { headers: { allow: "OPTIONS" } })
    }
    const path = StaticPath.pathOf(url)
    const query = url.slice(path.length)
    const steps = stepsOf(path)
    if (steps === undefined) return ErrorPage.of(request, 404)
    const placeAt = (at: number): Place => ({
      before: steps.slice(0, at).map(({ name }) => name),
      rest: steps.slice(at).map(({ name }) => name),
      restUrl: `/${steps
        .slice(at)
        .map(({ raw }) => raw)
        .join("/")}${query}`
    })
    let resource: Resource<E, R> = root
    let at = 0
    for (; at < steps.length && !resource.isLeaf; at++) {
      const { name } = steps[at]!
      const child: Resource<E, R> | undefined = yield* resource.child(name, placeAt(at))
      // A slash at the end asks for the same, unless there is something else behind it.
      if (child === undefined && name === "" && at === steps.length - 1) break
      if (child === undefined) return ErrorPage.of(request, 404)
      resource = child
    }
    const { methods } = resource
    const handler = methods.get(method) ?? (method === "HEAD" ? methods.get("GET") : undefined)
    if (handler !== undefined) return yield* handler(placeAt(at))
    if (methods.size === 0) return ErrorPage.of(request, 404)
    const allow = allowOf(methods)
    if (method === "OPTIONS") return HttpServerResponse.empty({ status: 204, headers: { allow } })
    return known.has(method)
      ? ErrorPage.of(request, 405, { headers: { allow } })
      : ErrorPage.of(request, 501, { headers: { allow } })
  })

export interface LayerOptions {
  /** Below which path. Default `/`. */
  readonly prefix?: HttpRouter.PathInput | undefined
}

/** The tree as routes: all paths below the prefix that no other route has. */
export const layer = <E, R>(root: Resource<E, R>, { prefix = "/" }: LayerOptions = {}) =>
  HttpRouter.use((router) =>
    (prefix === "/" ? router : router.prefixed(prefix)).add("*", "/*", toHandler(root))
  )

/** The routes of a layer as a resource of the tree. They are built until the scope ends. */
export const fromRoutes = <A, E, R>(routes: Layer.Layer<A, E, R>) =>
  Effect.map(HttpRouter.toHttpEffect(routes), leaf)

/** To another place, whatever the method: 308, or 307 where it is not for good. */
export const redirect = (location: string, options?: { readonly permanent?: boolean | undefined }) =>
  leaf(
    Effect.succeed(
      HttpServerResponse.empty({ status: options?.permanent === true ? 308 : 307, headers: { location } })
    )
  )
