import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as TestClock from "effect/testing/TestClock"
import * as WireTrace from "../../src/protocol/WireTrace.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { pairOn, portOf, read, world } from "../memory/pair.ts"
import { observed, serve, sink } from "./serving.ts"

const echo = (transport: Transport) => transport.receiveEach(transport.send)
const identity = { certificate: "a certificate", privateKey: "its key" }
const utf8 = (text: string) => new TextEncoder().encode(text)

/** A trace's entries as text, without the peer. */
const noting = (options?: WireTrace.Options) => {
  const lines: Array<string> = []
  const log = (entry: WireTrace.Entry) =>
    void lines.push(WireTrace.format(entry, options).replace(/(#\d+) \S+/, "$1"))
  return { lines, trace: WireTrace.over({ ...options, log }) }
}

describe("the log", () => {
  it.effect("says what passes, with connection and direction, from the beginning to the end", () =>
    Effect.gen(function* () {
      const { lines, trace } = noting()
      const { dial, settled } = yield* serve(trace(echo))
      const [first, second] = [yield* dial, yield* dial]
      yield* first.send("QUIT\r\n")
      yield* settled
      yield* second.send("x")
      yield* settled
      yield* first.end
      yield* settled
      yield* second.abort
      yield* settled
      assert.deepStrictEqual(lines, [
        "#1 opened",
        "#2 opened",
        "#1 received 6 bytes: QUIT\\r\\n",
        "#1 sent 6 bytes: QUIT\\r\\n",
        "#2 received 1 byte: x",
        "#2 sent 1 byte: x",
        "#1 input ended",
        "#1 finished",
        "#1 closed",
        "#2 lost: the peer reset the connection",
        lines[10]!
      ])
      assert.match(lines[10]!, /^#2 finished: TransportError: receive on the connection with/)
    })
  )

  it.effect("goes to Effect's logger at its level, with the annotations of the connection", () =>
    observed(({ logs }) =>
      Effect.gen(function* () {
        const { dial, settled } = yield* serve(WireTrace.over({ level: "Trace" })(echo))
        const client = yield* dial
        yield* client.send("hello")
        yield* settled
        const seen = logs.filter(({ text }) => text.includes("bytes"))
        assert.deepStrictEqual(
          seen.map(({ annotations, level, text }) => [level, annotations["connection"], text]),
          [
            ["Trace", 1, `#1 127.0.0.1:${portOf(client.local)} received 5 bytes: hello`],
            ["Trace", 1, `#1 127.0.0.1:${portOf(client.local)} sent 5 bytes: hello`]
          ]
        )
      })
    )
  )

  it.effect("costs nothing where its level is not enabled: the protocol gets the transport itself", () =>
    Effect.gen(function* () {
      const { reactor } = yield* world()
      const { server } = yield* pairOn(reactor)
      let seen: Transport | undefined
      const look = (transport: Transport) => Effect.sync(() => void (seen = transport))
      yield* Effect.provideService(WireTrace.over()(look)(server), References.MinimumLogLevel, "Info")
      assert.strictEqual<unknown>(seen, server)
      yield* Effect.provideService(WireTrace.over()(look)(server), References.MinimumLogLevel, "Debug")
      assert.notStrictEqual<unknown>(seen, server)
    })
  )

  it.effect("lets no control character, no escape sequence and no bidirectional trick through", () =>
    Effect.gen(function* () {
      const { lines, trace } = noting()
      const { dial, settled } = yield* serve(trace(sink))
      const client = yield* dial
      const evil = "\u001b[2J\r\n\u0000\u0007\u009b\u202e\u2028 \\x1b grüße 🌀"
      for (const bytes of [
        utf8(evil),
        Uint8Array.of(0x41, 0x1b, 0xff, 0xfe, 0x5c, 0x0a),
        Uint8Array.of(0xe2, 0x80)
      ]) {
        yield* client.send(bytes)
        yield* settled
      }
      assert.deepStrictEqual(
        lines.slice(1).map((line) => line.replace(/.*bytes: /, "")),
        [
          "\\x1b[2J\\r\\n\\x00\\x07\\x9b\\u{202e}\\u{2028} \\\\x1b grüße 🌀",
          "A\\x1b\\xff\\xfe\\\\\\n",
          "\\xe2\\x80"
        ]
      )
      // Whatever comes, in whichever format.
      for (const format of ["text", "hex"] as const) {
        const all = Uint8Array.from({ length: 512 }, (_, i) => i)
        const entry: WireTrace.Entry = {
          connection: 1,
          timeMillis: 0,
          local: client.local,
          peer: client.local,
          event: "Received",
          size: 512,
          bytes: all,
          detail: ""
        }
        assert.match(WireTrace.format(entry, { format, bytesMax: 512 }), /^[\n\x20-\x7e]+$/)
        const failed: WireTrace.Entry = { ...entry, event: "Lost", detail: "\r\n\u001b[31m" }
        assert.include(WireTrace.format(failed), "lost: \\r\\n\\x1b[31m")
      }
    })
  )

  it.effect("shows a dump in hexadecimal, with the time, and not more than it is told to", () =>
    Effect.gen(function* () {
      const { lines, trace } = noting({ format: "hex", bytesMax: 18, time: true })
      const { dial, settled } = yield* serve(trace(sink))
      const client = yield* dial
      yield* TestClock.adjust("1 second")
      yield* client.send("GET / HTTP/1.1\r\nHost: x")
      yield* settled
      assert.deepStrictEqual(lines[1]!.split("\n"), [
        "1970-01-01T00:00:01.000Z #1 received 23 bytes, 18 of them:",
        "  00000000  47 45 54 20 2f 20 48 54  54 50 2f 31 2e 31 0d 0a  |GET / HTTP/1.1..|",
        "  00000010  48 6f                                             |Ho|"
      ])
    })
  )

  it.effect("does not cut a character in two", () =>
    Effect.gen(function* () {
      const { lines, trace } = noting({ bytesMax: 6 })
      const { dial, settled } = yield* serve(trace(sink))
      yield* (yield* dial).send("ab🌀cd")
      yield* settled
      yield* (yield* dial).send("abcd🌀")
      yield* settled
      assert.include(lines.join("\n"), "received 8 bytes, 6 of them: ab🌀\n")
      assert.include(lines.join("\n"), "received 8 bytes, 4 of them: abcd")
    })
  )

  it.effect("follows a change to TLS: the go-ahead, what protects it, and what is protected", () =>
    Effect.gen(function* () {
      const { lines, trace } = noting()
      const { dial, settled } = yield* serve(
        trace((transport) =>
          Effect.flatMap(transport.startTls({ role: "server", tls: { identity }, reply: "220 go\r\n" }), echo)
        )
      )
      const plain = yield* dial
      assert.strictEqual(yield* read(plain), "220 go\r\n")
      const client = yield* plain.startTls({ role: "client", tls: { serverName: "localhost" } })
      yield* client.send("secret")
      yield* settled
      yield* client.end
      yield* settled
      assert.deepStrictEqual(lines, [
        "#1 opened",
        "#1 sent 8 bytes: 220 go\\r\\n",
        "#1 secured: MEMORY MEMORY_NULL",
        "#1 received 6 bytes: secret",
        "#1 sent 6 bytes: secret",
        "#1 input ended",
        "#1 finished",
        "#1 closed"
      ])
    })
  )

  it.effect("does not repeat what is handed back", () =>
    Effect.gen(function* () {
      const { lines, trace } = noting()
      const { dial, settled } = yield* serve(
        trace((transport) =>
          Effect.gen(function* () {
            yield* transport.unread((yield* transport.receive).subarray(2))
            yield* transport.unread(yield* transport.receive)
            yield* sink(transport)
          })
        )
      )
      const client = yield* dial
      yield* client.send("one")
      yield* settled
      yield* client.send("two")
      yield* settled
      assert.deepStrictEqual(lines.slice(1), ["#1 received 3 bytes: one", "#1 received 3 bytes: two"])
    })
  )

  it.effect("shows what `redact` lets it, and nothing when that fails; a log that throws harms nobody", () =>
    Effect.gen(function* () {
      const { lines, trace } = noting({
        redact: (bytes, direction) => {
          const text = new TextDecoder().decode(bytes)
          if (text.startsWith("bug")) throw new Error("a bug")
          if (text.startsWith("key")) return undefined
          return direction === "sent" ? bytes : utf8(text.replace(/PASS .*/, "PASS ***"))
        }
      })
      const { dial, settled } = yield* serve(trace(sink))
      const client = yield* dial
      for (const text of ["PASS hunter2", "key hunter2", "bug hunter2"]) {
        yield* client.send(text)
        yield* settled
      }
      assert.deepStrictEqual(lines.slice(1), [
        "#1 received 12 bytes: PASS ***",
        "#1 received 11 bytes, hidden",
        "#1 received 11 bytes, hidden"
      ])
      const failing = WireTrace.over({
        log: () => {
          throw new Error("no log")
        }
      })
      const other = yield* serve(failing(echo))
      const caller = yield* other.dial
      yield* caller.send("hello")
      yield* other.settled
      assert.strictEqual(yield* read(caller), "hello")
    })
  )
})
