import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Application from "../../src/app/Application.ts"
import * as Service from "../../src/app/Service.ts"
import { Switchboard } from "./applicationKit.ts"
import { Journal, settle } from "./serviceKit.ts"
import * as LeakCheck from "../../src/testing/LeakCheck.ts"

class Store extends Context.Service<Store, string>()("test/Store") {}
class Disk extends Context.Service<Disk, string>()("test/Disk") {}

/** Runs it in the background, with signals in the hand of the test. */
const running = <E>(app: Application.Application<E>, options?: Application.RunOptions) =>
  Effect.gen(function* () {
    const board = new Switchboard()
    const fiber = yield* Application.run(app, options).pipe(
      Effect.provide(board.layer),
      Effect.forkScoped({ startImmediately: true })
    )
    yield* settle
    return { board, fiber }
  })

describe("Application", () => {
  it("is a value", () => {
    const app = Application.make({ name: "app", description: "does things", services: [] })
    assert.isTrue(Application.isApplication(app))
    assert.isFalse(Application.isApplication({ name: "app" }))
    assert.isFalse(Application.isApplication(Service.make({ name: "app" })))
    assert.isFrozen(app)
    assert.deepStrictEqual([app.name, app.description], ["app", "does things"])
  })

  describe("provide", () => {
    const user = (seen: Array<string>) =>
      Service.make({ name: "user", start: () => Effect.map(Store, (store) => seen.push(store)) })
    const store = Layer.effect(
      Store,
      Effect.map(Disk, (disk) => `store on ${disk}`)
    )

    it.effect("gives services what layers have: each is a service before them", () =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        const app = Application.make({ name: "app", services: [user(seen)] }).pipe(
          Application.provide(store),
          Application.provide(Layer.succeed(Disk, "disk"), { name: "disk" })
        )
        const { board, fiber } = yield* running(app)
        assert.deepStrictEqual(seen, ["store on disk"])
        yield* board.send("USR2")
        yield* settle
        assert.match(board.logged.join("\n"), /\n {2}disk: running, for 0 s\n {2}provided: .*\n {2}user: /)
        yield* board.send("TERM")
        yield* Fiber.join(fiber)
      })
    )

    it.effect("names that are taken are not taken again", () =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        const app = Application.make({
          name: "app",
          services: [Service.make({ name: "provided" }), user(seen)]
        })
        const whole = app.pipe(Application.provide(store), Application.provide(Layer.succeed(Disk, "d")))
        const { board, fiber } = yield* running(whole)
        assert.deepStrictEqual(seen, ["store on d"])
        yield* board.send("INT")
        yield* Fiber.join(fiber)
      })
    )

    it.effect("a layer that fails is a service that does not start", () =>
      Effect.gen(function* () {
        const app = Application.make({ name: "app", services: [user([])] }).pipe(
          Application.provide(Layer.effect(Store, Effect.fail("no disk")))
        )
        const error = yield* Effect.flip(Application.run(app)).pipe(Effect.provide(new Switchboard().layer))
        assert.match((error as Error).message, /^provided: cannot start: .*no disk/)
      })
    )
  })

  describe("run", () => {
    it.effect("tells that it is ready; SIGTERM and SIGINT stop it, in reverse", () =>
      Effect.gen(function* () {
        for (const signal of ["TERM", "INT"] as const) {
          const journal = new Journal()
          const app = Application.make({
            name: "app",
            services: [journal.service("a"), journal.service("b")]
          })
          const { board, fiber } = yield* running(app, {
            whenReady: Effect.sync(() => journal.note("ready"))
          })
          assert.deepStrictEqual(journal.take(), ["bind a", "bind b", "start a", "start b", "ready"])
          yield* board.send(signal)
          assert.deepStrictEqual(yield* Fiber.join(fiber), { signal, forced: false })
          assert.deepStrictEqual(journal.take(), ["stop b (Stop)", "release b", "stop a (Stop)", "release a"])
          assert.strictEqual(board.subscribers, 0)
        }
      })
    )

    it.effect("a second signal does not wait", () =>
      Effect.gen(function* () {
        const journal = new Journal()
        const slow = Service.make({
          name: "slow",
          start: () =>
            Effect.addFinalizer(() =>
              Effect.andThen(
                Effect.sync(() => journal.note("slow")),
                Effect.never
              )
            )
        })
        const app = Application.make({ name: "app", services: [journal.service("a"), slow] })
        const { board, fiber } = yield* LeakCheck.abandoned(running(app))
        journal.take()
        yield* board.send("TERM")
        yield* settle
        assert.deepStrictEqual(journal.take(), ["slow"])
        assert.isUndefined(fiber.pollUnsafe())
        yield* board.send("USR2")
        yield* settle
        assert.match(
          board.logged.at(-1)!,
          /state of app: stopping for 0 s\n {2}a: running, for 0 s\n {2}slow: draining/
        )
        yield* board.send("INT")
        assert.deepStrictEqual(yield* Fiber.join(fiber), { signal: "TERM", forced: true })
      })
    )

    it.effect("a signal while it starts", () =>
      Effect.gen(function* () {
        const journal = new Journal()
        const app = Application.make({
          name: "app",
          services: [journal.service("a"), journal.service("b", { start: Effect.never })]
        })
        const { board, fiber } = yield* running(app)
        yield* board.send("USR2")
        yield* board.send("HUP")
        yield* settle
        assert.match(board.logged.join("\n"), /state of app: starting/)
        assert.include(board.logged, "Info not reloaded: the application does not run")
        yield* board.send("TERM")
        assert.deepStrictEqual(yield* Fiber.join(fiber), { signal: "TERM", forced: false })
        assert.deepStrictEqual(journal.take().slice(-2), ["stop a (Stop)", "release a"])
      })
    )

    it.effect("SIGHUP reloads, and drops nothing; signals are heeded meanwhile", () =>
      Effect.gen(function* () {
        const journal = new Journal()
        const gate = yield* Deferred.make<void>()
        const slow = Service.make({
          name: "slow",
          reload: () =>
            Effect.andThen(
              Deferred.await(gate),
              Effect.sync(() => journal.note("reloaded"))
            )
        })
        const app = Application.make({ name: "app", services: [journal.service("a"), slow] })
        const { board, fiber } = yield* running(app)
        journal.take()
        yield* board.send("HUP")
        yield* board.send("USR2")
        yield* settle
        assert.match(board.logged.at(-1)!, /state of app: reloading/)
        yield* Deferred.succeed(gate, undefined)
        yield* settle
        assert.deepStrictEqual(journal.take(), ["reloaded"])
        assert.strictEqual(board.logged.at(-1), "Info reloaded")
        yield* board.send("TERM")
        yield* Fiber.join(fiber)
      })
    )

    it.effect("fails when it cannot start, or its tree has failed", () =>
      Effect.gen(function* () {
        const journal = new Journal()
        const app = Application.make({
          name: "app",
          services: [journal.service("a")],
          intensity: { restarts: 0 }
        })
        const { fiber } = yield* running(app)
        yield* journal.fail("a")
        const error = yield* Effect.flip(Fiber.join(fiber))
        assert.match((error as Error).message, /more than 0 restarts/)
        assert.include(journal.take(), "release a")
      })
    )

    it.effect("interrupted, it stops first", () =>
      Effect.gen(function* () {
        for (const start of [Effect.void, Effect.never]) {
          const journal = new Journal()
          const app = Application.make({
            name: "app",
            services: [journal.service("a"), journal.service("b", { start })]
          })
          const { board, fiber } = yield* running(app)
          yield* Fiber.interrupt(fiber)
          assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
          assert.deepStrictEqual(journal.take().slice(-2), ["stop a (Stop)", "release a"])
          assert.strictEqual(board.subscribers, 0)
        }
      })
    )

    it.effect("without signals", () =>
      Effect.gen(function* () {
        const { board, fiber } = yield* running(Application.make({ name: "app", services: [] }), {
          signals: false
        })
        assert.strictEqual(board.subscribers, 0)
        yield* Fiber.interrupt(fiber)
      })
    )
  })
})
