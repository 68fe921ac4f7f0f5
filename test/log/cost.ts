/**
 * What a line of the log costs: `node test/log/cost.ts` prints microseconds of processor time for each line, the best of five.
 *
 * Lines have a namespace, two annotations and a message of 40 characters. Each batch of 64 is logged in one turn of the event
 * loop, as a busy server does.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as LogFilter from "../../src/log/LogFilter.ts"
import * as LogHistory from "../../src/log/LogHistory.ts"
import * as LogJson from "../../src/log/LogJson.ts"
import * as LogLevels from "../../src/log/LogLevels.ts"
import * as LogObserver from "../../src/log/LogObserver.ts"
import * as LogPublisher from "../../src/log/LogPublisher.ts"
import * as LogText from "../../src/log/LogText.ts"
import * as Namespace from "../../src/log/Namespace.ts"
import * as NodeLogFile from "../../src/node/NodeLogFile.ts"

const linesMax = 64 * 800
const message = "a line of the log, as servers write them"

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "spindle-cost-"))
let files = 0
const name = () => path.join(folder, String(files++))

const lines = (log: Effect.Effect<void>, perTurn = 64) =>
  Effect.gen(function* () {
    for (let batch = 0; batch < linesMax / perTurn; batch++) {
      for (let line = 0; line < perTurn; line++) yield* log
      yield* Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))
    }
  }).pipe(Namespace.in("web.http"), Effect.annotateLogs({ peer: "192.0.2.1:43210", connection: 17 }))

const micros = (work: Effect.Effect<void>) =>
  Effect.gen(function* () {
    const before = process.cpuUsage()
    yield* work
    const { system, user } = process.cpuUsage(before)
    return (system + user) / linesMax
  })

const best = Effect.fnUntraced(function* (what: string, work: Effect.Effect<void>) {
  const found: Array<number> = []
  for (let round = 0; round < 6; round++) found.push(yield* micros(work))
  const least = Math.min(...found.slice(1))
  // oxlint-disable-next-line no-console
  console.error(`${what.padEnd(46)} ${least.toFixed(2)}`)
})

const info = Effect.logInfo(message)
const withLogger = (logger: LogObserver.LogObserver, work: Effect.Effect<void>) =>
  work.pipe(
    Effect.provideService(Logger.CurrentLoggers, new Set([logger])),
    Effect.provideService(References.MinimumLogLevel, "Debug")
  )

const toFile = (format: Logger.Logger<unknown, string>, work = lines(info)) =>
  Effect.gen(function* () {
    const file = yield* NodeLogFile.make({ path: name(), rotate: "never" })
    yield* withLogger(LogObserver.write(format, file), work)
  }).pipe(Effect.scoped, Effect.orDie)

/** All of it: publisher, levels, a file and the history. */
const asDaemon = (format: Logger.Logger<unknown, string>) =>
  Effect.gen(function* () {
    const file = yield* NodeLogFile.make({ path: name(), rotate: "never" })
    const history = yield* LogHistory.make()
    const publisher = yield* LogPublisher.make()
    const filter = yield* LogFilter.make(LogLevels.make())
    yield* publisher.add(LogObserver.write(format, file))
    yield* publisher.add(history.logger)
    yield* publisher.begin
    yield* withLogger(filter.over(publisher.logger), lines(info))
  }).pipe(Effect.scoped, Effect.orDie)

/** Effect's own logger of JSON to a console over a file. */
const consoleJson = Effect.gen(function* () {
  const stream = fs.createWriteStream(name())
  const { Console } = yield* Effect.promise(() => import("node:console"))
  const effects = yield* Effect.promise(() => import("effect/Console"))
  const own = new Console(stream) as never
  yield* withLogger(Logger.withConsoleLog(Logger.formatJson), lines(info)).pipe(
    Effect.provideService(effects.Console, own)
  )
  yield* Effect.callback<void>((resume) => void stream.end(() => resume(Effect.void)))
})

const silent = new LogFilter.LogFilter(LogLevels.make("Warn"))
const nowhere = Logger.make<unknown, void>(() => {})

const all = Effect.gen(function* () {
  yield* best("nothing but the loop", withLogger(nowhere, lines(Effect.void)))
  yield* best("a logger that does nothing", withLogger(nowhere, lines(info)))
  yield* best("below Effect's own minimum level", withLogger(nowhere, lines(Effect.logTrace(message))))
  yield* best("below LogFilter's level", withLogger(silent.over(nowhere), lines(info)))
  yield* best("text to a file", toFile(LogText.make()))
  yield* best("json to a file", toFile(LogJson.make()))
  yield* best("a daemon: levels, text to a file, history", asDaemon(LogText.make()))
  yield* best("a daemon: levels, json to a file, history", asDaemon(LogJson.make()))
  yield* best("nothing but the loop, one line a turn", withLogger(nowhere, lines(Effect.void, 1)))
  yield* best("text to a file, one line a turn", toFile(LogText.make(), lines(info, 1)))
  yield* best("Effect's formatJson to our file", toFile(Logger.formatJson))
  yield* best("Effect's formatJson by console.log to a stream", consoleJson)
})

await Effect.runPromise(all)
fs.rmSync(folder, { recursive: true })
