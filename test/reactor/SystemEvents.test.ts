import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as SystemEvents from "../../src/reactor/SystemEvents.ts"
import { faultsOf, isDone, now, observed } from "../protocol/serving.ts"

const phases = ["before", "during", "after"] as const

/** System events, and a log that triggers write to. */
const make = Effect.gen(function* () {
  const events = yield* SystemEvents.make
  const log: Array<string> = []
  return { events, log, says: (line: string) => Effect.sync(() => void log.push(line)) }
})

describe("SystemEvents", () => {
  it.effect("fire before, during, after, each in the order it was filled, whatever the order of adding", () =>
    Effect.gen(function* () {
      const { events, log, says } = yield* make
      for (const event of ["shutdown", "startup"] as const) {
        for (const phase of ["after", "before", "during"] as const) {
          for (const n of [1, 2]) yield* events.add(phase, event, says(`${phase} ${event} ${n}`))
        }
      }
      const expected = (event: string) =>
        phases.flatMap((phase) => [1, 2].map((n) => `${phase} ${event} ${n}`))
      yield* events.start
      assert.deepStrictEqual(log, expected("startup"))
      log.length = 0
      yield* events.stop
      assert.deepStrictEqual(log, expected("shutdown"))
    })
  )

  it.effect("before: side by side, awaited together before during begins (A1-07)", () =>
    Effect.gen(function* () {
      const { events, log, says } = yield* make
      const [one, two] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      yield* events.add("before", "startup", Effect.andThen(says("one waits"), Deferred.await(one)))
      yield* events.add("before", "startup", Effect.andThen(says("two waits"), Deferred.await(two)))
      yield* events.add("during", "startup", says("during"))
      const start = yield* Effect.forkChild(events.start, now)
      yield* Effect.yieldNow
      assert.deepStrictEqual(log, ["one waits", "two waits"])
      yield* Deferred.succeed(two, undefined)
      yield* Effect.yieldNow
      assert.deepStrictEqual(log, ["one waits", "two waits"])
      yield* Deferred.succeed(one, undefined)
      yield* Fiber.join(start)
      assert.deepStrictEqual(log, ["one waits", "two waits", "during"])
    })
  )

  it.effect("during and after: one by one, each awaited", () =>
    Effect.gen(function* () {
      const { events, log, says } = yield* make
      for (const phase of ["during", "after"] as const) {
        for (const n of [1, 2]) {
          yield* events.add(
            phase,
            "startup",
            says(`${phase} ${n} begins`).pipe(
              Effect.andThen(Effect.yieldNow),
              Effect.andThen(says(`${phase} ${n} ends`))
            )
          )
        }
      }
      yield* events.start
      assert.deepStrictEqual(
        log,
        ["during", "after"].flatMap((phase) =>
          [1, 2].flatMap((n) => [`${phase} ${n} begins`, `${phase} ${n} ends`])
        )
      )
    })
  )

  it.effect("a trigger that fails is reported with its place, and the others run (A1-08)", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const { events, log, says } = yield* make
        for (const phase of phases) {
          yield* events.add(phase, "startup", Effect.fail(`${phase} fails`))
          yield* events.add(phase, "startup", Effect.die(`${phase} dies`))
          yield* events.add(phase, "startup", says(phase))
        }
        yield* events.start
        assert.deepStrictEqual(log, [...phases])
        assert.deepStrictEqual(
          reports.map(({ cause, place }) => [place, ...faultsOf(cause)]),
          phases.flatMap((phase) => [
            [`a trigger ${phase} startup`, `fail ${phase} fails`],
            [`a trigger ${phase} startup`, `die ${phase} dies`]
          ])
        )
        assert.isTrue(yield* events.running)
      })
    )
  )

  it.effect("a trigger lives as long as its scope (A1-09), also one taken away by another", () =>
    Effect.gen(function* () {
      const { events, log, says } = yield* make
      const scope = yield* Scope.make()
      yield* events.add("before", "startup", says("stays"))
      yield* events.add("during", "startup", Effect.andThen(says("closes"), Scope.close(scope, Exit.void)))
      yield* events.add("during", "startup", says("same phase")).pipe(Scope.provide(scope))
      yield* events.add("after", "startup", says("later phase")).pipe(Scope.provide(scope))
      yield* events.start
      assert.deepStrictEqual(log, ["stays", "closes"])
    })
  )

  it.effect("a trigger that one adds to the phase it is in still runs", () =>
    Effect.gen(function* () {
      const { events, log, says } = yield* make
      const scope = yield* Effect.scope
      const more = events.add("during", "startup", says("added")).pipe(Scope.provide(scope))
      yield* events.add("during", "startup", more)
      yield* events.start
      assert.deepStrictEqual(log, ["added"])
    })
  )

  it.effect("takes its services from where it was added", () =>
    Effect.gen(function* () {
      class Name extends Context.Service<Name, string>()("test/Name") {}
      const { events, log } = yield* make
      yield* events
        .add(
          "during",
          "startup",
          Effect.map(Name, (name) => log.push(name))
        )
        .pipe(Effect.provideService(Name, "given"))
      yield* events.start
      assert.deepStrictEqual(log, ["given"])
    })
  )

  it.effect("is running from during startup until during shutdown (A1-05)", () =>
    Effect.gen(function* () {
      const { events, log } = yield* make
      const look = (when: string) =>
        Effect.map(events.running, (running) => void log.push(`${when}: ${running}`))
      for (const event of ["startup", "shutdown"] as const) {
        for (const phase of phases) yield* events.add(phase, event, look(`${phase} ${event}`))
      }
      yield* look("at first")
      yield* events.start
      yield* look("between")
      yield* events.stop
      yield* look("at last")
      assert.deepStrictEqual(log, [
        "at first: false",
        "before startup: false",
        "during startup: true",
        "after startup: true",
        "between: true",
        "before shutdown: true",
        "during shutdown: false",
        "after shutdown: false",
        "at last: false"
      ])
    })
  )

  it.effect("start and stop are idempotent, wait for each other, and may follow each other again", () =>
    Effect.gen(function* () {
      const { events, log, says } = yield* make
      const gate = yield* Deferred.make<void>()
      yield* events.add("during", "startup", Effect.andThen(says("startup"), Deferred.await(gate)))
      yield* events.add("during", "shutdown", says("shutdown"))
      yield* events.stop
      const starts = yield* Effect.forkChild(
        Effect.all([events.start, events.start], { concurrency: 2 }),
        now
      )
      const stop = yield* Effect.forkChild(events.stop, now)
      yield* Effect.yieldNow
      assert.isFalse(isDone(stop))
      assert.deepStrictEqual(log, ["startup"])
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(starts)
      yield* Fiber.join(stop)
      yield* events.stop
      assert.deepStrictEqual(log, ["startup", "shutdown"])
      yield* events.start
      yield* events.stop
      assert.deepStrictEqual(log, ["startup", "shutdown", "startup", "shutdown"])
    })
  )

  it.effect("a trigger may stop what it is started by: that comes after the startup (A1-03)", () =>
    Effect.gen(function* () {
      const { events, log, says } = yield* make
      yield* events.whenRunning(Effect.andThen(events.stop, says("stop asked for")))
      yield* events.add("after", "startup", says("after startup"))
      yield* events.add("before", "shutdown", says("before shutdown"))
      yield* events.start
      assert.deepStrictEqual(log, ["stop asked for", "after startup", "before shutdown"])
      assert.isFalse(yield* events.running)
    })
  )

  it.effect("work that a trigger left behind stops it as anybody does", () =>
    Effect.gen(function* () {
      const { events, log, says } = yield* make
      const gate = yield* Deferred.make<void>()
      const scope = yield* Effect.scope
      yield* events.add(
        "during",
        "startup",
        Effect.forkIn(Effect.andThen(Deferred.await(gate), events.stop), scope, now)
      )
      yield* events.add("during", "shutdown", says("shutdown"))
      yield* events.start
      assert.deepStrictEqual(log, [])
      yield* Deferred.succeed(gate, undefined)
      yield* Effect.yieldNow
      assert.deepStrictEqual(log, ["shutdown"])
    })
  )
})

describe("whenRunning (A1-10)", () => {
  it.effect("runs at once when running, and is awaited", () =>
    Effect.gen(function* () {
      const { events, log, says } = yield* make
      yield* events.start
      yield* events.whenRunning(Effect.andThen(Effect.yieldNow, says("now")))
      assert.deepStrictEqual(log, ["now"])
    })
  )

  it.effect("else once, after the next startup", () =>
    Effect.gen(function* () {
      const { events, log, says } = yield* make
      yield* events.whenRunning(says("once"))
      yield* events.add("during", "startup", says("during"))
      yield* events.start
      yield* events.stop
      yield* events.start
      assert.deepStrictEqual(log, ["during", "once", "during"])
    })
  )

  it.effect("not at all when its scope ends before", () =>
    Effect.gen(function* () {
      const { events, log, says } = yield* make
      yield* Effect.scoped(events.whenRunning(says("never")))
      yield* events.start
      assert.deepStrictEqual(log, [])
    })
  )

  it.effect("reports a failure, now or later", () =>
    observed(({ reports }) =>
      Effect.gen(function* () {
        const { events } = yield* make
        yield* events.whenRunning(Effect.fail("later"))
        yield* events.start
        yield* events.whenRunning(Effect.fail("now"))
        assert.deepStrictEqual(
          reports.map(({ cause }) => faultsOf(cause)),
          [["fail later"], ["fail now"]]
        )
      })
    )
  )
})

describe("during", () => {
  it.effect("is startup, the effect, shutdown; the latter whatever happened", () =>
    Effect.gen(function* () {
      const events = yield* SystemEvents.SystemEvents
      const log: Array<string> = []
      const says = (line: string) => Effect.sync(() => void log.push(line))
      yield* events.add("during", "startup", says("startup"))
      yield* events.add("during", "shutdown", Effect.andThen(Effect.yieldNow, says("shutdown")))
      yield* SystemEvents.during(says("work"))
      yield* Effect.exit(SystemEvents.during(Effect.fail("no")))
      const forever = yield* Effect.forkChild(SystemEvents.during(Effect.never), now)
      yield* Effect.yieldNow
      yield* Fiber.interrupt(forever)
      assert.deepStrictEqual(log, [
        "startup",
        "work",
        "shutdown",
        "startup",
        "shutdown",
        "startup",
        "shutdown"
      ])
    }).pipe(Effect.provide(SystemEvents.layer))
  )
})
