/** Locks between processes: the waiting, with a lock in memory; the lock, with real files and processes. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import * as NodeFilesystemLock from "../../src/node/NodeFilesystemLock.ts"
import * as DeferredFilesystemLock from "../../src/result/DeferredFilesystemLock.ts"
import * as Child from "../support/child.ts"
import { clean, is, wordOf } from "./deferreds.ts"

const { FilesystemLockError, FilesystemLocks, Unusable } = DeferredFilesystemLock

describe("waiting", () => {
  /** A lock that somebody else has until `free` is set, and how often it was tried and left. */
  const fake = () => {
    const state = {
      outcome: "Held" as "Held" | "Taken" | "Broken",
      tried: 0,
      left: 0,
      slow: Effect.void as Effect.Effect<void>,
      failure: undefined as InstanceType<typeof FilesystemLockError> | undefined
    }
    const file: DeferredFilesystemLock.FilesystemLockFile = {
      take: Effect.suspend(() => {
        state.tried++
        if (state.failure !== undefined) return Effect.fail(state.failure)
        return Effect.andThen(
          state.slow,
          Effect.sync(() => {
            const { outcome } = state
            state.outcome = "Held"
            return outcome
          })
        )
      }),
      leave: Effect.sync(() => {
        state.left++
        state.outcome = "Taken"
        return true
      })
    }
    return { state, locks: { at: () => file } }
  }

  const test = <E>(
    name: string,
    body: (
      lock: DeferredFilesystemLock.DeferredFilesystemLock,
      state: ReturnType<typeof fake>["state"]
    ) => Effect.Effect<void, E, Scope.Scope>
  ) =>
    it.effect(name, () => {
      const { locks, state } = fake()
      return clean(
        Effect.flatMap(DeferredFilesystemLock.make("the.lock"), (lock) => body(lock, state)).pipe(
          Effect.provideService(FilesystemLocks, locks)
        )
      )
    })

  test("is not needed where the lock is free", (lock, state) =>
    Effect.gen(function* () {
      state.outcome = "Taken"
      is(lock.deferUntilLocked(), "undefined")
      assert.deepStrictEqual([lock.locked, lock.clean, state.tried], [true, true, 1])
      is(lock.unlock(), "undefined")
      assert.deepStrictEqual([lock.locked, state.left], [false, 1])
      assert.match(wordOf(lock.unlock().poll()), /the\.lock: this lock is not ours/)
    }))

  test("tries once a second, and tells of a lock that was broken", (lock, state) =>
    Effect.gen(function* () {
      const locked = lock.deferUntilLocked()
      assert.strictEqual(state.tried, 1)
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(state.tried, 1)
      yield* TestClock.adjust("1 millis")
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(state.tried, 5)
      is(locked, "waiting")
      state.outcome = "Broken"
      yield* TestClock.adjust("1 second")
      is(locked, "undefined")
      assert.deepStrictEqual([lock.locked, lock.clean], [true, false])
    }))

  test("gives up after a timeout", (lock, state) =>
    Effect.gen(function* () {
      const locked = lock.deferUntilLocked({ timeout: "2500 millis" })
      yield* TestClock.adjust("2500 millis")
      assert.isTrue(Cause.isTimeoutError(yield* Effect.flip(locked.await)))
      assert.strictEqual(state.tried, 3)
      state.outcome = "Taken"
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual([state.tried, lock.locked], [3, false])
      is(lock.deferUntilLocked({ timeout: 0 }), "undefined")
    }))

  test("can be cancelled, and begun again", (lock, state) =>
    Effect.gen(function* () {
      const locked = lock.deferUntilLocked()
      locked.cancel()
      is(locked, "interrupt")
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(state.tried, 1)
      const again = lock.deferUntilLocked()
      state.outcome = "Taken"
      yield* TestClock.adjust("1 second")
      is(again, "undefined")
    }))

  test("is for one at a time", (lock, state) =>
    Effect.gen(function* () {
      const first = lock.deferUntilLocked()
      const second = yield* Effect.flip(lock.deferUntilLocked().await)
      assert.strictEqual(second._tag, "AlreadyTryingToLock")
      state.outcome = "Taken"
      yield* TestClock.adjust("1 second")
      is(first, "undefined")
      // By this very object, too, it can be waited for until it is left.
      const third = lock.deferUntilLocked()
      yield* TestClock.adjust("1 second")
      is(third, "waiting")
      is(lock.unlock(), "undefined")
      yield* TestClock.adjust("1 second")
      is(third, "undefined")
    }))

  test("ends where the file system says no", (lock, state) =>
    Effect.gen(function* () {
      state.failure = new FilesystemLockError({
        path: lock.path,
        reason: new Unusable({ detail: "no", errno: "EACCES", cause: undefined })
      })
      assert.match(wordOf(lock.deferUntilLocked().poll()), /the\.lock: no/)
      state.failure = undefined
      state.outcome = "Taken"
      is(lock.deferUntilLocked(), "undefined")
    }))

  test("that is interrupted in the moment of taking leaves nothing taken", (lock, state) =>
    Effect.gen(function* () {
      yield* TestClock.adjust("1 millis")
      state.outcome = "Taken"
      state.slow = Effect.sleep("1 second")
      const locked = lock.deferUntilLocked()
      locked.cancel()
      is(locked, "waiting")
      yield* TestClock.adjust("1 second")
      is(locked, "interrupt")
      assert.deepStrictEqual([lock.locked, state.left], [false, 1])
    }))

  test("with an effect: the lock is had as long as that runs", (lock, state) =>
    Effect.gen(function* () {
      state.outcome = "Taken"
      assert.isTrue(yield* lock.withLock(Effect.sync(() => lock.locked)))
      assert.deepStrictEqual([lock.locked, state.left], [false, 1])
      assert.strictEqual(yield* Effect.flip(lock.withLock(Effect.fail("no"))), "no")
      assert.strictEqual(state.left, 2)
      const fiber = yield* Effect.forkChild(lock.withLock(Effect.never), { startImmediately: true })
      const other = yield* Effect.forkChild(Effect.flip(lock.withLock(Effect.void)), {
        startImmediately: true
      })
      assert.isTrue(lock.locked)
      yield* Fiber.interrupt(other)
      assert.isTrue(lock.locked)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual([lock.locked, state.left], [false, 3])
    }))

  test("with an effect that leaves it before its end: whoever has it then keeps it", (lock, state) =>
    Effect.gen(function* () {
      state.outcome = "Taken"
      yield* lock.withLock(
        Effect.gen(function* () {
          is(lock.unlock(), "undefined")
          is(lock.deferUntilLocked(), "undefined")
        })
      )
      assert.deepStrictEqual([lock.locked, state.left], [true, 1])
    }))

  it.effect("and having end with the scope", () => {
    const { locks, state } = fake()
    return Effect.gen(function* () {
      const scope = yield* Scope.make()
      const lock = yield* Scope.provide(DeferredFilesystemLock.make("the.lock"), scope)
      state.outcome = "Taken"
      lock.deferUntilLocked()
      const waiting = lock.deferUntilLocked()
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual([lock.locked, state.left], [false, 1])
      is(waiting, "interrupt")
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual([lock.locked, state.tried], [false, 2])
    }).pipe(Effect.provideService(FilesystemLocks, locks))
  })
})

describe("the lock of a file", () => {
  const test = <E>(
    name: string,
    body: (file: string) => Effect.Effect<void, E, Scope.Scope>,
    timeout = 60_000
  ) =>
    it.live(
      name,
      () =>
        Effect.acquireUseRelease(
          Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "spindle-lock-"))),
          (folder) => Effect.scoped(body(path.join(folder, "the.lock"))),
          (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
        ),
      timeout
    )
  const make = (file: string) =>
    DeferredFilesystemLock.make(file, { interval: "5 millis" }).pipe(Effect.provide(NodeFilesystemLock.layer))
  const script = path.join(import.meta.dirname, "filesystemLockChild.ts")
  const child = (...args: ReadonlyArray<string>) =>
    Child.spawn(process.execPath, [script, ...args], { timeout: 55_000 })
  const deadPid = Effect.map(Child.run("sh", ["-c", "echo $$"]), ({ stdout }) => stdout.trim())
  const around = (file: string) => fs.readdirSync(path.dirname(file)).sort()

  test("is a link to the number of this process, and goes when it is left", (file) =>
    Effect.gen(function* () {
      const lock = yield* make(file)
      is(lock.deferUntilLocked(), "undefined")
      assert.strictEqual(fs.readlinkSync(file), String(process.pid))
      assert.isTrue(yield* NodeFilesystemLock.isLocked(file))
      const other = yield* make(file)
      assert.isTrue(
        Cause.isTimeoutError(yield* Effect.flip(other.deferUntilLocked({ timeout: "20 millis" }).await))
      )
      is(lock.unlock(), "undefined")
      assert.isFalse(yield* NodeFilesystemLock.isLocked(file))
      assert.deepStrictEqual(around(file), [])
      is(other.deferUntilLocked(), "undefined")
    }))

  test("of another process is waited for, until that leaves it", (file) =>
    Effect.gen(function* () {
      const holder = yield* child("hold", file)
      yield* holder.says(/locked, clean: true/)
      assert.strictEqual(fs.readlinkSync(file), String(holder.pid))
      const lock = yield* make(file)
      const locked = lock.deferUntilLocked()
      is(locked, "waiting")
      yield* holder.end
      yield* locked.await
      assert.deepStrictEqual([lock.locked, lock.clean], [true, true])
      assert.strictEqual((yield* holder.ended).code, 0)
    }))

  test("of a process that was killed is broken", (file) =>
    Effect.gen(function* () {
      const holder = yield* child("hold", file)
      yield* holder.says(/locked/)
      const lock = yield* make(file)
      const locked = lock.deferUntilLocked()
      is(locked, "waiting")
      yield* holder.signal("SIGKILL")
      yield* locked.await
      assert.deepStrictEqual([lock.locked, lock.clean], [true, false])
      assert.strictEqual(fs.readlinkSync(file), String(process.pid))
      assert.deepStrictEqual(around(file), ["the.lock"])
    }))

  test("is one process's at a time, however many want it, and though some are killed while they have it", (file) =>
    Effect.gen(function* () {
      const workers = yield* Effect.forEach([1, 2, 3], () => child("rounds", file, "60"))
      for (let i = 0; i < 4; i++) {
        const victim = yield* child("die", file)
        assert.strictEqual((yield* victim.ended).signal, "SIGKILL", victim.stderr())
      }
      for (const worker of workers) {
        const { code, stderr, stdout } = yield* worker.ended
        assert.deepStrictEqual([code, stdout, stderr], [0, "done\n", ""])
      }
      const last = yield* make(file)
      yield* last.deferUntilLocked().await
      assert.deepStrictEqual(
        around(file).filter((name) => name !== "the.lock-inside"),
        ["the.lock"]
      )
    }))

  test("of a dead process, wanted by several at once, goes to one after the other", (file) =>
    Effect.gen(function* () {
      const pid = yield* deadPid
      fs.symlinkSync(pid, file)
      const workers = yield* Effect.forEach([1, 2, 3, 4], () => child("rounds", file, "1"))
      for (const worker of workers) {
        const { code, stderr } = yield* worker.ended
        assert.deepStrictEqual([code, stderr], [0, ""])
      }
      assert.deepStrictEqual(around(file), [])
    }))

  /** The link by which a process that breaks the lock keeps others from doing so. */
  const right = (file: string, pid: string): string => {
    const { ctimeNs, ino } = fs.lstatSync(file, { bigint: true })
    return `${file}.${pid}-${ino}-${ctimeNs}`
  }

  test("is not broken while somebody else is about to", (file) =>
    Effect.gen(function* () {
      const pid = yield* deadPid
      fs.symlinkSync(pid, file)
      fs.symlinkSync(String(process.ppid), right(file, pid))
      const lock = yield* make(file)
      assert.isTrue(
        Cause.isTimeoutError(yield* Effect.flip(lock.deferUntilLocked({ timeout: "30 millis" }).await))
      )
      assert.strictEqual(fs.readlinkSync(file), pid)
      fs.unlinkSync(right(file, pid))
      yield* lock.deferUntilLocked().await
      assert.isFalse(lock.clean)
    }))

  test("is broken though somebody died while he was about to", (file) =>
    Effect.gen(function* () {
      const pid = yield* deadPid
      fs.symlinkSync(pid, file)
      fs.symlinkSync(pid, right(file, pid))
      const lock = yield* make(file)
      is(lock.deferUntilLocked(), "undefined")
      assert.deepStrictEqual(around(file), ["the.lock"])
    }))

  test("that is none is left alone", (file) =>
    Effect.gen(function* () {
      const lock = yield* make(file)
      fs.writeFileSync(file, "mine")
      const none = yield* Effect.flip(lock.deferUntilLocked().await)
      assert.deepStrictEqual(
        [none._tag, "reason" in none && none.reason._tag],
        ["FilesystemLockError", "NotALock"]
      )
      assert.strictEqual(fs.readFileSync(file, "utf8"), "mine")
      for (const target of ["elsewhere", "0", "-1", "12x"]) {
        fs.rmSync(file)
        fs.symlinkSync(target, file)
        assert.match(wordOf(lock.deferUntilLocked().poll()), /not a lock: it leads to/)
        assert.strictEqual(fs.readlinkSync(file), target)
      }
    }))

  test("that cannot be is an error", (file) =>
    Effect.gen(function* () {
      const lock = yield* make(path.join(file, "below", "x.lock"))
      const error = yield* Effect.flip(lock.deferUntilLocked().await)
      assert.strictEqual(
        error._tag === "FilesystemLockError" && error.reason._tag === "Unusable" && error.reason.errno,
        "ENOENT"
      )
    }))

  test("that somebody has removed is not ours to leave", (file) =>
    Effect.gen(function* () {
      const lock = yield* make(file)
      yield* lock.deferUntilLocked().await
      fs.rmSync(file)
      fs.symlinkSync(String(process.ppid), file)
      assert.strictEqual((yield* Effect.flip(lock.unlock().await))._tag, "NotLocked")
      assert.isFalse(lock.locked)
      assert.strictEqual(fs.readlinkSync(file), String(process.ppid))
    }))

  test("with our own number from before this process began is a crash's, as in a container", (file) =>
    Effect.gen(function* () {
      fs.symlinkSync(String(process.pid), file)
      const lock = yield* make(file)
      assert.isTrue(
        Cause.isTimeoutError(yield* Effect.flip(lock.deferUntilLocked({ timeout: "20 millis" }).await))
      )
      const before = Date.now() / 1_000 - process.uptime() - 60
      fs.lutimesSync(file, before, before)
      assert.isFalse(yield* NodeFilesystemLock.isLocked(file))
      yield* lock.deferUntilLocked().await
      assert.isFalse(lock.clean)
      yield* lock.unlock().await

      // The same of one that crashed while it was about to break the lock.
      const pid = yield* deadPid
      fs.symlinkSync(pid, file)
      const other = right(file, pid)
      fs.symlinkSync(String(process.pid), other)
      fs.lutimesSync(other, before, before)
      is(lock.deferUntilLocked(), "undefined")
      assert.deepStrictEqual(around(file), ["the.lock"])
    }))

  test("is Twisted's, too", (file) =>
    Effect.gen(function* () {
      // A link to a number is all that Twisted makes and looks at.
      fs.symlinkSync(String(process.ppid), file)
      assert.isTrue(yield* NodeFilesystemLock.isLocked(file))
      fs.unlinkSync(file)
      fs.symlinkSync(yield* deadPid, file)
      assert.isFalse(yield* NodeFilesystemLock.isLocked(file))
    }))
})
