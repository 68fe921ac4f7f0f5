import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as TestClock from "effect/testing/TestClock"
import * as ProxyHeader from "../../src/protocol/ProxyHeader.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { pairOn, read, reasonOf, world } from "../memory/pair.ts"
import { bytesOf, ends, endsOf, inet, inetEnds, tlv, v2 } from "../reactor/proxyHeaders.ts"
import { observed, serve } from "./serving.ts"

const trusted = ["127.0.0.1"]
const identity = { certificate: "a certificate", privateKey: "its key" }

/** Says who it is with, then echoes. */
const who = Effect.fnUntraced(function* (transport: Transport) {
  const header = ProxyHeader.of(transport)
  yield* transport.send(`${transport.peer} ${transport.local} ${header?.tlvs.authority}\n`)
  yield* transport.receiveEach(transport.send)
})

describe("ProxyHeader.over", () => {
  it.effect("runs the protocol behind the header, which it can see, with all that followed it", () =>
    Effect.gen(function* () {
      const { dial } = yield* serve(ProxyHeader.over({ trusted })(who))
      for (const [header, said] of [
        ["PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n", `${inetEnds.join(" ")} undefined\n`],
        [v2(0x21, 0x11, inet + tlv(2, "a.example")), `${inetEnds.join(" ")} a.example\n`]
      ] as const) {
        const client = yield* dial
        yield* client.send(bytesOf(`${header}and on`))
        assert.strictEqual(yield* read(client), `${said}and on`)
        yield* client.hangUp
      }
    })
  )

  it.effect("keeps header and ends through a change to TLS", () =>
    Effect.gen(function* () {
      const { dial } = yield* serve(
        ProxyHeader.over({ trusted })((transport) =>
          Effect.flatMap(transport.startTls({ role: "server", tls: { identity }, reply: "go" }), who)
        )
      )
      const client = yield* dial
      yield* client.send(bytesOf(v2(0x21, 0x11, inet)))
      assert.strictEqual(yield* read(client), "go")
      const secured = yield* client.startTls({ role: "client", tls: {} })
      assert.strictEqual(yield* read(secured), `${inetEnds.join(" ")} undefined\n`)
      yield* secured.end
    })
  )

  it.effect("whoever has no place here ends without the protocol, at level Debug", () =>
    observed(({ logs, reports }) =>
      Effect.gen(function* () {
        let ran = 0
        const count = () => Effect.sync(() => void ran++)
        const { dial, server, settled } = yield* serve(ProxyHeader.over({ trusted: ["10.0.0.0/8"] })(count))
        assert.strictEqual(yield* read(yield* dial), "<end>")
        const strict = yield* serve(ProxyHeader.over({ trusted })(count))
        const wrong = yield* strict.dial
        yield* wrong.send("GET / HTTP/1.1\r\n\r\n")
        assert.strictEqual(yield* read(wrong), "<end>")
        const late = yield* strict.dial
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual(yield* read(late), "<end>")
        const cut = yield* strict.dial
        yield* cut.send("PROXY ")
        yield* cut.end
        assert.strictEqual(yield* read(cut), "<end>")
        yield* settled
        assert.deepStrictEqual([ran, reports.length], [0, 0])
        const lost = logs.filter(({ text }) => text === "connection lost")
        assert.deepStrictEqual(
          lost.map(({ cause, level }) => {
            const reason = cause.reasons[0]
            const error = reason?._tag === "Fail" ? reason.error : undefined
            return `${level} ${error instanceof ProxyHeader.ProxyHeaderError ? error.reason._tag : String(error)}`
          }),
          ["Debug Untrusted", "Debug NotAHeader", "Debug TimedOut", "Debug Truncated"]
        )
        yield* server.stop
      })
    )
  )

  it("throws for options that cannot work", () => {
    for (const options of [
      { trusted: [] },
      { trusted: ["nobody"] },
      { trusted, headerBytesMax: 3 },
      { trusted, versions: [] }
    ]) {
      assert.throws(() => ProxyHeader.over(options), RangeError)
    }
  })
})

describe("ProxyHeader.send", () => {
  it.effect("puts a header in front, which the other side understands: through one proxy after another", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      for (const header of [
        { version: 1, addresses: ends("192.0.2.1:1", "198.51.100.7:2") },
        { addresses: ends("[2001:db8::1]:1", "[::1]:2"), tlvs: { authority: "a.example", checksum: true } }
      ] as const) {
        const front = yield* pairOn(reactor)
        yield* ProxyHeader.send(front.client, header)
        yield* front.client.send("hello")
        const relayed = yield* Effect.scoped(
          Effect.gen(function* () {
            const back = yield* pairOn(reactor)
            // The proxy in the middle passes on what it was told.
            yield* ProxyHeader.over({ trusted })((transport) =>
              Effect.gen(function* () {
                yield* ProxyHeader.send(back.client, ProxyHeader.forwarding(transport))
                yield* back.client.send(yield* Effect.orDie(transport.receive))
              })
            )(front.server)
            let relayed: ReadonlyArray<unknown> = []
            yield* ProxyHeader.over({ trusted })((transport) =>
              Effect.gen(function* () {
                const { version } = ProxyHeader.of(transport)!
                relayed = [version, endsOf(ProxyHeader.of(transport)!), yield* read(transport)]
                assert.deepStrictEqual(ProxyHeader.of(transport)?.tlvs, "tlvs" in header ? header.tlvs : {})
              })
            )(back.server)
            return relayed
          })
        )
        const { destination, source } = header.addresses
        const expected = [source, destination].map(NetAddress.formatSocketAddress)
        assert.deepStrictEqual(relayed, [2, expected, "hello"])
      }
    })
  )

  it.effect("fails for what cannot be said, and sends nothing", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const { client, server } = yield* pairOn(reactor)
      assert.strictEqual(
        yield* reasonOf(ProxyHeader.send(client, { version: 1, command: "Local" })),
        "Unencodable"
      )
      yield* client.end
      assert.strictEqual(yield* read(server), "<end>")
    })
  )
})
