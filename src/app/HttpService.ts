/**
 * An HTTP server as a service. Twisted: `strports.service` of a `Site`.
 *
 * Its port is bound in the first phase, and requests are answered from the second on. On a restart the port stays bound:
 * connections that come meanwhile wait in the backlog. On a stop it stops listening first, answers what is under way, and closes
 * what is idle.
 */
import * as Effect from "effect/Effect"
import type * as HttpRouter from "effect/http/HttpRouter"
import type * as EffectHttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import * as HttpAlpn from "../http/HttpAlpn.ts"
import type * as HttpServer from "../http/HttpServer.ts"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import { Reactor } from "../reactor/Reactor.ts"
import type { Listener } from "../reactor/Listener.ts"
import type { ListenError } from "../reactor/ReactorError.ts"
import * as Service from "./Service.ts"
import { ServiceInstance } from "./ServiceInstance.ts"

type Base = Omit<Service.Common, "name"> & HttpServer.Options

export interface Options<A, E, R> extends Base {
  /** Default: the description of the endpoint, without its slashes. */
  readonly name?: string | undefined
  readonly endpoint: Endpoint.Server
  /** What is served: routes over `HttpRouter`, or an `HttpApi`. Built whenever the service starts. */
  readonly routes: Layer.Layer<A, E, R>
  /** Logs each request, as Effect's `HttpMiddleware.logger`. Default `false`. */
  readonly logsRequests?: boolean | undefined
  /** Told where it listens whenever it has started. */
  readonly onStart?: ((address: NetAddress.SocketAddress) => Effect.Effect<void>) | undefined
}

/** What routes may need that is not given with each request, nor by the server itself. */
export type Owed<R> = Exclude<
  | HttpRouter.Request.Without<R>
  | Exclude<
      HttpRouter.Request.Only<"GlobalRequires", R> | HttpRouter.Request.Only<"Requires", R>,
      HttpRouter.GlobalProvided
    >,
  EffectHttpServer.HttpServer | HttpRouter.HttpRouter
>

/** It listens as long as the service runs; it fails as `ListenError`, in the first phase only, or as its routes do when they are built. */
export const make = <A, E, R>(
  options: Options<A, E, R>
): Service.Service<
  never,
  HttpRouter.Request.Without<E> | ListenError,
  Exclude<Owed<R>, Scope.Scope> | Reactor
> => {
  const { endpoint, onStart, routes } = options
  const description = EndpointFormat.format(endpoint)
  const start = Effect.fnUntraced(function* (
    listener: Listener
  ): Effect.fn.Return<HttpServer.Bound, HttpRouter.Request.Without<E>, Owed<R> | Scope.Scope> {
    const { ending, path } = yield* ServiceInstance
    const [HttpServer, HttpRouter, EffectHttpServer] = yield* modules
    const bound = HttpServer.fromListener(lasting(listener, ending), options)
    const application = HttpRouter.serve(routes, {
      disableListenLog: true,
      disableLogger: options.logsRequests !== true
    }) as Layer.Layer<A, HttpRouter.Request.Without<E>, EffectHttpServer.HttpServer | Owed<R>>
    yield* Layer.build(
      Layer.provide(application, Layer.succeed(EffectHttpServer.HttpServer, bound.server))
    ) as Effect.Effect<unknown, HttpRouter.Request.Without<E>, Owed<R> | Scope.Scope>
    yield* Effect.logInfo(`${path} listening`).pipe(Effect.annotateLogs("address", String(bound.address)))
    yield* onStart?.(bound.address) ?? Effect.void
    return bound
  })
  return Service.make({
    ...options,
    name: options.name ?? description.replaceAll("/", "|"),
    description: options.description ?? `listens on ${description}`,
    privileged: Reactor.pipe(
      Effect.flatMap((reactor) => reactor.listen(HttpAlpn.offering(endpoint, options)))
    ),
    start,
    details: (bound: HttpServer.Bound) => details(bound)
  })
}

/** Loaded when such a service starts: most applications have none. */
const modules = Effect.promise(() =>
  Promise.all([
    import("../http/HttpServer.ts"),
    import("effect/http/HttpRouter"),
    import("effect/http/HttpServer")
  ])
)

/** As the server sees the listener, which is not its own: it is stopped for good only. */
const lasting = (listener: Listener, ending: Effect.Effect<"Restart" | "Stop">): Listener => ({
  address: listener.address,
  acceptEach: listener.acceptEach,
  settle: Effect.flatMap(ending, (why) => (why === "Stop" ? listener.settle : Effect.void)),
  stop: Effect.flatMap(ending, (why) => (why === "Stop" ? listener.stop : Effect.void))
})

/** What `spindle status` says of it. */
export interface Details extends HttpServer.Counts {
  readonly address: string
}

const details = ({ address, counts }: HttpServer.Bound): Effect.Effect<Details> =>
  Effect.map(counts, (now) => ({ address: NetAddress.formatSocketAddress(address), ...now }))
