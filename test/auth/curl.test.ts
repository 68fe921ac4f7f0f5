/** curl logs in: its mechanisms against ours, over TCP, by as much of POP3 as that takes (RFC 5034). */
import { assert, it } from "@effect/vitest"
import * as Context from "effect/Context"
import { SecureRandom } from "effect/crypto"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Checker from "../../src/auth/Checker.ts"
import * as KeyDerivation from "../../src/auth/KeyDerivation.ts"
import * as MemoryUsers from "../../src/auth/MemoryUsers.ts"
import * as Portal from "../../src/auth/Portal.ts"
import * as Realm from "../../src/auth/Realm.ts"
import { encodeBase64, parseLine } from "../../src/auth/SaslBase64.ts"
import * as SaslServer from "../../src/auth/SaslServer.ts"
import * as Lines from "../../src/framing/Lines.ts"
import { functions } from "../../src/node/NodeKeyDerivation.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { portOf } from "../memory/pair.ts"
import * as Child from "../support/child.ts"
import { curl, describePeer } from "../support/peers.ts"

class Mailbox extends Context.Service<Mailbox, { readonly owner: string }>()("test/Mailbox") {}

const serve = (portal: Portal.Portal<never, Mailbox>, mechanism: string) =>
  Effect.fnUntraced(function* (transport: Transport) {
    const lines = Lines.make(transport)
    const options = { portal, secured: true, identity: "CN=alice", mechanisms: [mechanism] }
    const say = (...all: ReadonlyArray<string>) => Effect.forEach(all, lines.send, { discard: true })
    let owner: string | undefined
    yield* lines.send("+OK ready")
    for (;;) {
      const [command, name = "", initial] = (yield* lines.receive).split(" ")
      switch (command?.toUpperCase()) {
        case "CAPA":
          yield* say("+OK", `SASL ${SaslServer.offers(options).join(" ")}`, ".")
          break
        case "AUTH": {
          const first = initial === undefined ? undefined : parseLine(initial)
          const request = {
            mechanism: name,
            initial: first instanceof Uint8Array ? first : undefined,
            challenge: (bytes: Uint8Array) =>
              Effect.andThen(lines.send(`+ ${encodeBase64(bytes)}`), Effect.map(lines.receive, parseLine))
          }
          yield* SaslServer.login(options, request, Mailbox).pipe(
            Effect.flatMap(({ avatar }) => {
              owner = avatar.owner
              return lines.send("+OK")
            }),
            Effect.catchTag(["LoginError", "SaslError"], () => lines.send("-ERR"))
          )
          break
        }
        case "LIST":
          yield* say(...(owner === undefined ? ["-ERR"] : ["+OK", `1 ${owner}`, "."]))
          break
        default:
          yield* lines.send("+OK")
          if (command?.toUpperCase() === "QUIT") return
      }
    }
  })

const live = Layer.mergeAll(NodeReactor.layer, KeyDerivation.layer(functions), SecureRandom.layerWebCrypto)

describePeer(curl, (path) => {
  for (const [mechanism, right, wrong] of [
    ["PLAIN", ["--user", "alice:s€cret"], ["--user", "alice:secret"]],
    ["LOGIN", ["--user", "alice:s€cret"], ["--user", "alice:secret"]],
    ["CRAM-MD5", ["--user", "alice:s€cret"], ["--user", "alice:secret"]],
    [
      "OAUTHBEARER",
      ["--user", "alice:", "--oauth2-bearer", "t0ken"],
      ["--user", "alice:", "--oauth2-bearer", "x"]
    ],
    [
      "XOAUTH2",
      ["--user", "alice:", "--oauth2-bearer", "t0ken"],
      ["--user", "bob:", "--oauth2-bearer", "t0ken"]
    ],
    ["EXTERNAL", ["--user", "CN=alice:"], ["--user", "root:"]]
  ] as const) {
    for (const initial of [[], ["--sasl-ir"]]) {
      it.live(`${mechanism} ${initial.join("")}`, () =>
        Effect.gen(function* () {
          const portal = Portal.make({
            realms: [Realm.make(Mailbox, (id) => Effect.succeed({ owner: String(id) }))],
            checkers: [
              yield* MemoryUsers.checker({ alice: "s€cret" }),
              Checker.token(Redacted.make("t0ken"), "alice"),
              Checker.external
            ]
          })
          const server = yield* Server.make(
            Endpoint.tcp({ port: 0, interface: "127.0.0.1" }),
            serve(portal, mechanism)
          )
          const ask = (user: ReadonlyArray<string>) =>
            Child.run(path, [
              "--silent",
              "--max-time",
              "10",
              "--login-options",
              `AUTH=${mechanism}`,
              ...initial,
              ...user,
              `pop3://127.0.0.1:${portOf(server.address)}/`
            ])
          const good = yield* ask(right)
          assert.deepStrictEqual(
            [good.code, good.stdout.trim()],
            [0, mechanism === "EXTERNAL" ? "1 CN=alice" : "1 alice"]
          )
          // CURLE_LOGIN_DENIED
          const bad = yield* ask(wrong)
          assert.deepStrictEqual([bad.code, bad.stdout], [67, ""])
        }).pipe(Effect.scoped, Effect.provide(live))
      )
    }
  }
})
