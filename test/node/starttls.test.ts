/** STARTTLS with OpenSSL and with plain sockets as peers; the rest is in `src/testing/suite/startTlsCases.ts`. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { TransportReason } from "../../src/reactor/ReactorError.ts"
import type * as Tls from "../../src/reactor/Tls.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import * as certificates from "../support/certificates.ts"
import * as Child from "../support/child.ts"
import { inetOf, socketPath } from "../support/endpoints.ts"
import { describePeer, openssl } from "../support/peers.ts"
import { hello, plainSocket } from "./sockets.ts"

const local = "127.0.0.1"
const { authority, client, server } = certificates.available
  ? certificates.localhost()
  : { authority: certificates.nobody, client: certificates.nobody, server: certificates.nobody }

/** The next line without its end; what follows it is handed back. */
const receiveLine = Effect.fnUntraced(function* (transport: Transport) {
  let text = ""
  for (;;) {
    text += Buffer.from(yield* transport.receive).toString("latin1")
    const end = text.indexOf("\n")
    if (end < 0) continue
    yield* transport.unread(Buffer.from(text.slice(end + 1), "latin1"))
    return text.slice(0, end).trimEnd()
  }
})

/** Enough of SMTP for a client that wants TLS (RFC 3207). */
const smtp = (tls: Tls.ServerOptions, onUpgrade: (exit: Transport | TransportReason) => void = () => {}) =>
  Effect.fnUntraced(function* (first: Transport) {
    let transport = first
    yield* transport.send("220 localhost ESMTP\r\n")
    for (;;) {
      const line = yield* receiveLine(transport)
      const command = line.split(" ")[0]!.toUpperCase()
      if (command === "EHLO") yield* transport.send("250-localhost\r\n250 STARTTLS\r\n")
      else if (command === "NOOP") yield* transport.send(`250 by ${transport.security._tag}\r\n`)
      else if (command === "STARTTLS") {
        transport = yield* transport.startTls({ role: "server", tls, reply: "220 go ahead\r\n" }).pipe(
          Effect.tap((secured) => Effect.sync(() => onUpgrade(secured))),
          Effect.tapError(({ reason }) => Effect.sync(() => onUpgrade(reason)))
        )
      } else return yield* transport.send("221 bye\r\n")
    }
  })

const serve = Effect.fnUntraced(function* (tls: Tls.ServerOptions, onUpgrade?: Parameters<typeof smtp>[1]) {
  const running = yield* Server.make(
    Endpoint.tcp({ port: 0, interface: local }),
    (transport) => smtp(tls, onUpgrade)(transport),
    { drainTimeout: "10 millis" }
  )
  return inetOf(running.address).port
})

/** A plain connection up to the go-ahead. */
const begun = Effect.fnUntraced(function* (port: number) {
  const reactor = yield* Reactor
  const transport = yield* reactor.connect(Endpoint.tcpClient({ host: local, port }))
  yield* receiveLine(transport)
  yield* transport.send("STARTTLS\r\n")
  assert.match(yield* receiveLine(transport), /^220 /)
  return transport
})

/** The whole way, as a client of ours; what the server says then. */
const upgraded = (port: number, tls: Tls.ClientOptions = {}) =>
  Effect.scoped(
    Effect.gen(function* () {
      const plain = yield* begun(port)
      const transport = yield* plain.startTls({
        role: "client",
        tls: { authorities: authority.certificate, serverName: "localhost", ...tls }
      })
      yield* transport.send("NOOP\r\n")
      return yield* receiveLine(transport)
    })
  )

const live = (name: string, test: Effect.Effect<void, unknown, Reactor | Scope.Scope>) =>
  it.live(name, () => test.pipe(Effect.scoped, Effect.provide(NodeReactor.layer)))

describe.skipIf(!certificates.available)("STARTTLS", () => {
  live(
    "a client certificate is asked for and judged, as on a TLS port",
    Effect.gen(function* () {
      const stranger = certificates.authority("Somebody else").issue({ names: ["a stranger"] })
      for (const clientCertificate of ["request", "require"] as const) {
        for (const [identity, verified] of [
          [client, true],
          [stranger, false],
          [undefined, false]
        ] as const) {
          const seen = yield* Deferred.make<Transport | TransportReason>()
          const tls = { identity: server, authorities: authority.certificate, clientCertificate }
          const port = yield* serve(tls, (exit) => Deferred.doneUnsafe(seen, Effect.succeed(exit)))
          yield* Effect.exit(upgraded(port, { identity }))
          const exit = yield* Deferred.await(seen)
          if (clientCertificate === "require" && !verified) {
            assert.isFalse("security" in exit)
            const reason = exit as TransportReason
            assert.deepStrictEqual(
              [reason._tag, reason.errno],
              identity === undefined
                ? ["HandshakeFailed", "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE"]
                : ["CertificateRejected", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"]
            )
          } else {
            const { security } = exit as Transport
            assert.isTrue(security._tag === "Tls" && security.peerVerified === verified)
          }
        }
      }
    })
  )

  live(
    "100 upgrades reset midway fail each for itself, and the next ones work",
    Effect.gen(function* () {
      const outcomes: Array<string> = []
      const tls: Tls.ServerOptions = { identity: server }
      const port = yield* serve(tls, (exit) => outcomes.push("security" in exit ? "secured" : exit._tag))
      const hit = (index: number) =>
        Effect.scoped(
          Effect.gen(function* () {
            const socket = yield* plainSocket(port)
            const said = (text: string) =>
              Effect.callback<void>((resume) => {
                let all = ""
                const look = (bytes: Buffer) => {
                  all += bytes.toString("latin1")
                  if (!all.includes(text)) return
                  socket.off("data", look)
                  resume(Effect.void)
                }
                socket.on("data", look)
              })
            yield* said("ESMTP\r\n")
            socket.write("STARTTLS\r\n")
            yield* said("go ahead\r\n")
            // At once, in the middle of a record, and when the server has answered.
            socket.write(hello.subarray(0, [0, 60, hello.length][index % 3]!))
            if (index % 3 === 2) {
              yield* Effect.callback<void>((resume) => void socket.once("data", () => resume(Effect.void)))
            }
            socket.resetAndDestroy()
          })
        )
      const good = Effect.map(upgraded(port), (line) => assert.strictEqual(line, "250 by Tls"))
      yield* Effect.forEach(
        Array.from({ length: 110 }, (_, index) => (index % 11 === 10 ? good : hit(index))),
        (each) => each,
        { concurrency: 10 }
      )
      yield* Effect.all(
        Array.from({ length: 10 }, () => good),
        { concurrency: "unbounded" }
      )
      // The last reset may be on its way still: one more upgrade is behind it.
      yield* good
      assert.strictEqual(outcomes.filter((outcome) => outcome === "secured").length, 21)
      const failures = outcomes.filter((outcome) => outcome !== "secured")
      assert.strictEqual(failures.length, 100)
      assert.deepStrictEqual([...new Set(failures)], ["Reset"])
    })
  )

  live(
    "interrupted, garbage, silent: each upgrade fails for itself",
    Effect.gen(function* () {
      const outcomes: Array<string> = []
      const tls: Tls.ServerOptions = { identity: server, handshakeTimeout: "200 millis" }
      const port = yield* serve(tls, (exit) => outcomes.push("security" in exit ? "secured" : exit._tag))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const garbage = yield* begun(port)
          yield* garbage.send("EHLO again\r\n")
          yield* Effect.exit(Effect.forever(garbage.receive))
          const silent = yield* begun(port)
          yield* Effect.exit(Effect.forever(silent.receive))
          const ended = yield* begun(port)
          yield* ended.end
          yield* Effect.exit(Effect.forever(ended.receive))
        })
      )
      assert.strictEqual(yield* upgraded(port), "250 by Tls")
      assert.deepStrictEqual(outcomes, ["HandshakeFailed", "TimedOut", "Reset", "secured"])
    })
  )

  describePeer(openssl, (command) => {
    const sClient = (port: number, args: ReadonlyArray<string> = []) =>
      Effect.scoped(
        Effect.gen(function* () {
          const child = yield* Child.spawn(command, [
            "s_client",
            "-starttls",
            "smtp",
            "-crlf",
            "-connect",
            `${local}:${port}`,
            "-servername",
            "localhost",
            ...args
          ])
          yield* child.write("NOOP\n")
          yield* child.says(/250 by Tls/)
          yield* child.write("BYE\n")
          yield* child.says(/221 bye/)
          return (yield* child.ended).stdout
        })
      )

    live(
      "s_client -starttls smtp gets its TLS, and is content with the certificate",
      Effect.gen(function* () {
        const port = yield* serve({ identity: server })
        const file = path.join(path.dirname(yield* socketPath), "ca.pem")
        fs.writeFileSync(file, authority.certificate)
        for (const version of ["-tls1_2", "-tls1_3"]) {
          const said = yield* sClient(port, [version, "-CAfile", file, "-verify_return_error"])
          assert.match(said, /Verify return code: 0 \(ok\)/)
        }
      })
    )

    live(
      "a session is resumed, while another upgrade is under way",
      Effect.gen(function* () {
        const port = yield* serve({ identity: server })
        const file = path.join(path.dirname(yield* socketPath), "session")
        assert.match(yield* sClient(port, ["-tls1_2", "-sess_out", file]), /New, TLSv1/)
        const taken = yield* begun(port)
        assert.match(yield* sClient(port, ["-tls1_2", "-sess_in", file]), /Reused, TLSv1/)
        yield* taken.abort
      })
    )
  })
})
