import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as Result from "effect/Result"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as Diagram from "../../src/sim/Diagram.ts"
import * as Fault from "../../src/sim/Fault.ts"
import * as Invariant from "../../src/sim/Invariant.ts"
import * as Shrink from "../../src/sim/Shrink.ts"
import * as Swarm from "../../src/sim/Swarm.ts"
import * as World from "../../src/sim/World.ts"
import { counting } from "./counterServer.ts"
import { ask, connect, echo, reasonOf, receiveAll, valueOf } from "./runs.ts"

const run = <A, E>(program: Effect.Effect<A, E, World.World | World.Provided>, options = {}) =>
  valueOf(World.run(program, { seed: 1, ...options }))

/** Whether a host answers within a second. */
const reaches = (from: string, to: string) =>
  World.at(
    from,
    Effect.scoped(Effect.flatMap(connect(to, 7, "1 second"), (transport) => ask(transport, "hello")))
  ).pipe(Effect.timeout("1 second"), Effect.exit, Effect.map(Exit.isSuccess))

const servers = (...names: ReadonlyArray<string>) =>
  Effect.andThen(
    Effect.forEach(names, (name) => World.host(name, echo(7), { mayFail: true })),
    Effect.sleep("10 millis")
  )

describe("faults of the network", () => {
  it("a partition holds while its scope is open, and only between its groups", () => {
    const program = Effect.gen(function* () {
      yield* servers("a", "b", "c")
      const three = Effect.all([reaches("a", "b"), reaches("b", "a"), reaches("a", "c")])
      const during = yield* Effect.scoped(Effect.andThen(Fault.partition("a", ["b"]), three))
      return [during, yield* three]
    })
    assert.deepStrictEqual(run(program), [
      [false, false, true],
      [true, true, true]
    ])
  })

  it("one way is closed: what is sent arrives, and no answer comes", () => {
    const program = Effect.gen(function* () {
      yield* servers("a", "b")
      const transport = yield* connect("a", 7)
      yield* ask(transport, "before")
      yield* Fault.partitionOneWay("a", "world")
      const answer = yield* Effect.exit(Effect.timeout(ask(transport, "hello"), "1 second"))
      const { history } = yield* World.World
      const heard = history.entries.filter(
        ({ arrives, from, kind }) => kind === "Data" && from === "world" && arrives !== undefined
      )
      return [Exit.isSuccess(answer), heard.length]
    })
    assert.deepStrictEqual(run(program), [false, 2])
  })

  it("a host is isolated, also from those that come later", () => {
    const program = Effect.gen(function* () {
      yield* servers("a", "b")
      yield* Fault.isolate("a")
      yield* servers("c")
      return yield* Effect.all([reaches("a", "b"), reaches("c", "a"), reaches("c", "b"), reaches("a", "a")])
    })
    assert.deepStrictEqual(run(program), [false, false, true, true])
  })

  it("a stream over a healed partition goes on; over a long one it is given up", () => {
    const after = (duration: "30 seconds" | "1 hour") =>
      run(
        Effect.gen(function* () {
          yield* servers("a")
          const transport = yield* connect("a", 7)
          yield* ask(transport, "before")
          yield* Effect.forkChild(Fault.during(duration, Fault.partition("a", "world")))
          yield* Effect.sleep("1 second")
          const before = yield* Clock.currentTimeMillis
          const exit = yield* Effect.exit(ask(transport, "during"))
          return [exit._tag, Math.round(((yield* Clock.currentTimeMillis) - before) / 60_000)]
        })
      )
    assert.deepStrictEqual(after("30 seconds"), ["Success", 1])
    // RFC 1122: after 15 minutes.
    assert.deepStrictEqual(after("1 hour"), ["Failure", 15])
  })

  it("no route, names that do not resolve, resets, worse ways", () => {
    const program = Effect.gen(function* () {
      yield* servers("a")
      const transport = yield* connect("a", 7)
      const refused = yield* Effect.scoped(
        Effect.andThen(Fault.reject("world", "a"), Effect.flip(connect("a", 7)))
      )
      const nameless = yield* Effect.scoped(
        Effect.andThen(Fault.withoutNames("world"), Effect.flip(connect("a", 7)))
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* Fault.degrade("world", "a", { latency: "2 seconds" })
          const before = yield* Clock.currentTimeMillis
          yield* ask(transport, "slowly")
          assert.closeTo((yield* Clock.currentTimeMillis) - before, 4_000, 2)
        })
      )
      yield* Fault.reset("world", "a")
      const broken = yield* Effect.flip(transport.receive)
      return [refused.reason._tag, nameless.reason._tag, String(broken)]
    })
    const [refused, nameless, broken] = run(program)
    assert.deepStrictEqual([refused, nameless], ["NoRoute", "ResolverFailed"])
    assert.match(broken!, /reset/)
  })

  it("worse ways that overlap end each for itself", () => {
    const program = Effect.gen(function* () {
      yield* servers("a")
      const transport = yield* connect("a", 7)
      const millis = Effect.gen(function* () {
        const before = yield* Clock.currentTimeMillis
        yield* ask(transport, "?")
        return (yield* Clock.currentTimeMillis) - before
      })
      const worse = (latency: "1 second" | "2 seconds") => Fault.degrade("world", "a", { latency })
      yield* Effect.forkChild(Fault.during("10 seconds", worse("1 second")))
      yield* Effect.sleep("1 second")
      yield* Effect.forkChild(Fault.during("20 seconds", worse("2 seconds")))
      yield* Effect.sleep("1 second")
      const both = yield* millis
      yield* Effect.sleep("6 seconds")
      const second = yield* millis
      yield* Effect.sleep("10 seconds")
      return [both, second, yield* millis].map((time) => Math.round(time / 100) / 10)
    })
    assert.deepStrictEqual(run(program), [4, 4, 0])
  })

  it("heal ends everything, and boots who is down", () => {
    const program = Effect.gen(function* () {
      yield* servers("a", "b")
      yield* Fault.partition("a", "world")
      yield* Fault.crash("b")
      yield* Fault.stop("a")
      yield* Fault.heal
      yield* Effect.sleep("10 millis")
      return [yield* reaches("world", "a"), yield* reaches("world", "b")]
    })
    assert.deepStrictEqual(run(program), [true, true])
  })
})

describe("faults of hosts", () => {
  it("a stopped host answers when it goes on", () => {
    const program = Effect.gen(function* () {
      yield* servers("a")
      const transport = yield* connect("a", 7)
      yield* ask(transport, "before")
      yield* Effect.forkChild(Fault.during("1 minute", Fault.stop("a")))
      yield* Effect.sleep("1 second")
      const before = yield* Clock.currentTimeMillis
      yield* ask(transport, "during")
      return (yield* Clock.currentTimeMillis) - before
    })
    assert.closeTo(run(program), 59_000, 100)
  })

  it("a slow host takes its time", () => {
    const millis = (slow: boolean) =>
      run(
        Effect.gen(function* () {
          yield* servers("a")
          if (slow) yield* Fault.slow("a", "20 millis")
          const before = yield* Clock.currentTimeMillis
          yield* reaches("world", "a")
          return (yield* Clock.currentTimeMillis) - before
        })
      )
    assert.isAbove(millis(true), millis(false) + 10)
  })

  it("a peer that crashed and booted again resets what it does not know", () => {
    const program = Effect.gen(function* () {
      yield* servers("a")
      const transport = yield* connect("a", 7)
      yield* ask(transport, "before")
      yield* Fault.during("1 second", Fault.down("a"))
      return String(yield* Effect.flip(ask(transport, "after")))
    })
    assert.match(run(program), /reset/i)
  })

  it("what was under way when a host crashed is reset when it has booted, or given up", () => {
    const sending = (meanwhile: Effect.Effect<unknown, unknown, World.World>) =>
      Effect.gen(function* () {
        yield* servers("a")
        const transport = yield* connect("a", 7)
        yield* transport.send("hello")
        // On its way it is longer than this.
        yield* Effect.sleep("100 micros")
        yield* meanwhile
        const error = yield* Effect.flip(transport.receive)
        return "reason" in error ? error.reason._tag : error._tag
      })
    assert.strictEqual(run(sending(Fault.during("1 second", Fault.down("a")))), "Reset")
    assert.strictEqual(run(sending(Fault.crash("a"))), "TimedOut")
  })

  it("who waits for room asks whether the peer is still there", () => {
    const sending = (meanwhile: Effect.Effect<unknown, unknown, World.World>) =>
      Effect.gen(function* () {
        const reads = yield* Deferred.make<void>()
        const deaf = Server.make(Endpoint.tcp({ port: 7 }), (transport) =>
          Effect.andThen(Deferred.await(reads), Effect.ignore(receiveAll(transport)))
        )
        yield* World.host("a", Effect.andThen(deaf, Effect.never), { mayFail: true })
        yield* Effect.sleep("10 millis")
        const transport = yield* connect("a", 7)
        const fiber = yield* Effect.forkChild(Effect.result(transport.send(new Uint8Array(1_048_576))))
        yield* Effect.sleep("1 second")
        yield* meanwhile
        const before = yield* Clock.currentTimeMillis
        yield* Deferred.succeed(reads, undefined)
        const sent = yield* Fiber.join(fiber)
        const minutes = Math.round(((yield* Clock.currentTimeMillis) - before) / 60_000)
        return `${Result.isSuccess(sent) ? "sent" : sent.failure.reason._tag} ${minutes}`
      }).pipe(Effect.scoped)
    const others = [
      sending(Effect.sleep("1 hour")),
      sending(Fault.during("1 second", Fault.down("a"))),
      sending(Fault.crash("a"))
    ]
    assert.deepStrictEqual(
      others.map((other) => run(other)),
      ["sent 0", "Reset 0", "TimedOut 15"]
    )
  })

  it("wall clocks are set, and sleeping does not notice", () => {
    const program = Effect.gen(function* () {
      yield* Fault.setClock("a", 3_600_000)
      const there = yield* World.at("a", Effect.andThen(Effect.sleep("1 second"), Clock.currentTimeMillis))
      return there - (yield* Clock.currentTimeMillis)
    })
    assert.closeTo(run(program), 3_600_000, 1)
  })
})

describe("faults of disks and clocks, and what cannot fail", () => {
  it("a disk fails for a while, a clock runs wrong for a while", () => {
    const program = Effect.gen(function* () {
      const write = World.at(
        "a",
        Effect.exit(Effect.flatMap(FileSystem.FileSystem, (fs) => fs.writeFileString("/f", "words")))
      )
      const full = yield* Effect.scoped(Effect.andThen(Fault.disk("a", { bytesMax: 3 }), write))
      const failing = yield* Effect.scoped(Effect.andThen(Fault.disk("a", { writeErrors: 1 }), write))
      const well = yield* write
      const now = World.at("a", Clock.currentTimeMillis)
      const before = yield* now
      yield* Fault.during("1 minute", Fault.drift("a", 100_000))
      const fast = (yield* now) - before
      const then = yield* now
      yield* Effect.sleep("1 minute")
      return [
        full._tag,
        failing._tag,
        well._tag,
        Math.round(fast / 1_000),
        Math.round(((yield* now) - then) / 1_000)
      ]
    })
    assert.deepStrictEqual(run(program), ["Failure", "Failure", "Success", 66, 60])
  })

  it("the host of the world's program goes on", () => {
    for (const fault of [Fault.crash("world"), Effect.scoped(Fault.stop("world"))]) {
      assert.match(String(World.run(fault, { seed: 1 }).exit), /the world's program itself runs on "world"/)
    }
  })
})

describe("invariants", () => {
  it("are checked after every step", () => {
    let balance = 0
    const program = Effect.gen(function* () {
      yield* Invariant.always("no debts", () => (balance >= 0 ? true : `${balance}`))
      yield* Effect.sleep("1 second")
      balance = -3
      yield* Effect.yieldNow
      balance = 3
      yield* Effect.sleep("1 second")
    })
    const broken = World.run(program, { seed: 1 })
    const reason = reasonOf(broken)
    assert.strictEqual(reason.message, '"no debts" does not hold: -3')
    assert.closeTo(Duration.toSeconds(broken.time), 1, 0.01)
  })

  it("hold in the end, or not", () => {
    const program = (millis: number) =>
      Effect.gen(function* () {
        let done = false
        yield* Effect.forkChild(
          Effect.andThen(
            Effect.sleep(millis),
            Effect.sync(() => (done = true))
          )
        )
        yield* Invariant.eventually("it is done", "1 second", () => done)
        return yield* Clock.currentTimeMillis
      })
    assert.closeTo(run(program(500)) - Date.UTC(2026, 0, 1), 500, 1)
    assert.match(reasonOf(World.run(program(1_500), { seed: 1 })).message, /it is done.*not within 1 second/)
  })
})

describe("a swarm", () => {
  it("is the same for the same seed, another one for others, and heals", () => {
    const program = Effect.gen(function* () {
      yield* servers("a", "b", "c")
      yield* Effect.scoped(Effect.andThen(Swarm.swarm(), Effect.sleep("1 minute")))
      const { history } = yield* World.World
      yield* Effect.sleep("1 second")
      const well = yield* Effect.all([reaches("a", "b"), reaches("b", "c"), reaches("c", "a")])
      return [
        history.entries.filter(({ kind }) => kind === "Fault").map(({ from, what }) => `${from} ${what}`),
        well
      ] as const
    })
    const all = Array.from({ length: 30 }, (_, seed) => run(program, { seed }))
    for (const [faults, well] of all) {
      assert.deepStrictEqual(well, [true, true, true])
      assert.isAbove(faults.length, 5)
    }
    assert.deepStrictEqual(run(program, { seed: 7 }), all[7])
    assert.strictEqual(new Set(all.map(([faults]) => faults.join())).size, 30)
  })
})

describe("a failing run", () => {
  const failing = (overrides: World.Overrides = {}, seed = first) =>
    World.run(counting("first"), { seed: seed ?? 0, overrides })
  const first = Array.from({ length: 200 }, (_, seed) => seed).find((seed) =>
    Exit.isFailure(World.run(counting("first"), { seed }).exit)
  )

  it("is found: acknowledgements that overtake the disk; the right way round survives the same seeds", () => {
    assert.isDefined(first)
    for (let seed = 0; seed < 100; seed++) valueOf(World.run(counting("last"), { seed }))
  })

  it("is made smaller", () => {
    const { overrides, run, tries } = Shrink.shrink(failing)
    const before = failing().ingredients
    assert.strictEqual(Shrink.nameOf(run), "Lost")
    assert.strictEqual(run.hash, failing(overrides).hash)
    assert.isAtMost(run.ingredients.faults.length, 2)
    assert.isAtMost(run.ingredients.faults.length, before.faults.length)
    assert.isAtMost(tries, 201)
    assert.throws(() => Shrink.shrink(() => World.run(Effect.void, { seed: 1 })), /does not fail/)
  })

  it("is drawn", () => {
    const { history } = failing()
    const text = Diagram.text(history, { entriesMax: 15 })
    const svg = Diagram.svg(history, { entriesMax: 15 })
    assert.match(text, /client1 +server|server +client1/)
    assert.match(text, /earlier/)
    assert.match(text, /<-+ data \d+ B #\d+ -+|-+ data \d+ B #\d+ -+>/)
    assert.match(svg, /^<svg .*<\/svg>$/s)
    assert.strictEqual(svg.split("<text").length, svg.split("</text>").length)
  })

  it("is drawn in part: some kinds only, and only the hosts that those concern", () => {
    const { history } = failing()
    const [head, ...lines] = Diagram.text(history, { kinds: ["Fault"] }).split("\n")
    const faults = history.entries.filter(({ kind }) => kind === "Fault")
    assert.isAbove(faults.length, 0)
    assert.strictEqual(lines.length, faults.length)
    for (const line of lines) assert.match(line, /! /)
    assert.sameMembers(head!.trim().split(/ +/), [...new Set(faults.map(({ from }) => from))])
    assert.strictEqual(Diagram.text(history, { kinds: ["Refusal"] }), "")
  })
})
