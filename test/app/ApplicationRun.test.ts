import { assert, describe, it } from "@effect/vitest"
import * as Config from "effect/Config"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as Application from "../../src/app/Application.ts"
import * as ApplicationRun from "../../src/app/ApplicationRun.ts"
import * as Service from "../../src/app/Service.ts"
import { Switchboard } from "./applicationKit.ts"
import { files } from "./configurations.ts"
import { Journal, settle } from "./serviceKit.ts"

const stateOf = (life: ApplicationRun.ApplicationRun<unknown>) =>
  Effect.map(SubscriptionRef.get(life.state), ({ _tag }) => _tag)

describe("ApplicationRun", () => {
  it.effect("loads, binds, runs the hook between the phases, starts, and stops in reverse", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      const note = (line: string) => Effect.sync(() => journal.note(line))
      const app = Application.make({
        name: "app",
        config: { names: Config.String("names") },
        services: ({ names }) => names.split(",").map((name) => journal.service(name))
      })
      const life = yield* ApplicationRun.make(app, {
        sources: { flags: ["names=a,b"] },
        betweenPhases: note("hook")
      })
      const states: Array<string> = []
      yield* SubscriptionRef.changes(life.state).pipe(
        Stream.runForEach(({ _tag }) => Effect.sync(() => states.push(_tag))),
        Effect.forkScoped({ startImmediately: true })
      )
      const tree = yield* life.start
      assert.deepStrictEqual(journal.take(), ["bind a", "bind b", "hook", "start a", "start b"])
      assert.isTrue(yield* tree.ready)
      const { live, name, ready, services, state } = yield* life.snapshot
      assert.deepStrictEqual([name, state._tag, ready, live], ["app", "Running", true, true])
      assert.deepStrictEqual(
        services?.children.map((child) => child.path),
        ["a", "b"]
      )
      yield* life.stop
      assert.deepStrictEqual(journal.take(), ["stop b (Stop)", "release b", "stop a (Stop)", "release a"])
      yield* life.stop
      yield* settle
      assert.deepStrictEqual(states, [
        "Stopped",
        "Loading",
        "Binding",
        "Starting",
        "Running",
        "Stopping",
        "Stopped"
      ])
    })
  )

  it.effect("a bad configuration: nothing is bound", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      const app = Application.make({
        name: "app",
        config: { port: Config.Port("port"), name: Config.String("name") },
        services: () => [journal.service("a")]
      })
      const life = yield* ApplicationRun.make(app)
      const error = yield* Effect.flip(life.start)
      assert.strictEqual(error._tag, "ConfigurationError")
      assert.strictEqual(
        error.message,
        "the configuration has 2 mistakes\n  port: missing (an integer, a value between 1 and 65535); give --set port=...\n" +
          "  name: missing; give --set name=..."
      )
      assert.deepStrictEqual(journal.take(), [])
      const { services, state } = yield* life.snapshot
      assert.strictEqual(state._tag, "Failed")
      assert.isUndefined(services)
    })
  )

  it.effect("--set of anything is a mistake for who has no configuration", () =>
    Effect.gen(function* () {
      const app = Application.make({ name: "app", services: [] })
      const life = yield* ApplicationRun.make(app, { sources: { flags: ["port=1"] } })
      const { message } = yield* Effect.flip(life.start)
      assert.match(message, /port: nothing of this name is asked for/)
    })
  )

  it.effect("a hook that fails: what was bound is released", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      const app = Application.make({ name: "app", services: [journal.service("a")] })
      const life = yield* ApplicationRun.make(app, { betweenPhases: Effect.fail("no such user") })
      assert.strictEqual(yield* Effect.flip(life.start), "no such user")
      assert.deepStrictEqual(journal.take(), ["bind a", "release a"])
      assert.strictEqual(yield* stateOf(life), "Failed")
    })
  )

  it.effect("a service that does not start: the others are stopped, and it is told which", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      const services = [journal.service("a"), journal.service("b", { start: Effect.fail("no disk") })]
      const life = yield* ApplicationRun.make(Application.make({ name: "app", services }))
      const error = yield* Effect.flip(life.start)
      assert.match((error as Error).message, /^b: cannot start: .*no disk/)
      assert.include(journal.take(), "release a")
      const { state } = yield* life.snapshot
      assert.match(state._tag === "Failed" ? state.message : "", /no disk/)
    })
  )

  it.effect("what the function of services throws is a failure to start", () =>
    Effect.gen(function* () {
      const app = Application.make({
        name: "app",
        services: (): ReadonlyArray<Service.Service> => {
          throw new Error("no such mode")
        }
      })
      const error = yield* Effect.flip((yield* ApplicationRun.make(app)).start)
      assert.match((error as Error).message, /^\/: cannot start.*no such mode/)
    })
  )

  it.effect("a start that is interrupted, or stopped, leaves nothing", () =>
    Effect.gen(function* () {
      for (const how of ["interrupt", "stop", "scope"] as const) {
        const journal = new Journal()
        const services = [journal.service("a"), journal.service("b", { start: Effect.never })]
        const scope = yield* Scope.make()
        const life = yield* Scope.provide(
          ApplicationRun.make(Application.make({ name: "app", services })),
          scope
        )
        const fiber = yield* Effect.forkChild(life.start, { startImmediately: true })
        yield* settle
        assert.strictEqual(yield* stateOf(life), "Starting")
        assert.strictEqual((yield* life.snapshot).services?.children[1]?.state._tag, "Starting")
        if (how === "interrupt") yield* Fiber.interrupt(fiber)
        else if (how === "stop") yield* life.stop
        else yield* Scope.close(scope, Exit.void)
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)), how)
        assert.deepStrictEqual(journal.take().slice(-2), ["stop a (Stop)", "release a"])
        assert.strictEqual(yield* stateOf(life), "Stopped")
        yield* Scope.close(scope, Exit.void)
      }
    })
  )

  it.effect("a tree that has failed is told, and is stopped", () =>
    Effect.gen(function* () {
      const journal = new Journal()
      const app = Application.make({
        name: "app",
        services: [journal.service("a")],
        intensity: { restarts: 0 }
      })
      const life = yield* ApplicationRun.make(app)
      yield* life.start
      yield* journal.fail("a")
      const error = yield* Effect.flip(life.failed)
      assert.match(error.message, /a broke/)
      assert.include(journal.take(), "release a")
      assert.strictEqual(yield* stateOf(life), "Failed")
    })
  )

  describe("reload", () => {
    const setup = Effect.gen(function* () {
      const texts: Record<string, string> = { "app.toml": "level = 1\ntoken = 'geheim'\n" }
      const board = new Switchboard()
      const journal = new Journal()
      const seen: Array<string> = []
      const gate = {
        error: undefined as string | undefined,
        certificates: Effect.void as Effect.Effect<void, string>
      }
      const app = Application.make({
        name: "app",
        config: { level: Config.Int("level"), token: Config.Redacted("token") },
        services: (first, live) => [
          journal.service("before"),
          Service.make({
            name: "levelled",
            start: () => Effect.sync(() => seen.push(`start ${first.level}`)),
            run: () =>
              Stream.runForEach(live.changes, ({ level }) => Effect.sync(() => seen.push(`change ${level}`))),
            reload: () =>
              gate.error === undefined
                ? Effect.map(live.get, ({ level }) => seen.push(`reload ${level}`))
                : Effect.fail(gate.error)
          }),
          Service.make({ name: "last", reload: () => Effect.sync(() => seen.push("last")) })
        ]
      })
      const life = yield* ApplicationRun.make(app, {
        sources: { file: "app.toml" },
        reloadCertificates: Effect.suspend(() =>
          Effect.andThen(
            Effect.sync(() => seen.push("certificates")),
            gate.certificates
          )
        )
      }).pipe(Effect.provide(files(texts)))
      yield* Effect.provide(life.start, files(texts))
      yield* settle
      journal.take()
      const take = () => seen.splice(0)
      return {
        life: { ...life, reload: Effect.provide(life.reload, files(texts)) },
        texts,
        board,
        journal,
        take,
        gate
      }
    })

    it.effect("configuration, then services in order, then certificates", () =>
      Effect.gen(function* () {
        const { board, gate, journal, life, take, texts } = yield* setup
        yield* Effect.gen(function* () {
          assert.deepStrictEqual(take(), ["start 1", "change 1"])
          texts["app.toml"] = "level = 2\ntoken = 'andere'\nlevle = 3\n"
          const report = yield* life.reload
          yield* settle
          assert.deepStrictEqual(report, {
            changes: [
              "level: 1 -> 2 (app.toml:1 (level))",
              "token: <redacted> -> <redacted> (app.toml:2 (token))"
            ],
            warnings: ["levle: nothing of this name is asked for (app.toml:3 (levle)); did you mean level?"],
            errors: []
          })
          const [change, ...rest] = take().toSorted(
            (a, b) => Number(b.startsWith("change")) - Number(a.startsWith("change"))
          )
          assert.deepStrictEqual([change, ...rest], ["change 2", "reload 2", "last", "certificates"])
          assert.deepStrictEqual(journal.take(), [])
          assert.strictEqual(yield* stateOf(life), "Running")
          assert.isTrue(board.logged.some((line) => line.startsWith("Info reloaded: level: 1 -> 2")))
          assert.notMatch(board.logged.join(), /geheim|andere/)
          assert.isUndefined(gate.error)
        }).pipe(Effect.provide(board.layer))
      })
    )

    it.effect("a bad configuration: the old one holds, services are left alone, certificates are read", () =>
      Effect.gen(function* () {
        const { board, journal, life, take, texts } = yield* setup
        yield* Effect.gen(function* () {
          take()
          texts["app.toml"] = "level = 'x'\n"
          const { errors } = yield* life.reload
          assert.deepStrictEqual(
            errors.map(({ step }) => step),
            ["configuration"]
          )
          assert.match(errors[0]!.message, /level: must be an integer/)
          assert.match(errors[0]!.message, /token: missing/)
          assert.deepStrictEqual(take(), ["certificates"])
          assert.deepStrictEqual(journal.take(), [])
          assert.isTrue(
            board.logged.some((line) => /^Error reload of configuration: .*must be an integer/s.test(line))
          )
          texts["app.toml"] = "level = 1\ntoken = 'geheim'\n"
          assert.deepStrictEqual((yield* life.reload).changes, [])
        }).pipe(Effect.provide(board.layer))
      })
    )

    it.effect("what fails in one step does not keep the next from its turn", () =>
      Effect.gen(function* () {
        const { board, gate, journal, life, take } = yield* setup
        yield* Effect.gen(function* () {
          take()
          gate.error = "not now"
          gate.certificates = Effect.die(new Error("no such file"))
          const { errors } = yield* life.reload
          assert.deepStrictEqual(
            errors.map(({ step }) => step),
            ["services", "certificates"]
          )
          assert.match(errors[0]!.message, /levelled: cannot reload: .*not now/)
          assert.match(errors[1]!.message, /no such file/)
          assert.deepStrictEqual(
            take().filter((line) => !line.startsWith("change")),
            ["last", "certificates"]
          )
          assert.deepStrictEqual(journal.take(), [])
          assert.strictEqual(yield* stateOf(life), "Running")
        }).pipe(Effect.provide(board.layer))
      })
    )

    it.effect("one after the other; and not of what does not run", () =>
      Effect.gen(function* () {
        const turn = yield* Deferred.make<void>()
        let inside = 0
        let count = 0
        let most = 0
        const app = Application.make({
          name: "app",
          services: [
            Service.make({
              name: "slow",
              reload: () =>
                Effect.gen(function* () {
                  most = Math.max(most, ++inside)
                  count++
                  yield* Deferred.await(turn)
                  inside--
                })
            })
          ]
        })
        const life = yield* ApplicationRun.make(app)
        assert.deepStrictEqual(yield* life.reload, { changes: [], warnings: [], errors: [] })
        yield* life.start
        const both = yield* Effect.forkChild(Effect.all([life.reload, life.reload], { concurrency: 2 }), {
          startImmediately: true
        })
        yield* settle
        assert.strictEqual(yield* stateOf(life), "Reloading")
        yield* Deferred.succeed(turn, undefined)
        yield* Fiber.join(both)
        assert.deepStrictEqual([most, count], [1, 2])
        yield* life.stop
        assert.deepStrictEqual(yield* life.reload, { changes: [], warnings: [], errors: [] })
      })
    )
  })
})
