/** Profiles that Chrome opens, and what a process tells about itself. */
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as Logger from "effect/Logger"
import * as NodeDump from "../../src/node/NodeDump.ts"
import * as NodeProfile from "../../src/node/NodeProfile.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "spindle-profile-"))),
  (made) => Effect.sync(() => fs.rmSync(made, { recursive: true }))
)

interface Profile {
  readonly nodes?: ReadonlyArray<{ readonly callFrame: { readonly functionName: string } }>
  readonly head?: object
  readonly samples: ReadonlyArray<unknown>
}
const profileIn = (file: string): Profile => JSON.parse(fs.readFileSync(file, "utf8"))

const work = (millis: number): number => {
  const end = process.threadCpuUsage().user + millis * 1_000
  let sum = 0
  while (process.threadCpuUsage().user < end) for (let i = 0; i < 10_000; i++) sum += i % 7
  return sum
}
const keeping: Array<unknown> = []
const keep = (count: number) => {
  for (let i = 0; i < count; i++) keeping.push({ text: `${i}`.repeat(10) })
}

describe("a profile", () => {
  it.live("of the time is written when it is stopped, once", () =>
    Effect.gen(function* () {
      const file = path.join(yield* folder, "a.cpuprofile")
      const profile = yield* NodeProfile.make({ kind: "cpu", file })
      assert.deepStrictEqual([profile.kind, profile.file], ["cpu", file])
      yield* Effect.sync(() => work(60))
      assert.isFalse(fs.existsSync(file))
      assert.strictEqual(yield* profile.stop, file)
      const { nodes, samples } = profileIn(file)
      assert.isAbove(samples.length, 10)
      assert.isTrue(nodes!.some(({ callFrame }) => callFrame.functionName === "work"))
      fs.unlinkSync(file)
      assert.strictEqual(yield* profile.stop, file)
      assert.isFalse(fs.existsSync(file))
    }).pipe(Effect.scoped)
  )

  it.live("of the memory is written at the end, though that be a failure", () =>
    Effect.gen(function* () {
      const file = path.join(yield* folder, "a.heapprofile")
      const exit = yield* Effect.gen(function* () {
        yield* NodeProfile.make({ kind: "heap", file })
        yield* Effect.sync(() => keep(50_000))
        return yield* Effect.die("a defect")
      }).pipe(Effect.scoped, Effect.exit)
      keeping.length = 0
      assert.isTrue(Exit.isFailure(exit))
      const { head } = profileIn(file)
      assert.include(JSON.stringify(head), '"functionName":"keep"')
    }).pipe(Effect.scoped)
  )

  it.live("has a name of its own", () =>
    Effect.gen(function* () {
      const { file } = yield* Effect.scoped(
        Effect.gen(function* () {
          const profile = yield* NodeProfile.make({ kind: "cpu" })
          assert.isFalse(fs.existsSync(profile.file))
          return profile
        })
      )
      yield* Effect.addFinalizer(() => Effect.sync(() => fs.unlinkSync(file)))
      assert.strictEqual(path.dirname(file), process.cwd())
      assert.match(path.basename(file), new RegExp(`^spindle-\\d{8}T\\d{6}Z-${process.pid}\\.cpuprofile$`))
      assert.isDefined(profileIn(file).nodes)
    }).pipe(Effect.scoped)
  )

  it.live("that cannot be written is told before the work, or in the log after it", () =>
    Effect.gen(function* () {
      const made = yield* folder
      const missing = path.join(made, "none", "a.cpuprofile")
      const error = yield* Effect.flip(NodeProfile.make({ kind: "cpu", file: missing }))
      assert.match(error.message, /^cpu profile .*none\/a\.cpuprofile: ENOENT/)

      const file = path.join(made, "later", "a.cpuprofile")
      fs.mkdirSync(path.dirname(file))
      const lines: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
      yield* Effect.gen(function* () {
        yield* NodeProfile.make({ kind: "cpu", file })
        fs.rmdirSync(path.dirname(file))
      }).pipe(Effect.scoped, Effect.provide(Logger.layer([logger])))
      assert.lengthOf(lines, 1)
      assert.match(lines[0]!, /^Error cpu profile .*later\/a\.cpuprofile: ENOENT/)
    }).pipe(Effect.scoped)
  )
})

describe("a dump", () => {
  it.live("is plain data about the process", () =>
    Effect.gen(function* () {
      const dump = yield* NodeDump.take
      const { fibers, ...plain } = dump
      assert.deepStrictEqual(JSON.parse(JSON.stringify(dump)), plain)
      assert.deepStrictEqual([dump.pid, dump.version], [process.pid, process.versions.node])
      assert.isAbove(dump.uptimeSeconds, 0)
      assert.isAbove(dump.memoryBytes.rss, dump.memoryBytes.heapUsed)
      assert.isAbove(dump.memoryBytes.heapLimit, dump.memoryBytes.heapUsed)
      assert.isAbove(dump.cpuSeconds.user, 0)
      assert.isAtLeast(dump.loop.delayMillis, 0)
      assert.isTrue(dump.loop.utilization >= 0 && dump.loop.utilization <= 1)
      assert.isUndefined(fibers)
    })
  )

  it.live("counts what holds the event loop, by kind", () =>
    Effect.gen(function* () {
      const before = (yield* NodeDump.take).resources["TCPServerWrap"] ?? 0
      yield* Effect.acquireRelease(
        Effect.callback<ReadonlyArray<net.Server>>((resume) => {
          const made = [net.createServer(), net.createServer()]
          let left = made.length
          for (const server of made) {
            server.listen(0, "127.0.0.1", () => --left === 0 && resume(Effect.succeed(made)))
          }
        }),
        (made) => Effect.sync(() => made.forEach((server) => server.close()))
      )
      const { resources } = yield* NodeDump.take
      assert.strictEqual(resources["TCPServerWrap"], before + 2)
      assert.deepStrictEqual(Object.keys(resources), Object.keys(resources).toSorted())
    }).pipe(Effect.scoped)
  )

  it.live("tells that the loop was blocked", () =>
    Effect.gen(function* () {
      const dumping = yield* Effect.forkChild(NodeDump.take, { startImmediately: true })
      yield* Effect.sync(() => work(50))
      assert.isAtLeast((yield* Fiber.join(dumping)).loop.delayMillis, 50)
    })
  )

  it.live("counts fibers where they are counted, for whoever counted before, too", () =>
    Effect.gen(function* () {
      const counts = { started: 0, ended: 0 }
      const before: Metric.FiberRuntimeMetricsService = {
        recordFiberStart: () => void counts.started++,
        recordFiberEnd: () => void counts.ended++
      }
      yield* Effect.gen(function* () {
        const base = (yield* NodeDump.take).fibers!
        const all = yield* Effect.forEach(Array.from({ length: 10 }), () =>
          Effect.forkChild(Effect.never, { startImmediately: true })
        )
        const during = (yield* NodeDump.take).fibers!
        assert.deepStrictEqual([during.active - base.active, during.started - base.started], [10, 10])
        yield* Fiber.interruptAll(all)
        assert.strictEqual((yield* NodeDump.take).fibers!.active, base.active)
      }).pipe(Effect.provide(NodeDump.countFibers), Effect.provideService(Metric.FiberRuntimeMetrics, before))
      assert.isAtLeast(counts.started, 10)
      assert.isAtLeast(counts.ended, 10)
    })
  )
})
