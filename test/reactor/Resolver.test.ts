import * as url from "node:url"
import { assert, describe, it } from "@effect/vitest"
import type * as Arr from "effect/Array"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as AddressResolver from "effect/net/AddressResolver"
import * as Dns from "effect/net/Dns"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"
import { ResolveError } from "../../src/reactor/ReactorError.ts"
import * as Reason from "../../src/reactor/Reason.ts"
import * as Resolver from "../../src/reactor/Resolver.ts"
import * as ResolverQueue from "../../src/reactor/ResolverQueue.ts"

const fork = { startImmediately: true } as const
const address = NetAddress.ipFromStringUnsafe("192.0.2.1")
const texts = (addresses: Resolver.Addresses): string => addresses.map(NetAddress.formatIp).join(" ")

/** What a resolver says: the addresses, or the reason why there is none. */
const said = (resolver: Resolver.Resolver, name: string, options?: Resolver.Options) =>
  Resolver.resolve(resolver, name, options).pipe(
    Effect.map(texts),
    Effect.catchTag("ResolveError", ({ reason }) =>
      Effect.succeed(`${reason._tag} ${reason.errno ?? ""}`.trim())
    )
  )

describe("a name", () => {
  const asked: Array<string> = []
  const resolver: Resolver.Resolver = {
    resolve: (name) =>
      Effect.sync(() => {
        asked.push(name)
        return [address, NetAddress.ipv6Loopback]
      })
  }

  it.effect("is asked in lower case, and as ASCII, as node:url has it (UTS #46)", () =>
    Effect.gen(function* () {
      const names = [
        "Example.ORG",
        "example.org.",
        "_sip._tcp.example.org",
        "bücher.example",
        "BÜCHER.example",
        "faß.de",
        "日本語。jp",
        "ﬁne.example",
        "xn--bcher-kva.example",
        "my_service",
        "x".repeat(63)
      ]
      for (const name of names) {
        asked.length = 0
        yield* Resolver.resolve(resolver, name)
        assert.deepStrictEqual(asked, [url.domainToASCII(name)], name)
      }
    })
  )

  it.effect("is no question when it is an address", () =>
    Effect.gen(function* () {
      asked.length = 0
      assert.strictEqual(yield* said(resolver, "192.0.2.7"), "192.0.2.7")
      assert.strictEqual(yield* said(resolver, "2001:DB8::7"), "2001:db8::7")
      assert.strictEqual(yield* said(resolver, "fe80::1%eth0"), "fe80::1")
      assert.strictEqual(yield* said(resolver, "192.0.2.7", { family: "IPv4" }), "192.0.2.7")
      assert.strictEqual(yield* said(resolver, "192.0.2.7", { family: "IPv6" }), "UnknownHost")
      assert.deepStrictEqual(asked, [])
    })
  )

  it.effect("is no question when it can be no name", () =>
    Effect.gen(function* () {
      asked.length = 0
      for (const name of [
        "",
        " ",
        "a..b",
        "a b",
        "a\0b",
        "a/b",
        "x".repeat(64),
        `${"x.".repeat(127)}x`,
        "127.1",
        "⑩.０.０.１"
      ]) {
        assert.strictEqual(yield* said(resolver, name), "InvalidAddress EBADNAME", JSON.stringify(name))
      }
      assert.deepStrictEqual(asked, [])
      const error = yield* Effect.flip(Resolver.resolve(resolver, "a..b"))
      assert.strictEqual(error.name, "a..b")
    })
  )

  it.effect("has the addresses of the family that was asked for, whatever the resolver says", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* said(resolver, "any.test"), "192.0.2.1 ::1")
      assert.strictEqual(yield* said(resolver, "any.test", { family: "IPv6" }), "::1")
      const only4: Resolver.Resolver = { resolve: () => Effect.succeed([address]) }
      assert.strictEqual(yield* said(only4, "any.test", { family: "IPv6" }), "UnknownHost ENOTFOUND")
    })
  )
})

describe("a resolver made of", () => {
  const zone = Result.getOrThrow(
    Dns.makeStatic({ hosts: { "db.test": ["10.0.0.5", "fd00::5"], "local.test": ["fe80::1"] } })
  )
  const failing = (reason: Dns.DnsErrorReason, cause?: unknown): Dns.Dns["Service"] =>
    Dns.make({
      lookup: (hostname) => Effect.fail(new Dns.DnsError({ reason, method: "lookup", hostname, cause }))
    })

  it.effect("Effect's Dns", () =>
    Effect.gen(function* () {
      const resolver = Resolver.fromDns(zone)
      assert.strictEqual(yield* said(resolver, "DB.test"), "10.0.0.5 fd00::5")
      assert.strictEqual(yield* said(resolver, "db.test", { family: "IPv6" }), "fd00::5")
      assert.strictEqual(yield* said(resolver, "nobody.test"), "UnknownHost")
      const cause = Object.assign(new Error("x"), { code: "EAI_AGAIN" })
      assert.strictEqual(
        yield* said(Resolver.fromDns(failing("Temporary", cause)), "a.test"),
        "ResolverFailed EAI_AGAIN"
      )
      assert.strictEqual(yield* said(Resolver.fromDns(failing("BadName")), "a.test"), "InvalidAddress")
      assert.strictEqual(yield* said(Resolver.fromDns(failing("Timeout")), "a.test"), "ResolverFailed")
    })
  )

  it.effect("Effect's AddressResolver", () =>
    Effect.gen(function* () {
      const resolver = Resolver.fromAddressResolver(AddressResolver.make(zone))
      assert.strictEqual(yield* said(resolver, "db.test"), "10.0.0.5 fd00::5")
      assert.strictEqual(yield* said(resolver, "db.test", { family: "IPv4" }), "10.0.0.5")
      assert.strictEqual(yield* said(resolver, "nobody.test"), "UnknownHost")
      assert.strictEqual(yield* said(resolver, "local.test"), "UnknownHost")
      const broken = Resolver.fromAddressResolver(AddressResolver.make(failing("ServerFailure")))
      assert.strictEqual(yield* said(broken, "a.test"), "ResolverFailed")
    })
  )

  it.effect("a hosts table, and another one behind it", () =>
    Effect.gen(function* () {
      const table = Host.parseHostsFile("127.0.0.1 Here.test\n::1 here.test\n192.0.2.9 four.test")
      const alone = Resolver.fromHosts(table)
      assert.strictEqual(yield* said(alone, "here.TEST."), "127.0.0.1 ::1")
      assert.strictEqual(yield* said(alone, "four.test", { family: "IPv6" }), "UnknownHost ENOTFOUND")
      assert.strictEqual(yield* said(alone, "db.test"), "UnknownHost ENOTFOUND")
      const chained = Resolver.fromHosts(table, Resolver.fromDns(zone))
      assert.strictEqual(yield* said(chained, "db.test"), "10.0.0.5 fd00::5")
      assert.strictEqual(yield* said(chained, "four.test", { family: "IPv6" }), "UnknownHost ENOTFOUND")
    })
  )
})

/** A resolver that answers when it is told to. */
const manual = () => {
  const begun: Array<string> = []
  const answers = new Map<string, Deferred.Deferred<Resolver.Addresses, ResolveError>>()
  const resolver: Resolver.Resolver = {
    resolve: (name, options) =>
      Effect.suspend(() => {
        const key = options?.family === undefined ? name : `${name} ${options.family}`
        begun.push(key)
        const answer = Deferred.makeUnsafe<Resolver.Addresses, ResolveError>()
        answers.set(key, answer)
        return Deferred.await(answer)
      })
  }
  const answer = (key: string, exit: Exit.Exit<Resolver.Addresses, ResolveError> = Exit.succeed([address])) =>
    Effect.suspend(() => Deferred.done(answers.get(key)!, exit))
  return { begun, resolver, answer }
}

describe("a queue of lookups", () => {
  const world = (options?: ResolverQueue.QueueOptions) => {
    const { answer, begun, resolver } = manual()
    const queue = ResolverQueue.make(resolver, options)
    const ask = (name: string, family?: NetAddress.IpFamily) =>
      Effect.forkChild(said(queue, name, { family }), fork)
    return { answer, begun, ask, queue }
  }

  it.effect("runs so many at once, the others in their order", () =>
    Effect.gen(function* () {
      const { answer, ask, begun } = world({ lookupsMax: 2 })
      const fibers: Array<Fiber.Fiber<string>> = []
      for (const name of ["a", "b", "c", "d", "e"]) fibers.push(yield* ask(name))
      assert.deepStrictEqual(begun, ["a", "b"])
      yield* answer("b")
      assert.strictEqual(yield* Fiber.join(fibers[1]!), "192.0.2.1")
      yield* Effect.yieldNow
      assert.deepStrictEqual(begun, ["a", "b", "c"])
      yield* answer("a")
      yield* answer("c")
      yield* Effect.yieldNow
      assert.deepStrictEqual(begun, ["a", "b", "c", "d", "e"])
      yield* answer("d")
      yield* answer("e")
      yield* Effect.forEach(fibers, Fiber.join)
    })
  )

  it.effect("has four places by default", () =>
    Effect.gen(function* () {
      const { answer, ask, begun } = world()
      const names = ["a", "b", "c", "d", "e", "f"]
      const fibers = yield* Effect.forEach(names, (name) => ask(name))
      assert.deepStrictEqual(begun, names.slice(0, 4))
      for (const name of names) {
        yield* answer(name)
        yield* Effect.yieldNow
      }
      yield* Effect.forEach(fibers, Fiber.join)
    })
  )

  it.effect("asks once for all who ask the same, by family", () =>
    Effect.gen(function* () {
      const { answer, ask, begun } = world()
      const fibers = [yield* ask("a"), yield* ask("A"), yield* ask("a", "IPv4"), yield* ask("a")]
      assert.deepStrictEqual(begun, ["a", "a IPv4"])
      yield* answer("a")
      yield* answer("a IPv4")
      for (const fiber of fibers) assert.strictEqual(yield* Fiber.join(fiber), "192.0.2.1")
      // An answer is not kept.
      const again = yield* ask("a")
      assert.strictEqual(begun.length, 3)
      yield* answer("a")
      yield* Fiber.join(again)
    })
  )

  it.effect("gives a failure, and a defect, to all of them, and keeps neither", () =>
    Effect.gen(function* () {
      const { answer, ask, begun } = world({ lookupsMax: 1 })
      const reason = new Reason.ResolverFailed({ detail: "no answer", errno: "EAI_AGAIN" })
      const failed = [yield* ask("a"), yield* ask("a")]
      yield* answer("a", Exit.fail(new ResolveError({ name: "a", reason })))
      for (const fiber of failed) assert.strictEqual(yield* Fiber.join(fiber), "ResolverFailed EAI_AGAIN")
      const dead = [yield* ask("a"), yield* ask("a")]
      yield* answer("a", Exit.die("broken"))
      for (const fiber of dead) assert.isTrue(Exit.hasDies(yield* Fiber.await(fiber)))
      const fine = yield* ask("a")
      yield* answer("a")
      assert.strictEqual(yield* Fiber.join(fine), "192.0.2.1")
      assert.deepStrictEqual(begun, ["a", "a", "a"])
    })
  )

  it.effect("goes on for the others when one gives up", () =>
    Effect.gen(function* () {
      const { answer, ask } = world()
      const first = yield* ask("a")
      const second = yield* ask("a")
      yield* Fiber.interrupt(first)
      assert.isUndefined(second.pollUnsafe())
      yield* answer("a")
      assert.strictEqual(yield* Fiber.join(second), "192.0.2.1")
    })
  )

  it.effect("keeps the place in the queue while one of them still waits", () =>
    Effect.gen(function* () {
      const { answer, ask, begun } = world({ lookupsMax: 1 })
      const a = yield* ask("a")
      const [gone, patient] = [yield* ask("b"), yield* ask("b")]
      yield* Fiber.interrupt(gone)
      yield* answer("a")
      yield* Fiber.join(a)
      yield* Effect.yieldNow
      assert.deepStrictEqual(begun, ["a", "b"])
      yield* answer("b")
      assert.strictEqual(yield* Fiber.join(patient), "192.0.2.1")
    })
  )

  it.effect("never begins what nobody waits for any more", () =>
    Effect.gen(function* () {
      const { answer, ask, begun } = world({ lookupsMax: 1 })
      const a = yield* ask("a")
      const b = [yield* ask("b"), yield* ask("b")]
      const c = yield* ask("c")
      yield* Effect.forEach(b, Fiber.interrupt)
      yield* answer("a")
      yield* Fiber.join(a)
      yield* Effect.yieldNow
      assert.deepStrictEqual(begun, ["a", "c"])
      // Whoever comes then is served.
      const late = yield* ask("b")
      yield* answer("c")
      yield* Fiber.join(c)
      yield* Effect.yieldNow
      yield* answer("b")
      assert.strictEqual(yield* Fiber.join(late), "192.0.2.1")
    })
  )

  it.effect("holds the place of a lookup that runs on with nobody waiting, and lets others join it", () =>
    Effect.gen(function* () {
      const { answer, ask, begun } = world({ lookupsMax: 1 })
      yield* Fiber.interrupt(yield* ask("a"))
      const b = yield* ask("b")
      assert.deepStrictEqual(begun, ["a"])
      const again = yield* ask("a")
      assert.deepStrictEqual(begun, ["a"])
      yield* answer("a")
      assert.strictEqual(yield* Fiber.join(again), "192.0.2.1")
      yield* Effect.yieldNow
      assert.deepStrictEqual(begun, ["a", "b"])
      yield* answer("b")
      yield* Fiber.join(b)
    })
  )

  it.effect(
    "counts time from when a lookup begins, not from when it queues (Twisted's #2132): 60 seconds",
    () =>
      Effect.gen(function* () {
        const { answer, ask, begun } = world({ lookupsMax: 1 })
        const a = yield* ask("a")
        const b = yield* ask("b")
        yield* TestClock.adjust("59 seconds")
        assert.isUndefined(a.pollUnsafe())
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* Fiber.join(a), "ResolverFailed ETIMEOUT")
        // Its place is taken until the system lets go of it.
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(begun, ["a"])
        assert.isUndefined(b.pollUnsafe())
        yield* answer("a")
        yield* Effect.yieldNow
        assert.deepStrictEqual(begun, ["a", "b"])
        yield* TestClock.adjust("59 seconds")
        assert.isUndefined(b.pollUnsafe())
        yield* answer("b")
        assert.strictEqual(yield* Fiber.join(b), "192.0.2.1")
      })
  )

  it.effect("gives whoever joins a lookup that is late the whole time", () =>
    Effect.gen(function* () {
      const { answer, ask, begun } = world({ lookupTimeout: "2 seconds" })
      const early = yield* ask("a")
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Fiber.join(early), "ResolverFailed ETIMEOUT")
      const late = yield* ask("a")
      yield* TestClock.adjust("1999 millis")
      assert.isUndefined(late.pollUnsafe())
      yield* answer("a")
      assert.strictEqual(yield* Fiber.join(late), "192.0.2.1")
      assert.deepStrictEqual(begun, ["a"])
    })
  )

  it.effect("survives askers who give up at any moment", () =>
    Effect.gen(function* () {
      const names = ["a", "b", "c"]
      let answered = 0
      const slow: Resolver.Resolver = {
        resolve: () =>
          Effect.gen(function* () {
            for (let turns = 0; turns < 3; turns++) yield* Effect.yieldNow
            answered++
            return [address] as Arr.NonEmptyReadonlyArray<NetAddress.IpAddress>
          })
      }
      const queue = ResolverQueue.make(slow, { lookupsMax: 2 })
      for (let i = 0; i < 300; i++) {
        const asker = yield* Effect.forkChild(said(queue, names[i % 3]!), fork)
        for (let turns = 0; turns < i % 7; turns++) yield* Effect.yieldNow
        yield* Fiber.interrupt(asker)
      }
      const all = yield* Effect.all(
        names.map((name) => said(queue, name)),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(all, ["192.0.2.1", "192.0.2.1", "192.0.2.1"])
      assert.isAbove(answered, 3)
    })
  )
})
