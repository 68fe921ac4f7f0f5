/** What the HTTP servers of the benchmark answer: a little JSON, by Effect's router where there is Effect. */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as EffectHttpServer from "effect/http/HttpServer"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as References from "effect/References"
import { ready } from "./harness.ts"

export const hello = { message: "Hello, World!" }

const application = HttpRouter.serve(
  HttpRouter.add(
    "GET",
    "/hello",
    Effect.sync(() => HttpServerResponse.jsonUnsafe(hello))
  ),
  { disableLogger: true, disableListenLog: true }
)

const announced = Layer.effectDiscard(
  Effect.map(EffectHttpServer.HttpServer, ({ address }) => {
    if (NetAddress.isInetAddress(address)) ready(address.port)
  })
)

/** Serves it, and tells the harness where. */
export const serve = <E>(server: Layer.Layer<EffectHttpServer.HttpServer, E>): void => {
  Effect.runFork(
    Layer.launch(Layer.merge(application, announced).pipe(Layer.provide(server))).pipe(
      // The first line of stdout is the harness's.
      Effect.provideService(References.MinimumLogLevel, "Warn")
    )
  )
}
