import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import { TestClock } from "effect/testing"
import { Service, ServiceGroup, ServiceTree } from "../../src/app/index.ts"
import { Journal, refusal, reporting, settle, stateOf, statesOf } from "./serviceKit.ts"

const backoff = Schedule.spaced("1 second")
const often = { intensity: { restarts: 100, period: "1 hour" } } as const

/** Three services; what happens when the middle one does something. */
const three = Effect.fnUntraced(function* (
  options: ServiceGroup.Options,
  each: Partial<Service.Common> = {},
  first: Partial<Service.Common> = {}
) {
  const journal = new Journal()
  const tree = yield* ServiceTree.start(
    ServiceGroup.make(
      "app",
      [
        journal.service("a", { backoff, ...first }),
        journal.service("b", { backoff, ...each }),
        journal.service("c", { backoff })
      ],
      { ...often, ...options }
    )
  )
  journal.take()
  return { journal, tree }
})

describe("strategies", () => {
  it.effect("one-for-one: the one that failed, after its backoff; its port stays bound", () =>
    Effect.gen(function* () {
      const { journal, tree } = yield* three({})
      yield* journal.fail("b")
      yield* settle
      assert.deepStrictEqual(journal.take(), ["stop b (Restart, failed)"])
      assert.strictEqual(yield* statesOf(tree), "a Running, b Restarting, c Running")
      assert.isFalse(yield* tree.ready)
      const b = yield* tree.find("b")
      const { value } = b.state
      assert.isTrue(value._tag === "Restarting" && value.until === 1000 && value.restarts === 1)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(journal.take(), ["start b"])
      assert.isTrue(yield* tree.ready)
    })
  )

  it.effect("rest-for-one: and those after it", () =>
    Effect.gen(function* () {
      const { journal, tree } = yield* three({ strategy: "rest-for-one" })
      yield* journal.fail("b")
      yield* settle
      assert.deepStrictEqual(journal.take(), ["stop c (Restart)", "stop b (Restart, failed)"])
      assert.strictEqual(yield* statesOf(tree), "a Running, b Restarting, c Stopped")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(journal.take(), ["start b", "start c"])
    })
  )

  it.effect("rest-for-one: an earlier one that fails takes over what waits for a later one", () =>
    Effect.gen(function* () {
      const { journal, tree } = yield* three({ strategy: "rest-for-one" })
      yield* journal.fail("b")
      yield* TestClock.adjust("500 millis")
      yield* journal.fail("a")
      yield* settle
      assert.strictEqual(yield* statesOf(tree), "a Restarting, b Stopped, c Stopped")
      journal.take()
      yield* TestClock.adjust("900 millis")
      assert.deepStrictEqual(journal.take(), [])
      yield* TestClock.adjust("100 millis")
      assert.deepStrictEqual(journal.take(), ["start a", "start b", "start c"])
    })
  )

  it.effect("one-for-all: all, but temporary ones stay stopped", () =>
    Effect.gen(function* () {
      const { journal, tree } = yield* three({ strategy: "one-for-all" }, {}, { restart: "temporary" })
      yield* journal.fail("b")
      yield* settle
      assert.deepStrictEqual(journal.take(), [
        "stop c (Restart)",
        "stop b (Restart, failed)",
        "stop a (Stop)",
        "release a"
      ])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(journal.take(), ["start b", "start c"])
      assert.strictEqual(yield* statesOf(tree), "a Stopped, b Running, c Running")
      assert.isTrue(yield* tree.ready)
    })
  )

  it.effect("what depends on it is restarted by any strategy, and nothing else", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      const tree = yield* ServiceTree.start(
        ServiceGroup.make("app", [
          journal.service("b", { after: ["a"] }),
          journal.service("a", { backoff }),
          journal.service("c"),
          journal.service("d", { after: ["b"] })
        ])
      )
      assert.deepStrictEqual(journal.take().slice(4), ["start a", "start b", "start c", "start d"])
      yield* journal.fail("a")
      yield* settle
      assert.deepStrictEqual(journal.take(), [
        "stop d (Restart)",
        "stop b (Restart)",
        "stop a (Restart, failed)"
      ])
      const b = yield* tree.find("b")
      assert.isTrue(b.state.value._tag === "Stopped" && b.state.value.waitingFor === "a")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(journal.take(), ["start a", "start b", "start d"])
    })
  )

  it.effect("a provider's users are restarted with it, outside of its group, too", () =>
    Effect.gen(function* () {
      class Store extends Context.Service<Store, number>()("Store") {}
      const seen: Array<string> = []
      let made = 0
      const journal = new Journal()
      let isAlive = true
      const store = Service.layer(
        Layer.effect(
          Store,
          Effect.acquireRelease(
            Effect.sync(() => ++made),
            (number) => Effect.sync(() => seen.push(`store ${number} closed`))
          )
        ),
        { name: "store", backoff, live: () => Effect.sync(() => isAlive) }
      )
      const user = Service.make({
        name: "user",
        start: () =>
          Effect.flatMap(Store, (number) =>
            Effect.acquireRelease(
              Effect.sync(() => seen.push(`user of ${number}`)),
              () => Effect.sync(() => seen.push(`user of ${number} gone`))
            )
          )
      })
      const tree = yield* ServiceTree.start(
        ServiceGroup.make("app", [
          journal.service("first"),
          ServiceGroup.make("data", [store, journal.service("cache")]),
          ServiceGroup.make("web", [user])
        ])
      )
      journal.take()
      isAlive = false
      yield* TestClock.adjust("3 seconds")
      isAlive = true
      assert.deepStrictEqual(seen, ["user of 1", "user of 1 gone", "store 1 closed"])
      assert.deepStrictEqual(journal.take(), ["stop cache (Restart)"])
      assert.strictEqual(yield* statesOf(tree), "first Running, data Running, web Stopped")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(seen.slice(3), ["user of 2"])
      assert.isTrue(yield* tree.ready)
    })
  )
})

describe("restart", () => {
  it.effect("transient: when it failed; permanent: always; temporary: never", () =>
    Effect.gen(function* () {
      const { journal, tree } = yield* three({}, { restart: "permanent" }, { restart: "temporary" })
      yield* journal.end("b")
      yield* journal.end("c")
      yield* journal.fail("a")
      yield* settle
      assert.strictEqual(yield* statesOf(tree), "a Failed, b Restarting, c Stopped")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* statesOf(tree), "a Failed, b Running, c Stopped")
      assert.isTrue(yield* tree.ready)
    })
  )

  it.effect("what has ended takes along what depends on it", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      const tree = yield* ServiceTree.start(
        ServiceGroup.make("app", [journal.service("a"), journal.service("b", { after: ["a"] })])
      )
      journal.take()
      yield* journal.end("a")
      yield* settle
      assert.deepStrictEqual(journal.take(), ["stop b (Stop)", "release b", "stop a (Stop)", "release a"])
      assert.strictEqual(yield* statesOf(tree), "a Stopped, b Stopped")
      yield* Effect.flatMap(tree.find("b"), (b) => b.start)
      assert.deepStrictEqual(journal.take(), ["bind a", "start a", "bind b", "start b"])
    })
  )

  it.effect("backoff: longer each time, and short again after a good while", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      const a = journal.service("a", {
        backoff: Schedule.exponential("1 second"),
        backoffResetAfter: "1 minute"
      })
      const tree = yield* ServiceTree.start(ServiceGroup.make("app", [a], often))
      const delays: Array<number> = []
      const delayed = Effect.gen(function* () {
        yield* journal.fail("a")
        yield* settle
        const { value } = (yield* tree.find("a")).state
        if (value._tag === "Restarting") delays.push(value.until - value.since)
        yield* TestClock.adjust("20 seconds")
      })
      for (let i = 0; i < 4; i++) yield* delayed
      yield* TestClock.adjust("1 minute")
      yield* delayed
      assert.deepStrictEqual(delays, [1000, 2000, 4000, 8000, 1000])
    })
  )

  it.effect("when it is started again is logged; a logger that fails changes nothing", () => {
    const said: Array<string> = []
    const broken = Logger.make(() => {
      throw new Error("no log")
    })
    const listening = Logger.make<unknown, void>(({ message }) => void said.push([message].flat().join(" ")))
    return Effect.gen(function* () {
      const journal = new Journal()
      const immediately = Schedule.recurs(1)
      const services = [journal.service("a", { backoff }), journal.service("b", { backoff: immediately })]
      const tree = yield* ServiceTree.start(ServiceGroup.make("app", services, often))
      yield* journal.fail("a")
      yield* journal.fail("b")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* statesOf(tree), "a Running, b Running")
      assert.deepStrictEqual(
        said.filter((line) => line.includes("started again")),
        ["a is started again in 1s", "b is started again at once"]
      )
    }).pipe(Effect.provideService(Logger.CurrentLoggers, new Set([listening, broken])))
  })

  it.effect("a restart that fails is a failure, and is told", () =>
    reporting((reports) =>
      Effect.gen(function* () {
        const journal = new Journal()
        let broken = false
        const start = Effect.suspend(() => (broken ? Effect.fail(new Error("no disk")) : Effect.void))
        const tree = yield* ServiceTree.start(
          ServiceGroup.make("app", [journal.service("a", { start, backoff })], often)
        )
        broken = true
        yield* journal.fail("a")
        yield* TestClock.adjust("2500 millis")
        const { value } = (yield* tree.find("a")).state
        assert.isTrue(value._tag === "Restarting" && value.restarts === 3)
        assert.deepStrictEqual(reports, [
          "service a: Error: a broke",
          "service a: ServiceError: a: cannot start: no disk",
          "service a: ServiceError: a: cannot start: no disk"
        ])
        broken = false
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* statesOf(tree), "a Running")
      })
    )
  )
})

describe("a failure during the start of the tree", () => {
  it.effect("is seen to when all has started; what depends on it waits", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      const group = ServiceGroup.make("app", [
        journal.service("a", { backoff }),
        journal.service("b", { start: Effect.sleep("1 second") }),
        journal.service("c", { after: ["a"] })
      ])
      const starting = yield* Effect.forkChild(ServiceTree.start(group), { startImmediately: true })
      yield* journal.fail("a")
      yield* TestClock.adjust("1 second")
      const tree = yield* Fiber.join(starting)
      yield* settle
      assert.deepStrictEqual(journal.take().slice(3), ["start a", "start b", "stop a (Restart, failed)"])
      assert.strictEqual(yield* statesOf(tree), "a Restarting, b Running, c Stopped")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(journal.take(), ["start a", "start c"])
    })
  )
})

describe("intensity", () => {
  it.effect("too many restarts: the group fails, and is restarted by its parent", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      const inner = ServiceGroup.make(
        "web",
        [journal.service("a", { backoff: Schedule.spaced("100 millis") }), journal.service("b")],
        { intensity: { restarts: 2, period: "5 seconds" }, backoff }
      )
      const tree = yield* ServiceTree.start(ServiceGroup.make("app", [inner, journal.service("c")]))
      for (let i = 0; i < 2; i++) {
        yield* journal.fail("a")
        yield* TestClock.adjust("100 millis")
      }
      journal.take()
      yield* journal.fail("a")
      yield* settle
      assert.deepStrictEqual(journal.take(), ["stop b (Restart)", "stop a (Restart, failed)"])
      const web = yield* tree.find("web")
      const { value } = web.state
      assert.isTrue(value._tag === "Restarting")
      assert.include(
        String(value._tag === "Restarting" && value.failure),
        "web: more than 2 restarts in 5s, the last failure in web/a: a broke"
      )
      assert.strictEqual(stateOf(yield* tree.find("web/a")), "Failed")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(journal.take(), ["start a", "start b"])
      assert.isTrue(yield* tree.ready)
    })
  )

  it.effect("at the root: all is stopped, and the tree has failed", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      const tree = yield* ServiceTree.start(
        ServiceGroup.make(
          "app",
          [
            ServiceGroup.make("web", [journal.service("a")], {
              intensity: { restarts: 0 },
              restart: "permanent"
            }),
            journal.service("b")
          ],
          { intensity: { restarts: 0 } }
        )
      )
      const failed = yield* Effect.forkChild(Effect.flip(tree.failed), { startImmediately: true })
      journal.take()
      yield* journal.fail("a")
      const error = yield* Fiber.join(failed)
      assert.strictEqual(error.path, "/")
      assert.match(
        error.message,
        /^\/: more than 0 restarts in 5s, the last failure in web: .*web\/a: a broke$/
      )
      assert.deepStrictEqual(journal.take(), [
        "stop b (Stop)",
        "release b",
        "stop a (Stop, failed)",
        "release a"
      ])
      assert.strictEqual(stateOf(tree.root), "Failed")
    })
  )

  it.effect("a backoff that ends: its group fails", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      const tree = yield* ServiceTree.start(journal.service("a", { backoff: Schedule.recurs(0) }))
      yield* journal.fail("a")
      const error = yield* Effect.flip(tree.failed)
      assert.strictEqual(error.message, "/: a has failed, and its backoff allows no more tries: a broke")
    })
  )

  it.effect("restarts that are long past do not count", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      const tree = yield* ServiceTree.start(journal.service("a", { backoff }))
      for (let i = 0; i < 10; i++) {
        yield* journal.fail("a")
        yield* TestClock.adjust("3 seconds")
      }
      assert.strictEqual(yield* statesOf(tree), "a Running")
      assert.strictEqual((yield* tree.snapshot).children[0]!.restarts, 10)
    })
  )
})

describe("the end of the tree", () => {
  it.effect("comes at once while a restart waits", () =>
    Effect.gen(function* () {
      const { journal, tree } = yield* three({ strategy: "one-for-all" })
      yield* journal.fail("b")
      yield* settle
      yield* tree.stop
      assert.strictEqual(yield* statesOf(tree), "a Stopped, b Stopped, c Stopped")
      journal.take()
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(journal.take(), [])
      assert.match(yield* refusal(Effect.flatMap(tree.find("a"), (a) => a.start)), /^a: \/ does not run/)
      yield* tree.root.start
      assert.isTrue(yield* tree.ready)
    })
  )
})
