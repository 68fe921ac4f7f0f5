import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import type { Transport } from "../../src/reactor/Transport.ts"
import { portOf } from "../memory/pair.ts"
import { observed, serve, sink } from "./serving.ts"

const echo = (transport: Transport) => transport.receiveEach(transport.send)

/** Every span that is begun by `self`. */
const traced = <A, E, R>(
  body: (spans: ReadonlyArray<Tracer.NativeSpan>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const spans: Array<Tracer.NativeSpan> = []
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        spans.push(span)
        return span
      }
    })
    return Effect.provideService(body(spans), Tracer.Tracer, tracer)
  })

describe("log annotations", () => {
  it.effect("say connection and peer, beside those that the server was started with", () =>
    observed(({ logs }) =>
      Effect.gen(function* () {
        const { dial } = yield* serve(() => Effect.logInfo("hello")).pipe(Effect.annotateLogs("app", "test"))
        const clients = [yield* dial, yield* dial]
        const hellos = logs.filter(({ text }) => text === "hello")
        assert.deepStrictEqual(
          hellos.map(({ annotations }) => ({ ...annotations, peer: String(annotations["peer"]) })),
          clients.map((client, index) => ({
            app: "test",
            connection: index + 1,
            peer: `127.0.0.1:${portOf(client.local)}`
          }))
        )
      })
    )
  )

  it.effect("are text in every format", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const formats = [Logger.formatJson, Logger.formatLogFmt, Logger.formatSimple]
      const loggers = new Set(formats.map((format) => Logger.map(format, (line) => void lines.push(line))))
      const { dial } = yield* Effect.provideService(
        serve(() => Effect.logInfo("hello")),
        Logger.CurrentLoggers,
        loggers
      )
      const client = yield* dial
      const hellos = lines.filter((line) => line.includes("hello"))
      assert.strictEqual(hellos.length, formats.length)
      for (const line of hellos) assert.include(line, `127.0.0.1:${portOf(client.local)}`)
    })
  )

  it.effect("are those of the connection in its finalizers, and in what is told of its end", () =>
    observed(({ logs }) =>
      Effect.gen(function* () {
        const { dial, settled } = yield* serve((transport) =>
          Effect.andThen(
            Effect.addFinalizer(() => Effect.logInfo("finalizer")),
            sink(transport)
          )
        )
        yield* (yield* dial).abort
        yield* settled
        assert.deepStrictEqual(
          logs.slice(1).map(({ annotations, text }) => [text, annotations["connection"]]),
          [
            ["connection lost", 1],
            ["finalizer", 1]
          ]
        )
      })
    )
  )
})

describe("spans", () => {
  it.effect("one for each connection while a tracer listens, ended with it", () =>
    traced((spans) =>
      Effect.gen(function* () {
        const { dial, settled } = yield* serve(
          (transport) => Effect.andThen(sink(transport), Effect.withSpan(Effect.void, "inner")),
          { name: "traced" }
        )
        const client = yield* dial
        const [span] = spans.filter(({ name }) => name === "Server.connection")
        assert.isDefined(span)
        assert.strictEqual(span?.kind, "server")
        assert.deepStrictEqual(Object.fromEntries(span?.attributes ?? []), {
          server: "traced",
          connection: 1,
          peer: `127.0.0.1:${portOf(client.local)}`
        })
        assert.strictEqual(span?.status._tag, "Started")
        yield* client.end
        yield* settled
        assert.strictEqual(span?.status._tag, "Ended")
        const inner = spans.find(({ name }) => name === "inner")
        assert.deepStrictEqual(
          Option.map(inner?.parent ?? Option.none(), ({ spanId }) => spanId),
          Option.some(span?.spanId ?? "")
        )
      })
    )
  )

  it.effect("none without a tracer", () =>
    Effect.gen(function* () {
      let span: Option.Option<Tracer.AnySpan> | undefined
      const { dial } = yield* serve(() =>
        Effect.map(Effect.option(Effect.currentParentSpan), (current) => void (span = current))
      )
      yield* dial
      assert.deepStrictEqual(span, Option.none())
    })
  )

  it.effect("a failure is reported with the span of its connection", () =>
    traced((spans) =>
      observed(({ reports }) =>
        Effect.gen(function* () {
          const { dial, settled } = yield* serve(() => Effect.die("a defect"))
          yield* dial
          yield* settled
          const span = spans.find(({ name }) => name === "Server.connection")
          assert.isDefined(span)
          assert.deepStrictEqual(
            reports.map((report) => report.span?.spanId),
            [span?.spanId]
          )
        })
      )
    )
  )
})

describe("metrics", () => {
  it.effect("say what the counts say, by server", () =>
    Effect.gen(function* () {
      const values = Effect.map(Metric.snapshot, (all) =>
        Object.fromEntries(
          all
            .filter(({ id }) => id.startsWith("spindle_server_connections_"))
            .map(({ attributes, id, state }) => [
              `${attributes?.["server"]} ${id.replace("spindle_server_connections_", "")}`,
              "count" in state ? state.count : "value" in state ? state.value : state
            ])
        )
      )
      const one = yield* serve(echo, { name: "one", connectionsMax: 2 })
      const two = yield* serve(() => Effect.die("always"), { name: "two" })
      const first = yield* one.dial
      yield* one.dial
      yield* one.dial
      yield* two.dial
      yield* one.settled
      yield* two.settled
      assert.deepStrictEqual(yield* values, {
        "one open": 2,
        "one accepted": 2,
        "one refused": 1,
        "one failed": 0,
        "two accepted": 1,
        "two failed": 1,
        "two refused": 0,
        "two open": 0
      })
      yield* first.end
      yield* one.settled
      assert.strictEqual((yield* values)["one open"], 1)
    }).pipe((test) => observed(() => test), Effect.provideService(Metric.MetricRegistry, new Map()))
  )
})
