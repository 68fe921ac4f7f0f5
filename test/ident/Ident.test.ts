/** Conversations, in the order of RFC 1413; in memory. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as TestClock from "effect/testing/TestClock"
import * as IdentClient from "../../src/ident/IdentClient.ts"
import * as IdentServer from "../../src/ident/IdentServer.ts"
import * as IdentTokens from "../../src/ident/IdentTokens.ts"
import * as IdentUsers from "../../src/ident/IdentUsers.ts"
import * as IdentWire from "../../src/ident/IdentWire.ts"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import * as Client from "../../src/protocol/Client.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { read, readAll } from "../memory/pair.ts"
import { observed, serve } from "../protocol/serving.ts"
import { fuzzSessions } from "../support/fuzzSessions.ts"
import { transcript } from "../support/transcript.ts"

const users = IdentUsers.layer({
  identify: ({ local, peer }) =>
    Effect.succeed(
      local.port === 22 && NetAddress.formatIp(peer.address) === "127.0.0.1"
        ? IdentWire.unixUser(`u${peer.port}`)
        : local.port === 23
          ? IdentWire.unixUser("a\r\nb")
          : IdentWire.noUser
    )
})

describe("a server", () => {
  it.effect("answers each query, in order, until the client ends", () =>
    transcript(IdentServer.protocol(), [
      ["22, 1000\r\n", "22, 1000 : USERID : UNIX : u1000\r\n"],
      ["22,1000\n22,2000\r\n", "22, 1000 : USERID : UNIX : u1000\r\n22, 2000 : USERID : UNIX : u2000\r\n"],
      ["25, 1000\r\n", "25, 1000 : ERROR : NO-USER\r\n"],
      ["23, 1\r\n", "23, 1 : USERID : UNIX : a\\r\\nb\r\n"],
      ["0, 1\r\n65536, 1\r\n", "0, 1 : ERROR : INVALID-PORT\r\n65536, 1 : ERROR : INVALID-PORT\r\n"],
      // What is no query ends it; what came before is answered.
      ["22, 1\r\nGET / HTTP/1.1\r\n22, 1\r\n", "22, 1 : USERID : UNIX : u1\r\n"],
      ["1".repeat(2000), ""],
      ["", ""]
    ]).pipe(Effect.provide(users))
  )

  it.effect("names nobody by default", () =>
    transcript(IdentServer.protocol(), [["22, 1000\r\n", "22, 1000 : ERROR : HIDDEN-USER\r\n"]]).pipe(
      Effect.provide(IdentUsers.layer())
    )
  )

  it.effect(
    "6: users by tokens: one for each connection, which the log tells, once; refusals stay what they are",
    () =>
      observed(({ logs }) =>
        Effect.gen(function* () {
          let count = 0
          const tokens = IdentTokens.layer({
            connectionsMax: 2,
            tokenBytes: Effect.sync(() => Uint8Array.of(0xab, ++count))
          }).pipe(Layer.provide(users))
          const { dial, settled } = yield* serve(IdentServer.protocol(), { drainTimeout: 0 }).pipe(
            Effect.provide(tokens)
          )
          const client = yield* dial
          const ask = Effect.fnUntraced(function* (query: string) {
            yield* client.send(`${query}\r\n`)
            yield* settled
            return (yield* read(client)).replace(/\r\n$/, "")
          })
          for (const [query, answer] of [
            ["22, 1", "22, 1 : USERID : OTHER : ab01"],
            ["22, 2", "22, 2 : USERID : OTHER : ab02"],
            ["22, 1", "22, 1 : USERID : OTHER : ab01"],
            ["22, 3", "22, 3 : USERID : OTHER : ab03"],
            ["25, 1", "25, 1 : ERROR : NO-USER"],
            // The oldest one is forgotten.
            ["22, 1", "22, 1 : USERID : OTHER : ab04"]
          ] as const) {
            assert.strictEqual(yield* ask(query), answer)
          }
          yield* client.end
          const told = logs.filter(({ text }) => text === "ident token").map(({ annotations }) => annotations)
          assert.deepStrictEqual(
            told.map(({ token, user }) => [token, user]),
            [
              ["ab01", "u1"],
              ["ab02", "u2"],
              ["ab03", "u3"],
              ["ab04", "u1"]
            ]
          )
          const random = IdentTokens.make(IdentUsers.always("ada"))
          const end = (port: number) =>
            NetAddress.inetAddressUnsafe(NetAddress.ipFromStringUnsafe("127.0.0.1"), port)
          const said = yield* random.identify({ local: end(1), peer: end(2) })
          assert.match(said._tag === "UserId" ? said.user : "", /^[0-9a-f]{24}$/)
        }).pipe(Effect.scoped)
      )
  )

  it.effect("fuzzing whole sessions: no defect, an answer to a query at most", () =>
    fuzzSessions(IdentServer.protocol(), {
      words: ["22", ",", " ", "1000", "0", "65536", "\r\n", "\n", "\0", ":", "USERID", "\xff"],
      examples: ["22, 1000\r\n23, 1\r\n", "22,1000\n"],
      sessions: 300,
      // The shortest query is `1,1` and a line end.
      answerBytesMax: (bytes) => 16 * bytes
    }).pipe(Effect.provide(users))
  )

  it.effect("closes after 60 seconds of silence", () =>
    Effect.gen(function* () {
      const { dial, server, settled } = yield* serve(IdentServer.protocol())
      const client = yield* dial
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(server.counts.value.open, 1)
      yield* TestClock.adjust("6 seconds")
      yield* settled
      assert.strictEqual(yield* readAll(client), "")
    }).pipe(Effect.provide(users))
  )
})

describe("a client", () => {
  const impatient = { drainTimeout: 0, interruptTimeout: 0 }
  const says = (port: number, line: string) =>
    Server.layer(
      Endpoint.tcp({ port }),
      (transport) => Effect.andThen(transport.receive, transport.send(line)),
      impatient
    )
  const at = (port: number) => Endpoint.tcpClient({ host: "127.0.0.1", port })
  const world = Layer.mergeAll(
    IdentServer.layer(Endpoint.tcp({ port: 113 })).pipe(Layer.provide(users)),
    says(1, "22, 1 : ERROR : HIDDEN-USER\r\n"),
    says(2, "22, 2 : USERID : UNIX : other\r\n"),
    says(3, "22, 1 : ERROR : X-\x1b\r\n"),
    says(4, "1".repeat(2000)),
    says(5, ""),
    Server.layer(Endpoint.tcp({ port: 6 }), () => Effect.never, impatient)
  ).pipe(Layer.provideMerge(MemoryReactor.layer()))
  const asked = { portOnServer: 22, portOnClient: 1 }

  it.effect("hears a name, or why there is none", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* IdentClient.ask(at(113), asked), IdentWire.unixUser("u1"))
      const refused = (port: number, query = asked) =>
        Effect.map(
          Effect.flip(IdentClient.ask(at(port), query)),
          (error) => `${error.reason._tag} ${error.reason.fault}`
        )
      assert.deepStrictEqual(yield* Effect.forEach([1, 2, 3, 4, 5], (port) => refused(port)), [
        "HiddenUser Remote",
        "Malformed Remote",
        "Malformed Remote",
        "FrameTooLong Remote",
        "Malformed Remote"
      ])
      assert.strictEqual(yield* refused(113, { portOnServer: 25, portOnClient: 1 }), "NoUser Remote")
      assert.strictEqual(yield* refused(113, { portOnServer: 0, portOnClient: 1 }), "InvalidPort Local")
      const late = yield* Effect.forkChild(refused(6), { startImmediately: true })
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* Fiber.join(late), "TimedOut Remote")
    }).pipe(Effect.provide(world))
  )

  it.effect("asks the peer of a connection", () =>
    Effect.gen(function* () {
      // Whoever connects to port 23 is asked about; here both are one machine.
      const names: Array<string> = []
      const client = yield* IdentClient.IdentClient
      yield* Server.make(
        Endpoint.tcp({ port: 24 }),
        (transport) => Effect.map(client.identify(transport), ({ user }) => void names.push(user)),
        impatient
      )
      const transport = yield* Client.connect(
        Endpoint.tcpClient({ host: "127.0.0.1", port: 24, bindAddress: { address: "127.0.0.1", port: 22 } })
      )
      yield* readAll(transport)
      assert.deepStrictEqual(names, ["u24"])
    }).pipe(Effect.scoped, Effect.provide(IdentClient.layer().pipe(Layer.provideMerge(world))))
  )
})
