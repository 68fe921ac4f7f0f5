/** An echo server over TLS, and clients of it. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type * as Tls from "../../src/reactor/Tls.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import * as certificates from "../support/certificates.ts"
import { inetOf } from "../support/endpoints.ts"
import { receiveAllText } from "./sockets.ts"

export const local = "127.0.0.1"

export const { authority, client, server } = certificates.available
  ? certificates.localhost()
  : { authority: certificates.nobody, client: certificates.nobody, server: certificates.nobody }

export const echo = (transport: Transport) =>
  Effect.andThen(transport.receiveEach(transport.send), transport.end)

/** An echo server over TLS; gives the port. */
export const serve = Effect.fnUntraced(function* (
  options: Partial<Tls.ServerOptions> = {},
  protocol: (transport: Transport) => Effect.Effect<void, unknown> = echo
) {
  const endpoint = Endpoint.tls({ port: 0, interface: local, tls: { identity: server, ...options } })
  const running = yield* Server.make(endpoint, protocol, { drainTimeout: "10 millis" })
  return { running, ...inetOf(running.address) }
})

export const connect = (port: number, tls: Tls.ClientOptions = {}, host = "localhost") =>
  Effect.flatMap(Reactor, (reactor) =>
    reactor.connect(
      Endpoint.tlsClient({
        host: local,
        port,
        timeout: "10 seconds",
        tls: { authorities: authority.certificate, serverName: host, ...tls }
      })
    )
  )

export const refused = (port: number, tls: Tls.ClientOptions = {}, host?: string) =>
  Effect.map(Effect.flip(Effect.scoped(connect(port, tls, host))), ({ reason }) => ({
    reason: reason._tag as string,
    errno: reason.errno
  }))

export const secured = (transport: Transport) => {
  const { security } = transport
  return security._tag === "Tls" ? security : assert.fail("the connection is plain")
}

/** Keeps what is logged, down to level Debug: level, message, annotations. */
export const logged =
  (lines: Array<string>) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
    const logger = Logger.make(({ fiber, logLevel, message }) => {
      const annotations = fiber.getRef(References.CurrentLogAnnotations)
      lines.push(`${logLevel} ${String(message)} ${JSON.stringify(annotations)}`)
    })
    return effect.pipe(
      Effect.provideService(Logger.CurrentLoggers, new Set([logger])),
      Effect.provideService(References.MinimumLogLevel, "Debug")
    )
  }

/** Whether it still serves. */
export const echoes = (port: number, tls?: Tls.ClientOptions) =>
  Effect.scoped(
    Effect.gen(function* () {
      const transport = yield* connect(port, tls)
      yield* transport.send("still there")
      yield* transport.end
      assert.strictEqual(yield* receiveAllText(transport), "still there")
      return secured(transport)
    })
  )

export const live = (name: string, test: Effect.Effect<void, unknown, Reactor | Scope.Scope>) =>
  it.live(name, () => test.pipe(Effect.scoped, Effect.provide(NodeReactor.layer)))
