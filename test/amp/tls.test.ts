/** TLS between a client and a server of ours: whoever asks, and who is not trusted. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as AmpArgument from "../../src/amp/AmpArgument.ts"
import * as AmpClient from "../../src/amp/AmpClient.ts"
import * as AmpCommand from "../../src/amp/AmpCommand.ts"
import { AmpConnection } from "../../src/amp/AmpConnection.ts"
import * as AmpGroup from "../../src/amp/AmpGroup.ts"
import * as AmpResponder from "../../src/amp/AmpResponder.ts"
import * as AmpServer from "../../src/amp/AmpServer.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import type * as Tls from "../../src/reactor/Tls.ts"
import { portOf } from "../memory/pair.ts"
import * as Certificates from "../support/certificates.ts"

const Secret = AmpCommand.make("Secret", { response: { protocol: AmpArgument.Unicode } })
const Slow = AmpCommand.make("Slow", { response: { protocol: AmpArgument.Unicode } })
const Secure = AmpCommand.make("Secure")
const group = AmpGroup.make(Secret, Slow, Secure)

const protocolOf = Effect.map(AmpConnection, ({ transport }) => ({
  protocol: transport.security._tag === "Tls" ? transport.security.protocol : "none"
}))

describe.skipIf(!Certificates.available)("TLS", () => {
  const connected = Effect.fnUntraced(function* (tls?: Tls.ClientOptions, serverTls?: Tls.ServerOptions) {
    const release = yield* Deferred.make<void>()
    const server = yield* Server.make(
      Endpoint.tcp({ port: 0, interface: "127.0.0.1" }),
      AmpServer.protocol(
        AmpResponder.make(group, {
          Secret: () => protocolOf,
          Slow: () => Effect.andThen(Deferred.await(release), protocolOf),
          // It asks for TLS behind its answer.
          Secure: () =>
            Effect.flatMap(AmpConnection, (peer) => Effect.forkDetach(peer.startTls()).pipe(Effect.asVoid))
        }),
        { tls: serverTls }
      )
    )
    const client = yield* AmpClient.connect(
      Endpoint.tcpClient({ host: "127.0.0.1", port: portOf(server.address) }),
      group,
      { tls }
    )
    return { ...client, release }
  })

  const authority = Certificates.available ? Certificates.authority("AMP") : Certificates.nobody
  const identity = authority.issue({ names: ["localhost"] })
  const trusting = { authorities: authority.certificate, serverName: "localhost" }

  it.live("the client asks: calls that are under way go on", () =>
    Effect.gen(function* () {
      const { calls, connection, release } = yield* connected(trusting, { identity })
      assert.deepStrictEqual(yield* calls.Secret(), { protocol: "none" })
      const [slow, , secret] = yield* Effect.all(
        [
          calls.Slow(),
          connection.startTls(),
          Effect.tap(calls.Secret(), () => Deferred.succeed(release, undefined))
        ],
        { concurrency: 3 }
      )
      assert.deepStrictEqual(slow, { protocol: "TLSv1.3" })
      assert.deepStrictEqual(secret, { protocol: "TLSv1.3" })
      assert.isTrue(
        connection.transport.security._tag === "Tls" && connection.transport.security.peerVerified
      )
      assert.strictEqual((yield* Effect.flip(connection.startTls())).reason._tag, "OnlyOneTls")
      // Asked by hand, the server says so, too.
      const again = yield* Effect.flip(connection.callBox("StartTLS", new Map()))
      assert.deepInclude(again.reason, { _tag: "UnknownRemoteError", code: "TLS_ERROR" })
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )

  it.live("the server asks: the side that connected is the client all the same", () =>
    Effect.gen(function* () {
      const { calls, connection } = yield* connected(trusting, { identity })
      yield* calls.Secure()
      while (connection.transport.security._tag === "Plain") {
        yield* calls.Secret()
        yield* Effect.sleep(5)
      }
      assert.deepStrictEqual(yield* calls.Secret(), { protocol: "TLSv1.3" })
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )

  it.live("a certificate of another name or authority ends the connection", () =>
    Effect.gen(function* () {
      for (const tls of [
        { ...trusting, serverName: "example.org" },
        { serverName: "localhost", authorities: Certificates.freshAuthority("other").certificate }
      ]) {
        const { calls, connection } = yield* connected(tls, { identity })
        const failure = yield* Effect.flip(connection.startTls())
        const { reason } = failure
        assert.strictEqual(reason._tag, "ConnectionLost")
        const cause = reason._tag === "ConnectionLost" ? reason.cause : undefined
        assert.strictEqual(
          cause?._tag === "TransportError" ? cause.reason._tag : undefined,
          "CertificateRejected"
        )
        assert.strictEqual((yield* Effect.flip(calls.Secret())).reason._tag, "ConnectionLost")
      }
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )
})
