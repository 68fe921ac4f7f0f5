/** Who may use a cache: memcached's text authentication; in memory, in virtual time. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import * as MemcacheClient from "../../src/memcache/MemcacheClient.ts"
import * as MemcacheServer from "../../src/memcache/MemcacheServer.ts"
import * as MemcacheStore from "../../src/memcache/MemcacheStore.ts"
import * as MemcacheUsers from "../../src/memcache/MemcacheUsers.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { TransportView } from "../../src/reactor/TransportView.ts"
import { read, readAll } from "../memory/pair.ts"
import { serve } from "../protocol/serving.ts"
import { said } from "../support/transcript.ts"

const password = Redacted.make("sesame")
const authenticate = MemcacheUsers.memory([["ali", password]])
const protocol = Effect.provide(MemcacheServer.make({ authenticate }), MemcacheStore.layer())
const login = "set any 0 0 10\r\nali sesame\r\n"

describe("a server that asks who it is", () => {
  it.effect("answers nothing else before, and then everything, in whatever pieces it comes", () =>
    Effect.gen(function* () {
      const text = `${login}set k 0 0 1\r\n1\r\nget k\r\nquit\r\n`
      for (const size of [1 << 30, 1, 7]) {
        const { dial, settled } = yield* serve(yield* protocol)
        const client = yield* dial
        for (let at = 0; at < text.length; at += size) {
          yield* Effect.ignore(client.send(text.slice(at, at + size)))
          yield* settled
        }
        assert.strictEqual(yield* readAll(client), "STORED\r\nSTORED\r\nVALUE k 0 1\r\n1\r\nEND\r\n")
      }
    })
  )

  it.effect("three mistakes end the connection, whatever they are", () =>
    Effect.gen(function* () {
      const mistakes = {
        "get k\r\n": "unauthenticated",
        "add k 0 0 10\r\nali sesame\r\n": "unauthenticated",
        "set k 0 0 1\r\n1\r\n": "bad authentication token format",
        "set k 0 0 7\r\nali wro\r\n": "authentication failure",
        "set k 0 0 8\r\nbob seen\r\n": "authentication failure",
        [`set k 0 0 2000\r\n${"x".repeat(2_000)}\r\n`]: "unauthenticated",
        "version\r\n": "unauthenticated"
      }
      for (const [mistake, complaint] of Object.entries(mistakes)) {
        const told = `CLIENT_ERROR ${complaint}\r\n`
        assert.strictEqual(
          yield* said(yield* protocol, `${mistake}${login}mn\r\nquit\r\n`),
          `${told}STORED\r\nMN\r\n`
        )
        assert.strictEqual(yield* said(yield* protocol, mistake.repeat(3) + login), told.repeat(3), mistake)
      }
      assert.strictEqual(yield* said(yield* protocol, `quit\r\n${login}`), "")
      const long = yield* said(yield* protocol, "x".repeat(5_000))
      assert.strictEqual(long, "CLIENT_ERROR unauthenticated\r\n")
    })
  )

  it.effect("does not wait for ever, but for who is known; what is tried is counted", () =>
    Effect.gen(function* () {
      const { dial, settled } = yield* serve(yield* protocol)
      const [idle, known] = [yield* dial, yield* dial]
      yield* known.send(`set k 0 0 2\r\na \r\n${login}stats\r\nstats settings\r\n`)
      yield* settled
      const stats = yield* read(known)
      assert.include(stats, "STAT auth_cmds 2\r\nSTAT auth_errors 1\r\n")
      assert.include(stats, "STAT auth_enabled_ascii yes\r\n")
      yield* TestClock.adjust("11 seconds")
      assert.strictEqual(yield* read(idle), "<end>")
      yield* TestClock.adjust("1 hour")
      yield* known.send("mn\r\n")
      assert.strictEqual(yield* read(known), "MN\r\n")
    })
  )
})

describe("a client that says who it is", () => {
  const dialed = Effect.flatMap(protocol, (protocol) =>
    Effect.flatMap(serve(protocol, { drainTimeout: 0, interruptTimeout: 0 }), ({ dial }) => dial)
  )
  const connect = (user: string) =>
    Effect.flatMap(dialed, (transport) => MemcacheClient.make(transport, { login: { user, password } }))

  it.effect("is let in; or hears that it is not", () =>
    Effect.gen(function* () {
      const cache = yield* connect("ali")
      yield* cache.set("k", "v")
      assert.strictEqual((yield* cache.get("k"))?.value.length, 1)
      const stranger = yield* connect("bob")
      const asked = yield* Effect.all([Effect.flip(stranger.get("k")), Effect.flip(stranger.get("k"))], {
        concurrency: 2
      })
      for (const { message, reason } of asked) {
        assert.deepInclude(reason, { _tag: "LoginRefused", fault: "Local" })
        assert.strictEqual(message, "memcache get: the server refused the login: authentication failure")
      }
    })
  )

  it.effect("does not say its password where others can read it, unless told to", () =>
    Effect.gen(function* () {
      const peer = NetAddress.inetAddressFromIpStringUnsafe("192.0.2.1", 11_211)
      for (const unprotected of [false, true]) {
        const transport = new Elsewhere(yield* dialed, peer)
        const cache = yield* MemcacheClient.make(transport, { login: { user: "ali", password, unprotected } })
        const asked = yield* Effect.exit(cache.get("k"))
        assert.strictEqual(asked._tag, unprotected ? "Success" : "Failure")
        if (unprotected) continue
        const { message, reason } = yield* Effect.flip(cache.get("k"))
        assert.deepInclude(reason, { _tag: "Exposed", fault: "Local" })
        assert.include(message, "without TLS")
        assert.strictEqual(transport.sentBytes, 0)
      }
      for (const user of ["", "a b", "a\r\nflush_all"]) {
        assert.strictEqual(
          (yield* Effect.flip((yield* connect(user)).get("k"))).reason._tag,
          "Unsayable",
          user
        )
      }
    })
  )
})

/** A connection that says it leads to another machine. */
class Elsewhere extends TransportView {
  sentBytes = 0
  private readonly elsewhere: NetAddress.SocketAddress

  constructor(inner: Transport, elsewhere: NetAddress.SocketAddress) {
    super(inner)
    this.elsewhere = elsewhere
  }

  protected override again(secured: Transport): Transport {
    return new Elsewhere(secured, this.elsewhere)
  }

  override get peer(): NetAddress.SocketAddress {
    return this.elsewhere
  }

  override get send(): Transport["send"] {
    return (bytes) => {
      this.sentBytes += bytes.length
      return this.inner.send(bytes)
    }
  }
}
