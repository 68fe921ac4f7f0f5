import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as ProxyHeader from "../../src/protocol/ProxyHeader.ts"
import * as Sniff from "../../src/protocol/Sniff.ts"
import type { TransportError } from "../../src/reactor/ReactorError.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { read } from "../memory/pair.ts"
import { hello } from "../node/sockets.ts"
import { bytesOf, v2 } from "../reactor/proxyHeaders.ts"
import { isDone, observed, serve } from "./serving.ts"

const now = { startImmediately: true } as const

const openings = {
  tls: hello.toString("latin1"),
  http1: "GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n",
  http2: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
  ssh: "SSH-2.0-OpenSSH_9.2\r\n",
  proxy1: "PROXY TCP4 192.0.2.1 198.51.100.7 1 2\r\n",
  proxy2: v2(0x20, 0, ""),
  socks4: "\x04\x01\0\x50\x7f\0\0\x01\0",
  socks5: "\x05\x02\0\x02",
  text: "hello\r\n"
} as const

const matchers: Readonly<Record<string, Sniff.Matcher>> = {
  tls: Sniff.tlsClientHello,
  http1: Sniff.http1,
  http2: Sniff.http2,
  ssh: Sniff.ssh,
  proxy: Sniff.proxyHeader,
  socks: Sniff.socks,
  text: Sniff.text
}

describe("matchers", () => {
  const table: ReadonlyArray<[name: string, bytes: string, verdicts: string]> = [
    ["tls", openings.tls, "+"],
    ["tls", "\x16\x03\x01\x02\x00\x01", "+"],
    ["tls", "\x16\x03\x01\x02\x00", "?"],
    ["tls", "\x16\x03\x01\x02\x00\x02", "-"],
    ["tls", "\x16\x02", "-"],
    ["tls", "\x15\x03\x01", "-"],
    ["tls", "\x16\x03\x05", "-"],
    ["tls", "\x16\x03\x01\xff", "-"],
    ["http1", openings.http1, "+"],
    ["http1", "GET /", "+"],
    ["http1", "GET h", "+"],
    ["http1", "OPTIONS *", "+"],
    ["http1", "CONNECT a", "+"],
    ["http1", "PATCH /", "+"],
    ["http1", "P", "?"],
    ["http1", "OPTIONS ", "?"],
    ["http1", "GET *", "-"],
    ["http1", "GET key\r\n", "-"],
    ["http1", "get /", "-"],
    ["http1", "GET\t/", "-"],
    ["http1", "GETX", "-"],
    ["http1", "CONNECT \r", "-"],
    ["http1", openings.http2, "-"],
    ["http2", openings.http2, "+"],
    ["http2", openings.http2.slice(0, 23), "?"],
    ["http2", "PRI * HTTP/2.0\r\n\r\nSN", "-"],
    ["ssh", openings.ssh, "+"],
    ["ssh", "SSH-", "+"],
    ["ssh", "SSH", "?"],
    ["ssh", "ssh-", "-"],
    ["proxy", openings.proxy1, "+"],
    ["proxy", openings.proxy2, "+"],
    ["proxy", "PROXY", "?"],
    ["proxy", "\r\n\r\n\0\r\nQUIT", "?"],
    ["proxy", "PROXY\t", "-"],
    ["proxy", "\r\n\r\nG", "-"],
    ["socks", openings.socks4, "+"],
    ["socks", openings.socks5, "+"],
    ["socks", "\x04", "?"],
    ["socks", "\x04\x03", "-"],
    ["socks", "\x05\0", "-"],
    ["socks", "\x06", "-"],
    ["text", openings.text, "+"],
    ["text", "\r", "+"],
    ["text", "\t", "+"],
    ["text", "\xc3\xa9", "+"],
    ["text", "\xe2\x82\xac", "+"],
    ["text", "\xf0\x9f\x98\x80", "+"],
    ["text", "\xf0\x9f\x98", "?"],
    ["text", "\xc3", "?"],
    ["text", "\xc3A", "-"],
    ["text", "\xc0\x80", "-"],
    ["text", "\xff", "-"],
    ["text", "\xed\xa0\x80", "-"],
    ["text", "\x7f", "-"],
    ["text", "\0", "-"],
    ["text", "\x1b", "-"]
  ]
  const signs = { Match: "+", NoMatch: "-", NeedMore: "?" }
  for (const [name, bytes, expected] of table) {
    it(`${name}: ${JSON.stringify(bytes.slice(0, 30))} is ${expected}`, () => {
      assert.strictEqual(signs[matchers[name]!(bytesOf(bytes))._tag], expected)
    })
  }

  for (const [name, matcher] of Object.entries({
    ...matchers,
    prefix: Sniff.prefix("any"),
    any: Sniff.any()
  })) {
    it(`${name} keeps its word, whatever comes, byte by byte`, () => {
      // Bytes that a matcher may like, in every order.
      const liked = bytesOf("GETPRI */hSH-\r\n\x16\x03\x01\x04\x05\xc3\xa9\xf0\x9f")
      let state = 7
      const next = () => (state = (state * 48_271) % 0x7fff_ffff)
      const inputs = [
        ...Object.values(openings).map(bytesOf),
        ...Array.from({ length: 300 }, () =>
          Uint8Array.from({ length: 12 }, () => liked[next() % liked.length]!)
        )
      ]
      for (const input of inputs) {
        let atMost = Infinity
        let last = "?"
        for (let size = 0; size <= Math.min(input.length, 64); size++) {
          const verdict = matcher(input.subarray(0, size))
          // What was told once stays told.
          if (last !== "?") assert.strictEqual(signs[verdict._tag], last)
          else if (verdict._tag === "NeedMore") {
            assert.isAtMost(verdict.atMost, atMost)
            assert.isAbove(verdict.atMost, size)
            atMost = verdict.atMost
          }
          last = signs[verdict._tag]
        }
      }
    })
  }
})

/** Says its name, then echoes. */
const named = (name: string) => (transport: Transport) =>
  Effect.andThen(transport.send(`${name}:`), transport.receiveEach(transport.send))

const everything = [
  Sniff.when(Sniff.http2, named("http2")),
  Sniff.when(Sniff.http1, named("http1")),
  Sniff.when(Sniff.tlsClientHello, named("tls")),
  Sniff.when(Sniff.ssh, named("ssh")),
  Sniff.when(Sniff.proxyHeader, named("proxy")),
  Sniff.when(Sniff.socks4, named("socks4")),
  Sniff.when(Sniff.socks5, named("socks5")),
  Sniff.when(Sniff.text, named("text"))
]

const errorOf = (cause: { readonly reasons: ReadonlyArray<unknown> } | undefined): string => {
  const reason = cause?.reasons[0] as { readonly _tag: string; readonly error?: unknown } | undefined
  return reason?.error instanceof Sniff.SniffError
    ? `${reason.error.reason._tag} ${reason.error.message}`
    : String(reason?.error)
}

describe("Sniff.over", () => {
  for (const [name, opening] of Object.entries(openings)) {
    const branch = name.replace(/^(proxy)\d$/, "$1")
    it.effect(`${name} goes to its branch, with every byte, whole and byte by byte`, () =>
      Effect.gen(function* () {
        const { dial, settled } = yield* serve(Sniff.over(everything))
        for (const step of [opening.length, 1, 3]) {
          const client = yield* dial
          for (let at = 0; at < opening.length; at += step) {
            yield* client.send(bytesOf(opening.slice(at, at + step)))
            yield* settled
          }
          yield* client.end
          let answer = ""
          yield* client.receiveEach((bytes) =>
            Effect.sync(() => {
              answer += Buffer.from(bytes).toString("latin1")
            })
          )
          assert.strictEqual(answer, `${branch}:${opening}`)
          yield* client.hangUp
        }
      })
    )
  }

  it.effect("the first branch that matches wins, and one that cannot tell yet is waited for", () =>
    Effect.gen(function* () {
      const { dial, settled } = yield* serve(
        Sniff.over([
          Sniff.when(Sniff.prefix("abcd"), named("abcd")),
          Sniff.when(Sniff.prefix("ab"), named("ab")),
          Sniff.when(Sniff.prefix("abc"), named("never")),
          Sniff.when(Sniff.prefix(""), named("rest"))
        ])
      )
      for (const [said, expected] of [
        ["abcd", "abcd"],
        ["abcx", "ab"],
        ["x", "rest"]
      ] as const) {
        const client = yield* dial
        yield* client.send(said)
        assert.strictEqual(yield* read(client), `${expected}:${said}`)
      }
      // Who says no more is taken for what is there, when the time is over.
      const client = yield* dial
      yield* client.send("abc")
      yield* settled
      const answer = yield* Effect.forkChild(read(client), now)
      yield* TestClock.adjust("4999 millis")
      assert.isFalse(isDone(answer))
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Fiber.join(answer), "ab:abc")
      // Or when there will be no more.
      const short = yield* dial
      yield* short.send("ab")
      yield* short.end
      assert.strictEqual(yield* read(short), "ab:ab")
    })
  )

  it.effect("silence, an early end and strange bytes go to the default, which loses nothing", () =>
    Effect.gen(function* () {
      const { dial } = yield* serve(
        Sniff.over([Sniff.when(Sniff.ssh, named("ssh"))], {
          firstBytesTimeout: "300 millis",
          default: named("220")
        })
      )
      const silent = yield* dial
      const greeting = yield* Effect.forkChild(read(silent), now)
      yield* TestClock.adjust("299 millis")
      assert.isFalse(isDone(greeting))
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Fiber.join(greeting), "220:")
      yield* silent.send("HELO")
      assert.strictEqual(yield* read(silent), "HELO")

      const strange = yield* dial
      yield* strange.send("SSX and more")
      assert.strictEqual(yield* read(strange), "220:SSX and more")

      const hesitant = yield* dial
      yield* hesitant.send("SS")
      yield* TestClock.adjust("300 millis")
      assert.strictEqual(yield* read(hesitant), "220:SS")
      yield* hesitant.send("H-2.0")
      assert.strictEqual(yield* read(hesitant), "H-2.0")

      for (const said of ["", "SS"]) {
        const ended = yield* dial
        if (said !== "") yield* ended.send(said)
        yield* ended.end
        assert.strictEqual(yield* read(ended), `220:${said}`)
      }
    })
  )

  it.effect("without a default they end with a typed error, at level Debug", () =>
    observed(({ logs, reports }) =>
      Effect.gen(function* () {
        const { dial, settled } = yield* serve(Sniff.over([Sniff.when(Sniff.ssh, named("ssh"))]))
        const last = () => logs.findLast(({ text }) => text === "connection lost")
        const strange = yield* dial
        yield* strange.send("\x1b]0;title\x07 and so on and on")
        assert.strictEqual(yield* read(strange), "<end>")
        yield* settled
        assert.strictEqual(last()?.level, "Debug")
        assert.strictEqual(
          errorOf(last()?.cause),
          String.raw`Unrecognized sniff: no protocol here begins with "\x1b]0;title\x07 and s"`
        )
        const silent = yield* dial
        yield* silent.send("SSH")
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual(yield* read(silent), "<end>")
        assert.strictEqual(
          errorOf(last()?.cause),
          "TimedOut sniff: 3 bytes came in time, too few to tell the protocol"
        )
        const ended = yield* dial
        yield* ended.end
        assert.strictEqual(yield* read(ended), "<end>")
        assert.strictEqual(
          errorOf(last()?.cause),
          "Ended sniff: the input ended after 0 bytes, too few to tell the protocol"
        )
        assert.deepStrictEqual(reports, [])
      })
    )
  )

  it.effect("a connection lost while it is looked at is lost", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        let ran = 0
        const count = () => Effect.sync(() => void ran++)
        const { dial, server, settled } = yield* serve(
          Sniff.over([Sniff.when(Sniff.ssh, count)], { default: count })
        )
        const client = yield* dial
        yield* client.send("SS")
        yield* settled
        yield* client.abort
        yield* settled
        assert.deepStrictEqual([ran, reports.length], [0, 0])
        yield* server.stop
      })
    )
  )

  it.effect("bytesMax is all that is looked at: a matcher without an end does not match there", () =>
    Effect.gen(function* () {
      const sizes: Array<number> = []
      const endless: Sniff.Matcher = (bytes) => {
        sizes.push(bytes.length)
        return Sniff.needMore(bytes.length === 0 ? 10 : 1_000)
      }
      const { dial, settled } = yield* serve(
        Sniff.over([Sniff.when(endless, named("never"))], { bytesMax: 10, default: named("rest") })
      )
      const client = yield* dial
      yield* client.send("12345")
      yield* settled
      yield* client.send("67890abcdef")
      assert.strictEqual(yield* read(client), "rest:1234567890abcdef")
      assert.deepStrictEqual([...new Set(sizes)], [0, 5, 10])
    })
  )

  it.effect("a matcher that asks for less than it needs is not waited for", () =>
    Effect.gen(function* () {
      const { dial } = yield* serve(
        Sniff.over([Sniff.when(() => Sniff.needMore(4), named("never"))], { default: named("rest") })
      )
      const client = yield* dial
      yield* client.send("1234")
      assert.strictEqual(yield* read(client), "rest:1234")
    })
  )

  it("a matcher that may need more than bytesMax is a mistake of the program", () => {
    assert.throws(
      () =>
        Sniff.over([Sniff.when(Sniff.ssh, named("")), Sniff.when(Sniff.http2, named(""))], { bytesMax: 23 }),
      RangeError,
      "branch 1 may need 24 bytes where 23 are the limit"
    )
    assert.doesNotThrow(() => Sniff.over([Sniff.when(Sniff.http2, named(""))], { bytesMax: 24 }))
    assert.throws(() => Sniff.over([], { bytesMax: 0 }), RangeError)
  })

  it.effect("a PROXY header, then whatever is behind it", () =>
    Effect.gen(function* () {
      const who = (name: string) => (transport: Transport) => transport.send(`${name} ${transport.peer}`)
      const inner = [Sniff.when(Sniff.http1, who("http")), Sniff.when(Sniff.text, who("text"))]
      const { dial } = yield* serve(
        Sniff.over([
          Sniff.when(Sniff.proxyHeader, ProxyHeader.over({ trusted: ["127.0.0.1"] })(Sniff.over(inner))),
          ...inner
        ])
      )
      const proxied = yield* dial
      yield* proxied.send(`${openings.proxy1}GET / HTTP/1.1\r\n`)
      assert.strictEqual(yield* read(proxied), "http 192.0.2.1:1")
      const direct = yield* dial
      yield* direct.send("hello")
      assert.strictEqual(yield* read(direct), `text ${direct.local}`)
    })
  )

  it("errors and requirements are those of all branches", () => {
    class Need extends Context.Service<Need, string>()("test/Need") {}
    const failing = (): Effect.Effect<void, "one"> => Effect.fail("one")
    const needing = (): Effect.Effect<void, never, Need> => Effect.asVoid(Need)
    const last = (): Effect.Effect<void, "three"> => Effect.fail("three")
    const strict = Sniff.over([Sniff.when(Sniff.ssh, failing), Sniff.when(Sniff.text, needing)])
    const lenient = Sniff.over([Sniff.when(Sniff.ssh, failing), Sniff.when(Sniff.text, needing)], {
      default: last
    })
    type Of<P> = P extends (transport: Transport) => Effect.Effect<void, infer E, infer R> ? [E, R] : never
    type Same<A, B> = [A, B] extends [B, A] ? true : false
    const exact: [
      Same<Of<typeof strict>, ["one" | Sniff.SniffError | TransportError, Need]>,
      Same<Of<typeof lenient>, ["one" | "three" | TransportError, Need]>
    ] = [true, true]
    assert.deepStrictEqual(exact, [true, true])
  })
})
