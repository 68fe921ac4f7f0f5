/** Logins tied to the TLS connection below them: RFC 9266, over real TLS. */
import * as fs from "node:fs"
import * as path from "node:path"
import * as nodeTls from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import { SecureRandom } from "effect/crypto"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as KeyDerivation from "../../src/auth/KeyDerivation.ts"
import * as MemoryUsers from "../../src/auth/MemoryUsers.ts"
import * as Portal from "../../src/auth/Portal.ts"
import * as Realm from "../../src/auth/Realm.ts"
import { encodeBase64, formatInitial, parseLine } from "../../src/auth/SaslBase64.ts"
import * as SaslBinding from "../../src/auth/SaslBinding.ts"
import * as SaslClient from "../../src/auth/SaslClient.ts"
import { SaslError } from "../../src/auth/SaslError.ts"
import * as SaslServer from "../../src/auth/SaslServer.ts"
import * as Lines from "../../src/framing/Lines.ts"
import { functions } from "../../src/node/NodeKeyDerivation.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as NodeTlsOver from "../../src/node/NodeTlsOver.ts"
import * as Client from "../../src/protocol/Client.ts"
import * as Forward from "../../src/protocol/Forward.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import * as certificates from "../support/certificates.ts"
import * as Child from "../support/child.ts"
import { inetOf, socketPath } from "../support/endpoints.ts"
import { describePeer, gsasl, openssl } from "../support/peers.ts"
import { authority, connect, local, serve, server as identity } from "../node/tlsEcho.ts"

class Who extends Context.Service<Who, string>()("test/Who") {}

const platform = Layer.mergeAll(
  NodeReactor.layer,
  KeyDerivation.layer(functions),
  SecureRandom.layerWebCrypto
)
const live = <E>(name: string, test: Effect.Effect<void, E, Layer.Success<typeof platform> | Scope.Scope>) =>
  it.live(name, () => test.pipe(Effect.scoped, Effect.provide(platform)))

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex").toUpperCase()
const bindingOf = (transport: Transport) => {
  const binding = SaslBinding.of(transport)
  return binding === undefined ? "none" : `${binding.type} ${hex(binding.data)}`
}

/** Tells each client what it is bound to. */
const telling = (transport: Transport) => transport.send(`${bindingOf(transport)}\n`)

/** As much of IMAP as a login takes. */
const imap = (portal: Portal.Portal<never, Who>, seen: Array<string>) => (transport: Transport) =>
  Effect.gen(function* () {
    let lines = Lines.make(transport)
    yield* lines.send("* OK ready")
    for (;;) {
      const [tag, command = "", mechanism = "", initial] = (yield* lines.receive).split(" ")
      const binding = SaslBinding.of(lines.transport)
      const options = { portal, secured: lines.transport.security._tag === "Tls", binding }
      switch (command.toUpperCase()) {
        case "CAPABILITY": {
          const offers = SaslServer.offers(options).map((name) => `AUTH=${name}`)
          yield* lines.send(
            `* CAPABILITY IMAP4rev1 SASL-IR ${options.secured ? "" : "STARTTLS "}${offers.join(" ")}`
          )
          yield* lines.send(`${tag} OK done`)
          break
        }
        case "STARTTLS": {
          const plain = yield* lines.detach
          const reply = `${tag} OK go ahead\r\n`
          lines = Lines.make(yield* plain.startTls({ role: "server", tls: { identity }, reply }))
          break
        }
        case "AUTHENTICATE": {
          const first = initial === undefined ? undefined : parseLine(initial)
          const request = {
            mechanism,
            initial: first instanceof Uint8Array ? first : undefined,
            challenge: (bytes: Uint8Array) =>
              Effect.andThen(lines.send(`+ ${encodeBase64(bytes)}`), Effect.map(lines.receive, parseLine))
          }
          yield* SaslServer.login(options, request, Who).pipe(
            Effect.flatMap(({ avatar }) => {
              seen.push(`${avatar} by ${mechanism}`)
              return lines.send(`${tag} OK welcome`)
            }),
            Effect.catchTag(["LoginError", "SaslError"], (error) => {
              seen.push(error.message)
              return lines.send(`${tag} NO`)
            })
          )
          break
        }
        default:
          yield* lines.send("* BYE")
          return yield* lines.send(`${tag} OK bye`)
      }
    }
  })

/** Our own client of it, over a connection that is TLS already. */
const authenticate = (transport: Transport, mechanisms?: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const lines = Lines.make(transport)
    yield* lines.receive
    yield* lines.send("a CAPABILITY")
    const offered = [...(yield* lines.receive).matchAll(/AUTH=(\S+)/g)].map(([, name]) => name!)
    yield* lines.receive
    const reply = Effect.map(lines.receive, (line): SaslClient.Reply => {
      const bytes = line.startsWith("+ ") ? parseLine(line.slice(2)) : undefined
      if (bytes instanceof Uint8Array) return { _tag: "Challenge", bytes }
      return line.startsWith("b OK") ? { _tag: "Success" } : { _tag: "Failure", detail: line }
    })
    const send = (line: string) => Effect.andThen(lines.send(line), reply)
    return yield* SaslClient.authenticate(
      offered,
      {
        identity: SaslClient.password("alice", "secret"),
        secured: true,
        binding: SaslBinding.of(transport),
        mechanisms
      },
      {
        start: (name, initial) =>
          send(`b AUTHENTICATE ${name}${initial === undefined ? "" : ` ${formatInitial(initial)}`}`),
        respond: (bytes) => send(encodeBase64(bytes)),
        cancel: Effect.asVoid(send("*"))
      }
    )
  })

const makePortal = Effect.map(MemoryUsers.checker({ alice: "secret" }), (users) =>
  Portal.make({ realms: [Realm.make(Who, (id) => Effect.succeed(String(id)))], checkers: [users] })
)

const listening = { port: 0, interface: local } as const

describe.skipIf(!certificates.available)("channel binding", () => {
  live(
    "both ends of a connection have the same, and no other connection has it",
    Effect.gen(function* () {
      const { port } = yield* serve({}, telling)
      const seen = new Set<string>()
      for (let each = 0; each < 3; each++) {
        const transport = yield* connect(port)
        const told = yield* Lines.make(transport, { delimiter: "\n" }).receive
        assert.strictEqual(told, bindingOf(transport))
        assert.match(told, /^tls-exporter [0-9A-F]{64}$/)
        seen.add(told)
      }
      assert.strictEqual(seen.size, 3)
    })
  )

  live(
    "there is none below TLS 1.3, in plaintext, and of a connection that is over",
    Effect.gen(function* () {
      const old = yield* serve({}, telling)
      const told = yield* Effect.callback<string>((resume) => {
        const ca = authority.certificate
        const client = nodeTls.connect({
          port: old.port,
          host: local,
          ca,
          servername: "localhost",
          maxVersion: "TLSv1.2"
        })
        client.once("data", (bytes) => {
          client.destroy()
          resume(Effect.succeed(String(bytes)))
        })
      })
      assert.strictEqual(told, "none\n")
      const plain = yield* Server.make(Endpoint.tcp(listening), telling)
      const client = yield* Client.connect(
        Endpoint.tcpClient({ host: local, port: inetOf(plain.address).port })
      )
      assert.strictEqual(bindingOf(client), "none")
      const { port } = yield* serve({}, () => Effect.never)
      const later = yield* connect(port)
      assert.notStrictEqual(bindingOf(later), "none")
      yield* later.abort
      assert.strictEqual(bindingOf(later), "none")
    })
  )

  live(
    "TLS over any other transport has it, too",
    Effect.gen(function* () {
      const told = yield* Deferred.make<string>()
      const server = yield* Server.make(Endpoint.tcp(listening), (transport) =>
        Effect.gen(function* () {
          const secured = yield* NodeTlsOver.secure(transport, { role: "server", tls: { identity } })
          yield* Deferred.succeed(told, bindingOf(secured))
          yield* Effect.ignore(secured.receive)
        }).pipe(Effect.scoped)
      )
      const { port } = inetOf(server.address)
      const below = yield* Client.connect(Endpoint.tcpClient({ host: local, port }))
      const tls = { authorities: authority.certificate, serverName: "localhost" }
      const secured = yield* NodeTlsOver.secure(below, { role: "client", tls })
      assert.strictEqual(yield* Deferred.await(told), bindingOf(secured))
      assert.notStrictEqual(bindingOf(secured), "none")
    })
  )

  describePeer(openssl, (command) => {
    live(
      "OpenSSL has the same",
      Effect.gen(function* () {
        const { port } = yield* serve({}, telling)
        const label = ["-keymatexport", "EXPORTER-Channel-Binding", "-keymatexportlen", "32"]
        const child = yield* Child.spawn(command, ["s_client", "-connect", `${local}:${port}`, ...label])
        const [, ours] = yield* child.says(/tls-exporter ([0-9A-F]{64})/)
        const [, theirs] = yield* child.says(/Keying material: ([0-9A-F]{64})/)
        assert.strictEqual(ours, theirs)
      })
    )
  })

  live(
    "SCRAM-SHA-256-PLUS is what is taken; who passes it on from another connection is found out",
    Effect.gen(function* () {
      const seen: Array<string> = []
      const real = yield* Server.make(
        Endpoint.tls({ ...listening, tls: { identity } }),
        imap(yield* makePortal, seen)
      )
      const { port } = inetOf(real.address)
      assert.strictEqual(yield* authenticate(yield* connect(port)), "SCRAM-SHA-256-PLUS")
      // Somebody with a certificate that the client trusts, who ends TLS and begins it anew.
      const between = yield* Server.make(Endpoint.tls({ ...listening, tls: { identity } }), (transport) =>
        Effect.scoped(Effect.flatMap(connect(port), (onward) => Forward.between(transport, onward)))
      )
      const relayed = inetOf(between.address).port
      const error = yield* Effect.flip(authenticate(yield* connect(relayed)))
      assert.isTrue(error instanceof SaslError && error.mechanism === "SCRAM-SHA-256-PLUS", String(error))
      // Without a binding he would not have been noticed.
      const unbound = yield* authenticate(yield* connect(relayed), ["PLAIN"])
      assert.strictEqual(unbound, "PLAIN")
      assert.deepStrictEqual(
        seen.map((line) => /the channel is another one/.test(line) || line),
        ["alice by SCRAM-SHA-256-PLUS", true, "alice by PLAIN"]
      )
    })
  )

  describePeer(gsasl, (command) => {
    live(
      "GNU SASL binds to the TLS that it began by STARTTLS",
      Effect.gen(function* () {
        const seen: Array<string> = []
        const server = yield* Server.make(Endpoint.tcp(listening), imap(yield* makePortal, seen))
        const file = path.join(path.dirname(yield* socketPath), "ca.pem")
        fs.writeFileSync(file, String(authority.certificate))
        const login = (password: string, ...more: ReadonlyArray<string>) =>
          Child.run(command, [
            "--imap",
            `--connect=localhost:${inetOf(server.address).port}`,
            "--starttls",
            `--x509-ca-file=${file}`,
            "--authentication-id=alice",
            `--password=${password}`,
            "--quiet",
            ...more
          ])
        for (const mechanism of ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN"]) {
          const { stderr, stdout } = yield* login(
            "secret",
            `--mechanism=${mechanism}`,
            ...(mechanism.endsWith("-PLUS") ? [] : ["--no-cb"])
          )
          assert.strictEqual(seen.at(-1), `alice by ${mechanism}`, `${stdout}${stderr}`)
        }
        yield* login("wrong", "--mechanism=SCRAM-SHA-256-PLUS")
        assert.strictEqual(seen.at(-1), "wrong name or wrong secret")
      })
    )
  })
})
