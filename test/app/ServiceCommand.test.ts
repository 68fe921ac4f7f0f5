import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import {
  Service,
  type ServiceError,
  ServiceGroup,
  ServiceInstance,
  type ServiceNode,
  ServiceTree
} from "../../src/app/index.ts"
import { Journal, refusal, reporting, settle, stateOf, statesOf } from "./serviceKit.ts"

/** c is after b is after a; d is on its own. */
const chain = Effect.gen(function* () {
  const journal = new Journal()
  const tree = yield* ServiceTree.start(
    ServiceGroup.make("app", [
      journal.service("a"),
      journal.service("b", { after: ["a"] }),
      journal.service("c", { after: ["b"] }),
      journal.service("d")
    ])
  )
  journal.take()
  const [a, b, c, d] = yield* Effect.forEach(["a", "b", "c", "d"], tree.find)
  return { journal, tree, a: a!, b: b!, c: c!, d: d! }
})

describe("stop and start", () => {
  it.effect("what depends on it stops with it, and comes back with it", () =>
    Effect.gen(function* () {
      const { b, journal, tree } = yield* chain
      yield* b.stop
      yield* b.stop
      assert.deepStrictEqual(journal.take(), ["stop c (Stop)", "release c", "stop b (Stop)", "release b"])
      assert.strictEqual(yield* statesOf(tree), "a Running, b Stopped, c Stopped, d Running")
      yield* b.start
      yield* b.start
      assert.deepStrictEqual(journal.take(), ["bind b", "start b", "bind c", "start c"])
    })
  )

  it.effect("what it depends on is started before it", () =>
    Effect.gen(function* () {
      const { a, c, journal } = yield* chain
      yield* a.stop
      journal.take()
      yield* c.start
      assert.deepStrictEqual(journal.take(), ["bind a", "start a", "bind b", "start b", "bind c", "start c"])
    })
  )

  it.effect(
    "what was stopped by hand stays so when its group restarts, until its group is started by hand",
    () =>
      Effect.gen(function* () {
        const journal = new Journal()
        const tree = yield* ServiceTree.start(
          ServiceGroup.make("app", [
            ServiceGroup.make("web", [journal.service("a"), journal.service("b")], {
              intensity: { restarts: 0 },
              backoff: Schedule.spaced("1 second")
            })
          ])
        )
        const web = yield* tree.find("web")
        yield* Effect.flatMap(web.find("a"), (a) => a.stop)
        yield* journal.fail("b")
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(
          (yield* web.snapshot).children.map(({ state }) => state._tag),
          ["Stopped", "Running"]
        )
        assert.isTrue(yield* web.ready)
        yield* web.stop
        yield* web.start
        assert.deepStrictEqual(
          (yield* web.snapshot).children.map(({ state }) => state._tag),
          ["Running", "Running"]
        )
      })
  )

  it.effect("a start that fails is undone, told, and not tried again", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      let broken = false
      const start = Effect.suspend(() => (broken ? Effect.fail("no disk") : Effect.void))
      const tree = yield* ServiceTree.start(
        ServiceGroup.make("app", [journal.service("a"), journal.service("b", { after: ["a"], start })])
      )
      const [a, b] = yield* Effect.all([tree.find("a"), tree.find("b")])
      yield* a.stop
      broken = true
      journal.take()
      assert.strictEqual(yield* refusal(b.start), "b: cannot start: no disk")
      assert.deepStrictEqual(journal.take(), [
        "bind a",
        "start a",
        "bind b",
        "start b",
        "stop b (Stop, failed)",
        "release b",
        "stop a (Stop)",
        "release a"
      ])
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* statesOf(tree), "a Stopped, b Failed")
      assert.deepStrictEqual(journal.take(), [])
    })
  )

  it.effect("a stop cuts a start short", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      let hangs = false
      const start = Effect.suspend(() => (hangs ? Effect.never : Effect.void))
      const tree = yield* ServiceTree.start(ServiceGroup.make("app", [journal.service("a", { start })]))
      const a = yield* tree.find("a")
      yield* a.stop
      hangs = true
      const starting = yield* Effect.forkChild(refusal(a.start), { startImmediately: true })
      yield* settle
      assert.deepStrictEqual(journal.take().slice(-2), ["bind a", "start a"])
      yield* a.stop
      assert.strictEqual(yield* Fiber.join(starting), "a: a does not run, or was stopped meanwhile")
      assert.deepStrictEqual(journal.take(), ["stop a (Stop, failed)", "release a"])
      assert.strictEqual(stateOf(a), "Stopped")
    })
  )

  it.effect("the end of the tree cuts a start short, whoever waits for it", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      const scope = yield* Scope.make()
      const group = ServiceGroup.make("app", [
        journal.service("a"),
        ServiceGroup.make("web", [journal.service("b", { start: Effect.never })])
      ])
      const bound = yield* Scope.provide(ServiceTree.bind(group), scope)
      const starting = yield* Effect.forkChild(refusal(bound.start), { startImmediately: true })
      journal.take()
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* Fiber.join(starting), "web/b: web/b does not run, or was stopped meanwhile")
      assert.deepStrictEqual(journal.take(), [
        "stop b (Stop, failed)",
        "release b",
        "stop a (Stop)",
        "release a"
      ])
    })
  )
})

describe("restart", () => {
  it.effect("with what depends on it; ports stay bound", () =>
    Effect.gen(function* () {
      const { b, c, journal } = yield* chain
      yield* b.restart
      assert.deepStrictEqual(journal.take(), ["stop c (Restart)", "stop b (Restart)", "start b", "start c"])
      yield* c.stop
      journal.take()
      yield* b.restart
      assert.deepStrictEqual(journal.take(), ["stop b (Restart)", "start b"])
    })
  )

  it.effect("that fails is told, and tried again", () =>
    reporting((reports) =>
      Effect.gen(function* () {
        const journal = new Journal()
        let broken = false
        const start = Effect.suspend(() => (broken ? Effect.fail("no disk") : Effect.void))
        const tree = yield* ServiceTree.start(
          journal.service("a", { start, backoff: Schedule.spaced("1 second") })
        )
        const a = yield* tree.find("a")
        broken = true
        assert.strictEqual(yield* refusal(a.restart), "a: cannot start: no disk")
        assert.strictEqual(stateOf(a), "Restarting")
        assert.strictEqual(reports.length, 1)
        broken = false
        yield* TestClock.adjust("1 second")
        assert.strictEqual(stateOf(a), "Running")
      })
    )
  )

  it.effect("of a group, and of the whole tree", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      const tree = yield* ServiceTree.start(
        ServiceGroup.make("app", [ServiceGroup.make("web", [journal.service("a"), journal.service("b")])])
      )
      journal.take()
      const expected = ["stop b (Restart)", "stop a (Restart)", "start a", "start b"]
      yield* Effect.flatMap(tree.find("web"), (web) => web.restart)
      assert.deepStrictEqual(journal.take(), expected)
      yield* tree.root.restart
      assert.deepStrictEqual(journal.take(), expected)
    })
  )

  it.effect("asked for by many at once: one after another, never two at a time", () =>
    Effect.gen(function* () {
      const { a, b, c, d, journal, tree } = yield* chain
      const wild = [a.restart, b.restart, c.stop, c.start, d.restart, b.stop, b.start, tree.root.restart]
      // A stop cuts a start of the same service short.
      const reasons: Array<string> = []
      const each = (asked: Effect.Effect<void, ServiceError>) =>
        Effect.matchEffect(asked, {
          onSuccess: () => Effect.void,
          onFailure: ({ reason }) => Effect.sync(() => void reasons.push(reason._tag))
        })
      yield* Effect.forEach([...wild, ...wild], each, { concurrency: "unbounded", discard: true })
      assert.isTrue(reasons.every((reason) => reason === "Stopped"))
      yield* c.start
      for (const name of ["a", "b", "c", "d"]) {
        const own = journal.lines.filter((line) => line.split(" ")[1] === name && line.startsWith("st"))
        // stop, start, stop, start, ...
        assert.isTrue(own.every((line, index) => line.startsWith(index % 2 === 0 ? "stop" : "start")))
      }
      assert.strictEqual(yield* statesOf(tree), "a Running, b Running, c Running, d Running")
    })
  )
})

describe("add and remove", () => {
  it.effect("an added service is bound and started at once, behind the others", () =>
    Effect.gen(function* () {
      const { d, journal, tree } = yield* chain
      const e = yield* tree.root.add(journal.service("e", { after: ["d"] }))
      assert.deepStrictEqual(journal.take(), ["bind e", "start e"])
      assert.strictEqual(yield* tree.find("e"), e)
      assert.deepStrictEqual(
        (yield* tree.root.children).map(({ name }) => name),
        ["a", "b", "c", "d", "e"]
      )
      assert.strictEqual(yield* refusal(tree.root.remove("d")), "d: cannot be removed: e depends on it")
      yield* tree.root.remove("e")
      yield* tree.root.remove("d")
      assert.deepStrictEqual(journal.take(), ["stop e (Stop)", "release e", "stop d (Stop)", "release d"])
      assert.strictEqual(stateOf(d), "Stopped")
      assert.match(yield* refusal(tree.find("d")), /^\/: there is no service "d" in it/)
      assert.match(yield* refusal(d.start), /^d: there is no service "d" in it/)
      assert.match(yield* refusal(tree.root.remove("d")), /there is no service "d"/)
      yield* tree.root.add(journal.service("d"))
    })
  )

  it.effect("a group may be added, and have its own", () =>
    Effect.gen(function* () {
      const { journal, tree } = yield* chain
      const web = yield* tree.root.add(ServiceGroup.make("web", [journal.service("x")]))
      yield* web.add(journal.service("y"))
      assert.deepStrictEqual(journal.take(), ["bind x", "start x", "bind y", "start y"])
      assert.strictEqual((yield* tree.find("web/y")).path, "web/y")
      yield* tree.stop
      assert.deepStrictEqual(journal.take().slice(0, 4), [
        "stop y (Stop)",
        "release y",
        "stop x (Stop)",
        "release x"
      ])
    })
  )

  it.effect("what cannot be added is not", () =>
    Effect.gen(function* () {
      const { a, journal, tree } = yield* chain
      assert.strictEqual(
        yield* refusal(tree.root.add(journal.service("a"))),
        '/: there is already a service "a" in this group'
      )
      assert.strictEqual(
        yield* refusal(tree.root.add(journal.service("x", { after: ["B"] }))),
        'x: it is to start after "B", which is no service of its group; did you mean "b"?'
      )
      assert.match(
        yield* refusal(
          tree.root.add(
            ServiceGroup.make("g", [
              journal.service("x", { after: ["y"] }),
              journal.service("y", { after: ["x"] })
            ])
          )
        ),
        /^g: its services wait for each other: x -> y -> x/
      )
      assert.strictEqual(
        yield* refusal(tree.root.add(journal.service("x", { start: Effect.die("no") }))),
        "x: cannot start: no"
      )
      assert.strictEqual(
        yield* refusal(a.add(journal.service("x"))),
        "a: is no group: it has no services in it"
      )
      assert.strictEqual((yield* tree.root.children).length, 4)
      assert.deepStrictEqual(journal.take(), ["bind x", "start x", "stop x (Stop, failed)", "release x"])
      assert.isTrue(yield* tree.ready)
    })
  )

  it.effect("whoever adds it gives what it requires; what it provides is there for what is added later", () =>
    Effect.gen(function* () {
      class Name extends Context.Service<Name, string>()("Name") {}
      class Greeting extends Context.Service<Greeting, string>()("Greeting") {}
      const { tree } = yield* chain
      const seen: Array<string> = []
      const greeting = Service.make({
        name: "greeting",
        start: () => Effect.map(Name, (name) => `hello, ${name}`),
        provides: (text) => Context.make(Greeting, text)
      })
      const greeter = Service.make({
        name: "greeter",
        start: () => Effect.map(Greeting, (text) => void seen.push(text))
      })
      yield* Effect.provideService(tree.root.add(greeting), Name, "Ada")
      yield* Effect.provideService(tree.root.add(greeter), Greeting, "what who added it has")
      assert.deepStrictEqual(seen, ["hello, Ada"])
    })
  )

  it.effect("an interrupted add leaves nothing", () =>
    Effect.gen(function* () {
      const { journal, tree } = yield* chain
      const adding = yield* Effect.forkChild(tree.root.add(journal.service("x", { start: Effect.never })), {
        startImmediately: true
      })
      yield* settle
      yield* Fiber.interrupt(adding)
      assert.deepStrictEqual(journal.take(), ["bind x", "start x", "stop x (Stop, failed)", "release x"])
      assert.strictEqual((yield* tree.root.children).length, 4)
    })
  )
})

describe("what a service asks for itself", () => {
  const asking = (ask: (node: ServiceNode) => Effect.Effect<unknown, unknown>) =>
    Effect.gen(function* () {
      const journal = new Journal()
      const gate = Deferred.makeUnsafe<void>()
      const tree = yield* ServiceTree.start(
        ServiceGroup.make("app", [
          journal.service("a"),
          Service.make({
            name: "b",
            start: () =>
              Effect.acquireRelease(
                Effect.sync(() => journal.note("start b")),
                () => Effect.sync(() => journal.note("stop b"))
              ),
            run: () =>
              Effect.gen(function* () {
                yield* Deferred.await(gate)
                const { node } = yield* ServiceInstance
                if (node !== undefined && journal.lines.filter((line) => line === "start b").length === 0) {
                  yield* ask(node)
                }
                return yield* Effect.never
              })
          })
        ])
      )
      journal.take()
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      return { journal, tree }
    })

  it.effect("its restart, in run", () =>
    Effect.gen(function* () {
      const { journal, tree } = yield* asking((node) => node.restart)
      assert.deepStrictEqual(journal.take(), ["stop b", "start b"])
      assert.isTrue(yield* tree.ready)
    })
  )
  it.effect("its stop, in run", () =>
    Effect.gen(function* () {
      const { tree } = yield* asking((node) => node.stop)
      assert.strictEqual(yield* statesOf(tree), "a Running, b Stopped")
    })
  )
  it.effect("its removal, in run", () =>
    Effect.gen(function* () {
      const { journal, tree } = yield* asking((node) => node.parent!.remove("b"))
      assert.deepStrictEqual(journal.take(), ["stop b"])
      assert.strictEqual(yield* statesOf(tree), "a Running")
    })
  )
  it.effect("the restart of the whole tree, in run", () =>
    Effect.gen(function* () {
      const { journal, tree } = yield* asking((node) => node.parent!.restart)
      assert.deepStrictEqual(journal.take(), ["stop b", "stop a (Restart)", "start a", "start b"])
      assert.isTrue(yield* tree.ready)
    })
  )

  it.effect("not in its start: it would wait for itself", () =>
    Effect.gen(function* () {
      const a = Service.make({
        name: "a",
        start: () =>
          Effect.flatMap(ServiceInstance, ({ node }) => node!.parent!.add(Service.make({ name: "b" })))
      })
      assert.match(
        yield* refusal(ServiceTree.start(a)),
        /^a: cannot start: .*a asks for this while it is itself being started or stopped/
      )
    })
  )

  it.effect("not in a finalizer", () =>
    Effect.gen(function* () {
      const told: Array<string> = []
      const a = Service.make({
        name: "a",
        start: () =>
          Effect.gen(function* () {
            const { node } = yield* ServiceInstance
            yield* Effect.addFinalizer(() =>
              Effect.ignore(
                Effect.tapError(node!.restart, ({ reason }) => Effect.sync(() => told.push(reason._tag)))
              )
            )
          })
      })
      const tree = yield* ServiceTree.start(a)
      yield* tree.stop
      assert.deepStrictEqual(told, ["Reentrant"])
    })
  )
})

describe("asking at a bad moment", () => {
  it.effect("a restart that fails in what it needs leaves nobody waiting for a try that is off", () =>
    reporting(() =>
      Effect.gen(function* () {
        const journal = new Journal()
        let isBroken = false
        const flaky = Effect.suspend(() => (isBroken ? Effect.fail(new Error("not yet")) : Effect.void))
        const backoff = Schedule.spaced("1 minute")
        const tree = yield* ServiceTree.start(
          ServiceGroup.make(
            "app",
            [
              journal.service("a", { start: flaky, backoff }),
              journal.service("b", { after: ["a"], backoff })
            ],
            { strategy: "one-for-all" }
          )
        )
        const b = yield* tree.find("b")
        yield* journal.fail("b")
        yield* settle
        assert.strictEqual(yield* statesOf(tree), "a Stopped, b Restarting")
        isBroken = true
        assert.strictEqual((yield* Effect.exit(b.restart))._tag, "Failure")
        assert.strictEqual(yield* statesOf(tree), "a Restarting, b Stopped")
        isBroken = false
        yield* TestClock.adjust("1 minute")
        yield* settle
        assert.strictEqual(yield* statesOf(tree), "a Running, b Running")
      })
    )
  )

  it.effect("who asks for a start that ends in his own stop does not wait for it", () =>
    reporting(() =>
      Effect.gen(function* () {
        const journal = new Journal()
        let starts = 0
        const once = Effect.suspend(() =>
          starts++ > 0 ? Effect.fail(new Error("never again")) : Effect.void
        )
        const asked = yield* Deferred.make<void>()
        const asking = Service.make({
          name: "b",
          run: () =>
            Effect.gen(function* () {
              yield* Deferred.await(asked)
              const { node } = yield* ServiceInstance
              yield* (yield* node!.parent!.find("a")).start
            })
        })
        const tree = yield* ServiceTree.start(
          ServiceGroup.make(
            "app",
            [journal.service("a", { start: once, backoff: Schedule.spaced("1 minute") }), asking],
            { strategy: "rest-for-one" }
          )
        )
        yield* journal.fail("a")
        yield* settle
        yield* (yield* tree.find("b")).start
        assert.strictEqual(yield* statesOf(tree), "a Restarting, b Running")
        yield* Deferred.succeed(asked, undefined)
        yield* settle
        assert.strictEqual(yield* statesOf(tree), "a Restarting, b Stopped")
      })
    )
  )

  it.effect("nor may a finalizer of the first phase ask for itself between two lives", () =>
    reporting(() =>
      Effect.gen(function* () {
        let answer = ""
        let life = 0
        const service = Service.make({
          name: "a",
          backoff: Schedule.spaced("1 minute"),
          privileged: Effect.acquireRelease(Effect.void, () =>
            Effect.gen(function* () {
              const { node } = yield* ServiceInstance
              const refused = Effect.flip(Effect.timeout(node!.restart, "1 second"))
              answer = yield* Effect.match(refused, { onSuccess: String, onFailure: () => "done" })
            })
          ),
          run: () => (life++ === 0 ? Effect.fail(new Error("it broke")) : Effect.never)
        })
        const tree = yield* ServiceTree.start(ServiceGroup.make("app", [service]))
        yield* settle
        assert.strictEqual(yield* statesOf(tree), "a Restarting")
        yield* (yield* tree.find("a")).stop
        assert.match(answer, /would wait for itself/)
        assert.strictEqual(yield* statesOf(tree), "a Stopped")
      })
    )
  )
})
