import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { TestClock } from "effect/testing"
import { Service, ServiceGroup, ServiceInstance, ServiceState, ServiceTree } from "../../src/app/index.ts"
import { Journal, refusal, reporting, settle, stateOf, statesOf } from "./serviceKit.ts"

const backoff = Schedule.spaced("1 second")

describe("readiness", () => {
  it.effect("what comes after it waits until it is ready", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      let isReady = false
      const group = ServiceGroup.make("app", [
        journal.service("a", { ready: Effect.sync(() => isReady) }),
        journal.service("b")
      ])
      const starting = yield* Effect.forkChild(ServiceTree.start(group), { startImmediately: true })
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(journal.take().slice(2), ["start a"])
      isReady = true
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(journal.take(), ["start b"])
      yield* Fiber.join(starting)
    })
  )

  it.effect("not within the timeout: it has failed to start", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      const never = journal.service("a", { ready: Effect.never, startTimeout: "5 seconds" })
      const starting = yield* Effect.forkChild(refusal(ServiceTree.start(never)), { startImmediately: true })
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* Fiber.join(starting), "a: was not ready within 5s")
      assert.deepStrictEqual(journal.take().slice(2), ["stop a (Stop, failed)", "release a"])
    })
  )

  it.effect("failed, or ended, before it was ready", () =>
    Effect.gen(function* () {
      const ready = () => Effect.fail("not yet")
      const failing = Service.make({ name: "a", run: () => Effect.fail("no route"), ready })
      const ending = Service.make({ name: "a", run: () => Effect.void, ready })
      assert.strictEqual(yield* refusal(ServiceTree.start(failing)), "a: cannot start: no route")
      assert.strictEqual(
        yield* refusal(ServiceTree.start(ending)),
        "a: cannot start: it ended before it was ready"
      )
    })
  )

  it.effect("later, three noes in a row show, and one yes", () =>
    Effect.gen(function* () {
      let isReady = true
      const tree = yield* ServiceTree.start(
        Service.make({ name: "a", ready: () => (isReady ? Effect.void : Effect.fail("busy")) })
      )
      isReady = false
      yield* TestClock.adjust("2 seconds")
      assert.isTrue(yield* tree.ready)
      yield* TestClock.adjust("1 second")
      assert.isFalse(yield* tree.ready)
      assert.isTrue(yield* tree.live)
      const a = yield* tree.find("a")
      assert.strictEqual(ServiceState.word(a.state.value), "running (not ready)")
      isReady = true
      yield* TestClock.adjust("1 second")
      assert.isTrue(yield* tree.ready)
    })
  )
})

describe("liveness", () => {
  it.effect("too many noes in a row are a failure; a check that takes too long is a no", () =>
    reporting((reports) =>
      Effect.gen(function* () {
        const journal = new Journal()
        let check: Effect.Effect<unknown> = Effect.void
        const tree = yield* ServiceTree.start(
          Service.make({
            name: "a",
            backoff,
            start: () =>
              Effect.acquireRelease(
                Effect.sync(() => journal.note("start")),
                () => Effect.sync(() => journal.note("stop"))
              ),
            live: { check: () => check, period: "2 seconds", timeout: "1 second", failures: 2 }
          })
        )
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(journal.take(), ["start"])
        check = Effect.never
        yield* TestClock.adjust("3 seconds")
        check = Effect.void
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(journal.take(), [])
        check = Effect.never
        yield* TestClock.adjust("6 seconds")
        assert.deepStrictEqual(journal.take(), ["stop"])
        assert.match(
          reports[0]!,
          /a: its liveness probe failed 2 times in a row, last with: Operation timed out/
        )
        check = Effect.void
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(journal.take(), ["start"])
        assert.isTrue(yield* tree.live)
      })
    )
  )
})

describe("timeouts", () => {
  it.effect("a start that takes too long has failed, each phase for itself", () =>
    Effect.gen(function* () {
      const start = Effect.sleep("4 seconds")
      const tooLong = (service: Service.Service<never, unknown>) =>
        Effect.gen(function* () {
          const fiber = yield* Effect.forkChild(refusal(ServiceTree.start(service)), {
            startImmediately: true
          })
          yield* TestClock.adjust("20 seconds")
          return yield* Fiber.join(fiber)
        })
      const journal = new Journal()
      assert.strictEqual(
        yield* tooLong(journal.service("a", { bind: start, start: Effect.never, startTimeout: "5 seconds" })),
        "a: did not start within 5s"
      )
      assert.strictEqual(
        yield* tooLong(journal.service("a", { bind: Effect.never, startTimeout: "5 seconds" })),
        "a: did not start within 5s (privileged phase)"
      )
      assert.strictEqual(
        yield* tooLong(
          ServiceGroup.make("app", [journal.service("a", { start }), journal.service("b", { start })], {
            startTimeout: "7 seconds"
          })
        ),
        "/: did not start within 7s"
      )
      assert.deepStrictEqual(
        journal.take().filter((line) => line.startsWith("st")),
        ["start a", "stop a (Stop, failed)", "start a", "start b", "stop b (Stop, failed)", "stop a (Stop)"]
      )
    })
  )

  it.effect(
    "what does not stop in time is reported and left behind, and not started before it has ended",
    () =>
      reporting((reports) =>
        Effect.gen(function* () {
          const journal = new Journal()
          const slow = Service.make({
            name: "slow",
            stopTimeout: "5 seconds",
            startTimeout: "10 seconds",
            start: () =>
              Effect.acquireRelease(
                Effect.sync(() => journal.note("start slow")),
                () =>
                  Effect.andThen(
                    Effect.sleep("20 seconds"),
                    Effect.sync(() => journal.note("stop slow"))
                  )
              )
          })
          const tree = yield* ServiceTree.start(ServiceGroup.make("app", [journal.service("a"), slow]))
          const stopping = yield* Effect.forkChild(tree.stop, { startImmediately: true })
          yield* TestClock.adjust("5 seconds")
          yield* Fiber.join(stopping)
          assert.deepStrictEqual(journal.take().slice(1), [
            "start a",
            "start slow",
            "stop a (Stop)",
            "release a"
          ])
          assert.deepStrictEqual(reports, [
            "service slow: ServiceError: slow: did not stop within 5s, and is left behind"
          ])
          const starting = yield* Effect.forkChild(refusal(tree.root.start), { startImmediately: true })
          yield* TestClock.adjust("10 seconds")
          assert.strictEqual(
            yield* Fiber.join(starting),
            "slow: cannot start: what was left behind when it was stopped has not ended within 10s"
          )
          journal.take()
          const again = yield* Effect.forkChild(tree.root.start, { startImmediately: true })
          yield* TestClock.adjust("5 seconds")
          yield* Fiber.join(again)
          assert.deepStrictEqual(journal.take(), ["bind a", "stop slow", "start a", "start slow"])
          const last = yield* Effect.forkChild(tree.stop, { startImmediately: true })
          yield* TestClock.adjust("20 seconds")
          yield* Fiber.join(last)
        })
      )
  )

  it.effect("of a group: then nothing in it is waited for", () =>
    reporting((reports) =>
      Effect.gen(function* () {
        const slow = (name: string) =>
          Service.make({
            name,
            start: () => Effect.acquireRelease(Effect.void, () => Effect.sleep("1 hour"))
          })
        const tree = yield* ServiceTree.start(
          ServiceGroup.make("app", [slow("a"), slow("b")], { stopTimeout: "10 seconds" })
        )
        const stopping = yield* Effect.forkChild(tree.stop, { startImmediately: true })
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.join(stopping)
        assert.strictEqual(reports.length, 2)
        yield* TestClock.adjust("1 hour")
      })
    )
  )
})

describe("code of users that is at fault", () => {
  it.effect("whatever throws, is a failure of the service", () =>
    Effect.gen(function* () {
      const boom = (): never => {
        throw new TypeError("boom")
      }
      const message = "a: cannot start: TypeError: boom"
      assert.strictEqual(yield* refusal(ServiceTree.start(Service.make({ name: "a", start: boom }))), message)
      assert.strictEqual(
        yield* refusal(ServiceTree.start(Service.make({ name: "a", provides: boom }))),
        message
      )
      assert.strictEqual(
        yield* refusal(ServiceTree.start(Service.make({ name: "a", provides: () => ({}) as never }))),
        "a: cannot start: TypeError: provides gave no Context"
      )
    })
  )

  it.effect("in run, in a probe, in details, in reload, in a finalizer, in a backoff", () =>
    reporting((reports) =>
      Effect.gen(function* () {
        const boom = (): never => {
          throw new TypeError("boom")
        }
        let calls = 0
        const tree = yield* ServiceTree.start(
          ServiceGroup.make("app", [
            Service.make({ name: "run", run: () => (++calls > 1 ? Effect.never : boom()), backoff }),
            Service.make({ name: "live", live: boom, backoff }),
            Service.make({ name: "details", details: boom, reload: boom }),
            Service.make({ name: "end", start: () => Effect.addFinalizer(() => Effect.die("late")) })
          ])
        )
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* statesOf(tree), "run Running, live Running, details Running, end Running")
        assert.deepStrictEqual(reports, ["service run: TypeError: boom"])
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual((yield* tree.snapshot).children[1]!.state._tag, "Restarting")
        assert.deepStrictEqual((yield* tree.snapshot).children[2]!.details, { error: "TypeError: boom" })
        assert.strictEqual(yield* refusal(tree.reload), "details: cannot reload: TypeError: boom")
        yield* Effect.flatMap(tree.find("end"), (end) => end.restart)
        assert.deepStrictEqual(reports.slice(2), ["service end: late"])
        assert.strictEqual(stateOf(yield* tree.find("end")), "Running")
      })
    )
  )

  it.effect("a backoff that dies is none", () =>
    reporting((reports) =>
      Effect.gen(function* () {
        const journal = new Journal()
        const dying = Schedule.spaced("1 second").pipe(Schedule.modifyDelay(() => Effect.die("no idea")))
        const tree = yield* ServiceTree.start(journal.service("a", { backoff: dying }))
        yield* journal.fail("a")
        assert.match((yield* Effect.flip(tree.failed)).message, /its backoff allows no more tries/)
        assert.deepStrictEqual(reports, ["service a: Error: a broke", "service a: no idea"])
      })
    )
  )

  it.effect("what fails while it is being stopped is told, too", () =>
    reporting((reports) =>
      Effect.gen(function* () {
        const failing = Service.make({
          name: "a",
          run: () => Effect.onInterrupt(Effect.never, () => Effect.die("on the way out"))
        })
        const tree = yield* ServiceTree.start(failing)
        yield* tree.stop
        assert.deepStrictEqual(reports, ["service a: on the way out"])
      })
    )
  )
})

describe("what can be seen", () => {
  it.effect("its state, as it changes", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      const tree = yield* ServiceTree.start(journal.service("a", { backoff, ready: Effect.void }))
      const a = yield* tree.find("a")
      const seen: Array<string> = []
      const watching = yield* Effect.forkChild(
        Stream.runForEach(SubscriptionRef.changes(a.state), (state) =>
          Effect.sync(() => seen.push(ServiceState.word(state)))
        ),
        { startImmediately: true }
      )
      yield* settle
      yield* journal.fail("a")
      yield* TestClock.adjust("1 second")
      yield* tree.stop
      yield* settle
      yield* Fiber.interrupt(watching)
      assert.deepStrictEqual(seen, [
        "running",
        "draining, to restart",
        "restarting",
        "starting",
        "running",
        "draining",
        "stopped"
      ])
    })
  )

  it.effect("its path, in all that it logs", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ fiber, message }) => {
        const { namespace, service } = fiber.getRef(References.CurrentLogAnnotations)
        lines.push(`${String(service)} ${String(namespace)}: ${String(message)}`)
      })
      const chatty = Service.make({
        name: "http",
        privileged: Effect.log("bind"),
        start: () =>
          Effect.andThen(
            Effect.log("start"),
            Effect.addFinalizer(() => Effect.log("stop"))
          ),
        run: () => Effect.andThen(Effect.log("run"), Effect.never)
      })
      const tree = yield* ServiceTree.start(
        ServiceGroup.make("app", [ServiceGroup.make("web", [chatty])])
      ).pipe(Effect.provide(Logger.layer([logger])))
      yield* tree.stop
      assert.deepStrictEqual(
        lines,
        ["bind", "start", "run", "stop"].map((message) => `web/http web.http: ${message}`)
      )
    })
  )

  it.effect("everything at once, as JSON", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      const tree = yield* ServiceTree.start(
        ServiceGroup.make("app", [
          journal.service("a", { description: "the first", backoff }),
          Service.make({
            name: "b",
            after: ["a"],
            start: () => Effect.succeed(7),
            details: (n) => Effect.succeed({ n })
          })
        ])
      )
      const [first, second] = (yield* tree.snapshot).children
      assert.deepInclude(first, {
        name: "a",
        path: "a",
        description: "the first",
        kind: "service",
        restarts: 0
      })
      assert.deepStrictEqual(second!.details, { n: 7 })
      yield* journal.fail("a")
      yield* settle
      const snapshot = yield* tree.snapshot
      assert.deepStrictEqual(JSON.parse(JSON.stringify(snapshot)), snapshot)
      const { failure, ...state } = snapshot.children[0]!.state
      assert.deepStrictEqual(state, { _tag: "Restarting", since: 0, until: 1000, restarts: 1 })
      assert.strictEqual(failure?.message, "Error: a broke")
      assert.deepStrictEqual(snapshot.children[1]!.state, { _tag: "Stopped", since: 0, waitingFor: "a" })
      assert.isFalse(snapshot.live)
    })
  )

  it.effect("outside of any service, there is no instance", () =>
    Effect.gen(function* () {
      const { node, path } = yield* ServiceInstance
      assert.deepStrictEqual([path, node], ["", undefined])
    })
  )
})

describe("reload", () => {
  it.effect("all that can, in order; the first failure is told, the others are reported", () =>
    reporting((reports) =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        const reloading = (name: string, fails = false) =>
          Service.make({
            name,
            start: () => Effect.succeed(name),
            reload: (started) =>
              Effect.andThen(
                Effect.sync(() => seen.push(started)),
                fails ? Effect.fail(`${started} cannot`) : Effect.void
              )
          })
        const tree = yield* ServiceTree.start(
          ServiceGroup.make("app", [
            reloading("a", true),
            ServiceGroup.make("web", [reloading("b"), Service.make({ name: "x" })]),
            reloading("c", true)
          ])
        )
        assert.strictEqual(yield* refusal(tree.reload), "a: cannot reload: a cannot")
        assert.deepStrictEqual(seen, ["a", "b", "c"])
        assert.deepStrictEqual(reports, ["service c: ServiceError: c: cannot reload: c cannot"])
        assert.isTrue(yield* tree.ready)
      })
    )
  )
})
