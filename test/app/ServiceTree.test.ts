import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { Service, ServiceError, ServiceGroup, ServiceInstance, ServiceTree } from "../../src/app/index.ts"
import { Journal, refusal, stateOf, statesOf } from "./serviceKit.ts"

describe("ServiceTree", () => {
  it.effect("starts in order, both phases over the whole tree, and stops in reverse", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      const group = ServiceGroup.make("app", [
        journal.service("a"),
        ServiceGroup.make("web", [journal.service("b"), journal.service("c")]),
        journal.service("d")
      ])
      const scope = yield* Scope.make()
      const bound = yield* Scope.provide(ServiceTree.bind(group), scope)
      assert.deepStrictEqual(journal.take(), ["bind a", "bind b", "bind c", "bind d"])
      const tree = yield* bound.start
      assert.deepStrictEqual(journal.take(), ["start a", "start b", "start c", "start d"])
      assert.isTrue(yield* tree.ready)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(journal.take(), [
        "stop d (Stop)",
        "release d",
        "stop c (Stop)",
        "release c",
        "stop b (Stop)",
        "release b",
        "stop a (Stop)",
        "release a"
      ])
      assert.isFalse(yield* tree.ready)
      assert.strictEqual(yield* refusal(tree.root.start), "/: / does not run, or was stopped meanwhile")
    })
  )

  it.effect("hands what earlier services provide to later ones, and each its own path", () =>
    Effect.gen(function* () {
      class Store extends Context.Service<Store, string>()("Store") {}
      const seen: Array<string> = []
      const store = Service.layer(Layer.succeed(Store, "the store"), { name: "store" })
      const user = Service.make({
        name: "user",
        start: () =>
          Effect.gen(function* () {
            seen.push(`${(yield* ServiceInstance).path} ${yield* Store}`)
          })
      })
      yield* ServiceTree.start(
        ServiceGroup.make("app", [ServiceGroup.make("data", [store]), ServiceGroup.make("web", [user])])
      )
      assert.deepStrictEqual(seen, ["web/user the store"])
    })
  )

  it.effect("what fails to start stops what had started, and the error says which and why", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      const group = ServiceGroup.make("app", [
        journal.service("a"),
        ServiceGroup.make("web", [
          journal.service("b"),
          journal.service("c", { start: Effect.fail(new Error("no disk")) })
        ]),
        journal.service("d")
      ])
      const error = yield* Effect.flip(ServiceTree.start(group))
      assert.instanceOf(error, ServiceError)
      assert.strictEqual(error.path, "web/c")
      assert.strictEqual(error.message, "web/c: cannot start: no disk")
      assert.deepStrictEqual(journal.take().slice(4), [
        "start a",
        "start b",
        "start c",
        "stop c (Stop, failed)",
        "release c",
        "stop b (Stop)",
        "release b",
        "release d",
        "stop a (Stop)",
        "release a"
      ])
    })
  )

  it.effect("what cannot be bound releases what was", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      const group = ServiceGroup.make("app", [
        journal.service("a"),
        journal.service("b", { bind: Effect.die("port 80 is in use") }),
        journal.service("c")
      ])
      assert.strictEqual(
        yield* refusal(ServiceTree.bind(group)),
        "b: cannot start (privileged phase): port 80 is in use"
      )
      assert.deepStrictEqual(journal.take(), ["bind a", "release a"])
    })
  )

  it.effect("what was bound and never started is released with its scope", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      yield* Effect.scoped(
        ServiceTree.bind(ServiceGroup.make("app", [journal.service("a"), journal.service("b")]))
      )
      assert.deepStrictEqual(journal.take(), ["bind a", "bind b", "release b", "release a"])
    })
  )

  it.effect("an interrupted start leaves nothing", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      const group = ServiceGroup.make("app", [
        journal.service("a"),
        ServiceGroup.make("web", [journal.service("b", { start: Effect.never })])
      ])
      const fiber = yield* Effect.forkChild(Effect.scoped(ServiceTree.start(group)), {
        startImmediately: true
      })
      assert.deepStrictEqual(journal.take().slice(2), ["start a", "start b"])
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(journal.take(), [
        "stop b (Stop, failed)",
        "release b",
        "stop a (Stop)",
        "release a"
      ])
    })
  )

  it.effect("a service that is no group is started again, too", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      const tree = yield* ServiceTree.start(journal.service("a"))
      yield* journal.fail("a")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(journal.take(), ["bind a", "start a", "stop a (Restart, failed)", "start a"])
      assert.strictEqual(yield* statesOf(tree), "a Running")
    })
  )

  it.effect("finds by name and path, and suggests", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      const tree = yield* ServiceTree.start(
        ServiceGroup.make("app", [journal.service("a"), ServiceGroup.make("web", [journal.service("http")])])
      )
      const http = yield* tree.find("web/http")
      assert.strictEqual(http.path, "web/http")
      assert.strictEqual(http.parent?.path, "web")
      assert.strictEqual(yield* http.parent!.find("http"), http)
      assert.strictEqual((yield* tree.find("/")).path, "/")
      assert.strictEqual(
        yield* refusal(tree.find("web/htpt")),
        'web: there is no service "htpt" in it; did you mean "http"?'
      )
      assert.strictEqual(yield* refusal(http.find("x")), "web/http: is no group: it has no services in it")
      assert.throws(() => Object.assign(http, { name: "other" }), TypeError)
      assert.strictEqual(stateOf(http), "Running")
    })
  )
})
