/**
 * Another process that wants a lock. `hold PATH`: takes it, says so, and leaves it when its input ends. `die PATH`: takes
 * it, and is killed. `rounds PATH N`: takes and leaves it N times, and looks whether it is alone.
 */
import * as fs from "node:fs"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as NodeFilesystemLock from "../../src/node/NodeFilesystemLock.ts"
import * as DeferredFilesystemLock from "../../src/result/DeferredFilesystemLock.ts"

const [how, path = "", count] = process.argv.slice(2)
const inside = `${path}-inside`

/** Leaves a note of who is in, and looks whether somebody alive is. */
const alone = (clean: boolean) =>
  Effect.gen(function* () {
    if (!clean) fs.rmSync(inside, { force: true })
    try {
      fs.writeFileSync(inside, String(process.pid), { flag: "wx" })
    } catch {
      return yield* Effect.die(`${fs.readFileSync(inside, "utf8")} and ${process.pid} are both inside`)
    }
    yield* Effect.yieldNow
    if (how === "die") process.kill(process.pid, "SIGKILL")
    yield* Effect.sleep("1 millis")
    fs.unlinkSync(inside)
  })

const program = Effect.gen(function* () {
  const lock = yield* DeferredFilesystemLock.make(path, { interval: "2 millis" })
  if (how === "hold") {
    yield* lock.deferUntilLocked().await
    yield* Console.log(`locked, clean: ${lock.clean}`)
    yield* Effect.callback<void>((resume) => void process.stdin.resume().on("end", () => resume(Effect.void)))
    yield* lock.unlock().await
    return
  }
  for (let round = 0; round < Number(count ?? 1); round++) {
    yield* lock.withLock(Effect.suspend(() => alone(lock.clean)))
  }
  yield* Console.log("done")
})

process.exitCode = await Effect.runPromise(
  program.pipe(
    Effect.scoped,
    Effect.provide(NodeFilesystemLock.layer),
    Effect.as(0),
    Effect.catchCause((cause) => Effect.as(Console.error(String(cause)), 1))
  )
)
