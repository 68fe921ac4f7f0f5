/** The HTTP application of the benchmark for whoever serves Effect's router. Files are each one's own business. */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as EffectHttpServer from "effect/http/HttpServer"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as References from "effect/References"
import { hello, lengthOf } from "./answers.ts"
import { ready } from "./harness.ts"

const routes = Layer.mergeAll(
  HttpRouter.add(
    "GET",
    "/hello",
    Effect.sync(() => HttpServerResponse.jsonUnsafe(hello))
  ),
  HttpRouter.add(
    "POST",
    "/upload",
    Effect.gen(function* () {
      const request = yield* HttpServerRequest
      return HttpServerResponse.text(lengthOf(yield* Effect.orDie(request.arrayBuffer)))
    })
  )
)

const announced = Layer.effectDiscard(
  Effect.map(EffectHttpServer.HttpServer, ({ address }) => {
    if (NetAddress.isInetAddress(address)) ready(address.port)
  })
)

/** Serves these routes, and tells the harness where. */
export const launch = <E, E2>(
  server: Layer.Layer<EffectHttpServer.HttpServer, E>,
  routes: Layer.Layer<never, E2, HttpRouter.HttpRouter>
): void => {
  const application = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true })
  Effect.runFork(
    Layer.launch(Layer.merge(application, announced).pipe(Layer.provide(server))).pipe(
      // The first line of stdout is the harness's.
      Effect.provideService(References.MinimumLogLevel, "Warn")
    )
  )
}

/** The application, with files as `server`'s users serve them. */
export const serve = <E, E2>(
  server: Layer.Layer<EffectHttpServer.HttpServer, E>,
  files: Layer.Layer<never, E2, HttpRouter.HttpRouter>
): void => launch(server, Layer.merge(routes, files))
