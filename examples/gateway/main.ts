/**
 * A telemetry gateway: readings come in as lines over TCP, TLS and UDP (`station metric value [timestamp]`), are
 * kept in SQLite, and are served as JSON over HTTP. `npm start` runs it; `npm run feed` feeds it.
 *
 * Environment: `GATEWAY_TCP`, `GATEWAY_TLS`, `GATEWAY_UDP`, `GATEWAY_HTTP` (endpoint descriptions), `DATA_DIR`.
 */
import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as References from "effect/References"
import { NodeReactor } from "spindle/node"
import { Server } from "spindle/protocol"
import { Reactor, UnhandledFailure } from "spindle/reactor"
import { Counters } from "./Counters.ts"
import * as Endpoints from "./Endpoints.ts"
import { explain } from "./explain.ts"
import * as HttpApi from "./HttpApi.ts"
import * as Ingest from "./Ingest.ts"
import { Store } from "./Store.ts"

/** Conversations end by themselves when the gateway stops; only a peer that reads no replies takes longer. */
const stopSoon: Server.Options = { drainTimeout: "500 millis", interruptTimeout: "100 millis" }

const gateway = Effect.gen(function* () {
  const endpoints = yield* Endpoints.load
  const application = Layer.effectDiscard(
    Effect.gen(function* () {
      const conversation = yield* Ingest.conversation
      const tcp = yield* Server.make(endpoints.tcp, conversation, stopSoon)
      const tls = yield* Server.make(endpoints.tls, conversation, stopSoon)
      const reactor = yield* Reactor.Reactor
      const udp = yield* reactor.datagram(endpoints.udp)
      yield* UnhandledFailure.fork(Ingest.datagrams(udp), { place: "the UDP port" })
      const http = yield* HttpServer.HttpServer
      yield* announce({
        tcp: tcp.address,
        tls: tls.address,
        udp: udp.local,
        http: http.address,
        authority: endpoints.selfSigned
      })
    })
  )
  return yield* Layer.launch(
    application.pipe(
      Layer.provide(HttpRouter.serve(HttpApi.layer, { disableLogger: true, disableListenLog: true })),
      Layer.provide(
        NodeHttpServer.layer(createServer, {
          port: endpoints.http.port,
          host: endpoints.http.interface,
          gracefulShutdownTimeout: "1 second"
        })
      ),
      Layer.provide([NodeReactor.layer, Store.layer({ directory: endpoints.directory }), Counters.layer])
    )
  )
})

const announce = (at: {
  readonly tcp: NetAddress.SocketAddress
  readonly tls: NetAddress.SocketAddress
  readonly udp: NetAddress.SocketAddress
  readonly http: NetAddress.SocketAddress
  readonly authority: string | undefined
}) => {
  const place = (address: NetAddress.SocketAddress): string =>
    NetAddress.isInetAddress(address)
      ? `${NetAddress.formatIp(address.address)} ${address.port}`
      : `-U ${address.path}`
  const trust = at.authority === undefined ? "" : ` -CAfile ${at.authority} -verify_return_error`
  return Console.log(
    [
      "The telemetry gateway is up. Try each of its doors:",
      "",
      `  TCP   printf 'roof temperature 21.5\\n' | nc -N ${place(at.tcp)}`,
      `  TLS   (printf 'roof humidity 40\\n'; sleep 1) | openssl s_client -quiet -no_ign_eof${trust} -connect ${String(at.tls)}`,
      `  UDP   printf 'roof wind 3.2\\n' | nc -u -w 1 ${place(at.udp)}`,
      `  HTTP  curl 'http://${String(at.http)}/latest?station=roof&metric=temperature'`,
      "",
      "A line is `station metric value [ISO timestamp]`. `npm run feed` sends a year of them. Ctrl-C stops."
    ].join("\n")
  )
}

const main = gateway.pipe(
  Effect.provide(NodeServices.layer),
  Effect.provideService(References.MinimumLogLevel, "Warn"),
  explain("The gateway cannot run")
)

NodeRuntime.runMain(main, {
  disableErrorReporting: true,
  // Ctrl-C and SIGTERM are the ordinary ways to end it.
  teardown: (exit, onExit) => onExit(exit._tag === "Success" || Cause.hasInterruptsOnly(exit.cause) ? 0 : 1)
})
