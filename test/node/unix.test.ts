/** UNIX socket files: what is there before, who owns them, and what is left. */
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import { Worker } from "node:worker_threads"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import { unixError } from "../../src/node/unixError.ts"
import * as UnixLock from "../../src/node/UnixLock.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as Errno from "../../src/reactor/Errno.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { ListenError } from "../../src/reactor/ReactorError.ts"
import * as Child from "../support/child.ts"
import { socketPath } from "../support/endpoints.ts"
import * as Inheriting from "./inheriting.ts"

const live = (name: string, test: Effect.Effect<void, unknown, Reactor | Scope.Scope>) =>
  it.live(name, () => test.pipe(Effect.scoped, Effect.provide(NodeReactor.layer)))

const listen = (endpoint: Partial<Endpoint.UnixServer> & { readonly path: string }) =>
  Effect.flatMap(Reactor, (reactor) => reactor.listen(Endpoint.unix(endpoint)))

/** It cannot listen; why. */
const refused = (endpoint: Partial<Endpoint.UnixServer> & { readonly path: string }) =>
  Effect.map(Effect.flip(Effect.scoped(listen(endpoint))), ({ reason }: ListenError) => reason)

const answers = (file: string) =>
  Effect.callback<boolean>((resume) => {
    const socket = net.connect({ path: file }, () => {
      socket.destroy()
      resume(Effect.succeed(true))
    })
    socket.on("error", () => resume(Effect.succeed(false)))
  })

const lock = (file: string): string => `${file}.lock`

/** All that is in the directory of the file. */
const around = (file: string): ReadonlyArray<string> => fs.readdirSync(path.dirname(file)).sort()

const nothing: ReadonlyArray<string> = []

/** A socket file that a crash left, without a lock. */
const stale = Effect.gen(function* () {
  const file = yield* socketPath
  const server = yield* Inheriting.server({ path: `${file}.live` })
  fs.renameSync(`${file}.live`, file)
  server.close()
  return file
})

/** The number of a process that is gone. */
const deadPid = Effect.map(Child.run("sh", ["-c", "echo $$"]), ({ stdout }) => stdout.trim())

/** A time before this process began, in seconds. */
const beforeUs = Date.now() / 1_000 - process.uptime() - 60

const script = path.join(import.meta.dirname, "descriptorChild.ts")

/** Another process that listens there. */
const elsewhere = (endpoint: Endpoint.UnixServer) =>
  Child.spawn(process.execPath, [script, JSON.stringify([{ serve: endpoint }])])

describe("what is there already", () => {
  live(
    "a regular file, a directory, a symbolic link are refused, and left as they are",
    Effect.gen(function* () {
      const file = yield* socketPath
      const directory = yield* socketPath
      const link = yield* socketPath
      const dangling = yield* socketPath
      const target = yield* socketPath
      yield* Inheriting.server({ path: target })
      fs.writeFileSync(file, "precious")
      fs.mkdirSync(directory)
      fs.symlinkSync(target, link)
      fs.symlinkSync("/nowhere", dangling)
      for (const lock of [true, false]) {
        const why = yield* Effect.forEach([file, directory, link, dangling], (path) =>
          refused({ path, lock })
        )
        assert.deepStrictEqual(
          why.map(({ _tag }) => _tag),
          ["BadFile", "BadFile", "BadFile", "BadFile"]
        )
        assert.match(why[0]!.detail, /is a regular file, and is left alone/)
        assert.match(why[2]!.detail, /is a symbolic link/)
      }
      assert.strictEqual(fs.readFileSync(file, "utf8"), "precious")
      assert.isTrue(fs.lstatSync(directory).isDirectory())
      assert.deepStrictEqual([fs.readlinkSync(link), fs.readlinkSync(dangling)], [target, "/nowhere"])
      assert.isTrue(yield* answers(target))
      for (const left of [file, directory, link, dangling]) {
        assert.deepStrictEqual(around(left), [path.basename(left)])
      }
    })
  )

  live(
    "a live server is left alone",
    Effect.gen(function* () {
      const file = yield* socketPath
      yield* Inheriting.server({ path: file })
      const why = yield* refused({ path: file })
      assert.deepStrictEqual([why._tag, why.errno], ["AddressInUse", "EADDRINUSE"])
      assert.isTrue(yield* answers(file))
      assert.deepStrictEqual(around(file), [path.basename(file)])
    })
  )

  live(
    "a file left behind is replaced under a lock, and not without",
    Effect.gen(function* () {
      const file = yield* stale
      assert.strictEqual((yield* refused({ path: file, lock: false }))._tag, "AddressInUse")
      assert.isFalse(yield* answers(file))
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* listen({ path: file })
          assert.isTrue(yield* answers(file))
          assert.deepStrictEqual(around(file), [path.basename(file), path.basename(lock(file))])
        })
      )
      assert.deepStrictEqual(around(file), nothing)
    })
  )

  it.live.skipIf(process.geteuid?.() !== 0)("another user's file is not replaced", () =>
    Effect.gen(function* () {
      const file = yield* stale
      fs.chownSync(file, 65_534, 65_534)
      const why = yield* refused({ path: file })
      assert.deepStrictEqual([why._tag, /another user/.test(why.detail)], ["AddressInUse", true])
      assert.deepStrictEqual(around(file), [path.basename(file)])
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )
})

describe("permissions", () => {
  live(
    "are those asked for, whatever the umask, and 666 by default",
    Effect.gen(function* () {
      const mask = process.umask(0o077)
      yield* Effect.addFinalizer(() => Effect.sync(() => process.umask(mask)))
      const file = yield* socketPath
      for (const [mode, expected] of [
        [undefined, 0o666],
        [0o600, 0o600],
        [0o660, 0o660],
        [0o777, 0o777]
      ]) {
        yield* Effect.scoped(
          Effect.map(listen({ path: file, mode }), () =>
            assert.strictEqual(fs.lstatSync(file).mode & 0o777, expected)
          )
        )
      }
      assert.strictEqual(process.umask(), 0o077)
    })
  )

  live(
    "are there from the first moment: nobody ever sees the file without them",
    Effect.gen(function* () {
      const mask = process.umask(0)
      yield* Effect.addFinalizer(() => Effect.sync(() => process.umask(mask)))
      const file = yield* socketPath
      // Looks without a pause; 0 stops it.
      const running = new Int32Array(new SharedArrayBuffer(4)).fill(1)
      const worker = yield* Effect.acquireRelease(
        Effect.sync(
          () =>
            new Worker(
              `
              const fs = require("node:fs"), path = require("node:path")
              const { parentPort, workerData: { file, running } } = require("node:worker_threads")
              const modes = new Set(), directory = path.dirname(file)
              const see = (name) => {
                try { modes.add((fs.statSync(name).mode & 0o777).toString(8)) } catch {}
              }
              parentPort.postMessage("looking")
              for (let i = 0; Atomics.load(running, 0) === 1; i++) {
                see(file)
                if (i % 8 === 0) for (const name of fs.readdirSync(directory)) {
                  if (!name.endsWith(".lock")) see(path.join(directory, name))
                }
              }
              parentPort.postMessage([...modes].sort())
              `,
              { eval: true, workerData: { file, running } }
            )
        ),
        (worker) => Effect.promise(() => worker.terminate())
      )
      const message = () =>
        Effect.callback<unknown>((resume) => {
          worker.once("message", (value) => resume(Effect.succeed(value)))
          worker.once("error", (error) => resume(Effect.die(error)))
        })
      yield* message()
      for (let i = 0; i < 200; i++) yield* Effect.scoped(listen({ path: file, mode: 0o600 }))
      Atomics.store(running, 0, 0)
      // The socket, and the directory in which it is made.
      assert.deepStrictEqual(yield* message(), ["600", "700"])
    })
  )
})

describe("the lock", () => {
  live(
    "names this process, goes with the listener, and is not there without",
    Effect.gen(function* () {
      const file = yield* socketPath
      yield* Effect.scoped(
        Effect.gen(function* () {
          const listener = yield* listen({ path: file })
          assert.strictEqual(fs.readlinkSync(lock(file)), String(process.pid))
          assert.isTrue(UnixLock.isHeld(file))
          assert.isUndefined(UnixLock.notHeld(file))
          assert.strictEqual((yield* refused({ path: file }))._tag, "AddressInUse")
          assert.isTrue(yield* answers(file))
          yield* listener.stop
          assert.deepStrictEqual(around(file), nothing)
          assert.strictEqual(UnixLock.notHeld(file)?._tag, "BadFile")
        })
      )
      yield* Effect.scoped(
        Effect.map(listen({ path: file, lock: false }), () =>
          assert.deepStrictEqual(around(file), [path.basename(file)])
        )
      )
      assert.deepStrictEqual(around(file), nothing)
    })
  )

  live(
    "of a live process is respected, even where nobody listens",
    Effect.gen(function* () {
      const file = yield* stale
      fs.symlinkSync(String(process.ppid), lock(file))
      const why = yield* refused({ path: file })
      assert.deepStrictEqual(
        [why._tag, why.detail],
        ["AddressInUse", `process ${process.ppid} holds ${lock(file)}`]
      )
      assert.deepStrictEqual(around(file), [path.basename(file), path.basename(lock(file))])
      assert.isTrue(UnixLock.isHeld(file))
    })
  )

  live(
    "of a dead process is broken",
    Effect.gen(function* () {
      const file = yield* stale
      fs.symlinkSync(yield* deadPid, lock(file))
      assert.isFalse(UnixLock.isHeld(file))
      yield* listen({ path: file })
      assert.strictEqual(fs.readlinkSync(lock(file)), String(process.pid))
      assert.isTrue(yield* answers(file))
    })
  )

  live(
    "that is none is left alone",
    Effect.gen(function* () {
      const file = yield* socketPath
      fs.writeFileSync(lock(file), "mine")
      assert.strictEqual((yield* refused({ path: file }))._tag, "BadFile")
      assert.strictEqual(fs.readFileSync(lock(file), "utf8"), "mine")
      for (const target of ["elsewhere", "0", "-1", "12x", "99999999999999"]) {
        fs.rmSync(lock(file))
        fs.symlinkSync(target, lock(file))
        assert.strictEqual((yield* refused({ path: file }))._tag, "BadFile")
        assert.strictEqual(fs.readlinkSync(lock(file)), target)
        assert.isFalse(UnixLock.isHeld(file))
      }
    })
  )

  live(
    "with our own number is held by us, and by nobody if it is from before this process began",
    Effect.gen(function* () {
      const file = yield* stale
      fs.symlinkSync(String(process.pid), lock(file))
      assert.isTrue(UnixLock.isHeld(file))
      fs.lutimesSync(lock(file), beforeUs, beforeUs)
      assert.isFalse(UnixLock.isHeld(file))
      assert.strictEqual(UnixLock.notHeld(file)?._tag, "BadFile")
      assert.strictEqual(fs.readlinkSync(lock(file)), String(process.pid))
    })
  )

  live(
    "with our own number from before this process began is a crash's, as in a container",
    Effect.gen(function* () {
      const file = yield* stale
      fs.symlinkSync(String(process.pid), lock(file))
      fs.lutimesSync(lock(file), beforeUs, beforeUs)
      yield* Effect.scoped(Effect.flatMap(listen({ path: file }), () => answers(file)))
      assert.deepStrictEqual(around(file), nothing)

      const used = yield* socketPath
      yield* Inheriting.server({ path: used })
      fs.symlinkSync(String(process.pid), lock(used))
      fs.lutimesSync(lock(used), beforeUs, beforeUs)
      assert.strictEqual((yield* refused({ path: used }))._tag, "AddressInUse")
      assert.isTrue(yield* answers(used))
      assert.strictEqual(fs.readlinkSync(lock(used)), String(process.pid))
    })
  )

  live(
    "and the file of a process that was killed are recovered",
    Effect.gen(function* () {
      const file = yield* socketPath
      yield* Effect.scoped(
        Effect.gen(function* () {
          const child = yield* elsewhere(Endpoint.unix({ path: file }))
          yield* child.says(/ready/)
          const why = yield* refused({ path: file })
          assert.deepStrictEqual([why._tag, why.detail.includes(String(child.pid))], ["AddressInUse", true])
          yield* child.signal("SIGKILL")
          assert.strictEqual((yield* child.ended).signal, "SIGKILL")
          assert.deepStrictEqual(around(file), [path.basename(file), path.basename(lock(file))])
          assert.strictEqual(fs.readlinkSync(lock(file)), String(child.pid))
        })
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* listen({ path: file })
          assert.isTrue(yield* answers(file))
        })
      )
      assert.deepStrictEqual(around(file), nothing)
    })
  )

  live(
    "of a dead process, wanted by several at once, goes to one of them",
    Effect.gen(function* () {
      const file = yield* stale
      fs.symlinkSync(yield* deadPid, lock(file))
      const children = yield* Effect.forEach([1, 2, 3, 4], () => elsewhere(Endpoint.unix({ path: file })))
      const outcomes = yield* Effect.forEach(children, (child) => child.says(/serving|cannot listen/))
      assert.deepStrictEqual(outcomes.map(([how]) => how).sort(), [
        "cannot listen",
        "cannot listen",
        "cannot listen",
        "serving"
      ])
      const winner = children[outcomes.findIndex(([how]) => how === "serving")]!
      assert.strictEqual(fs.readlinkSync(lock(file)), String(winner.pid))
      assert.isTrue(yield* answers(file))
    })
  )
})

describe("stopping", () => {
  live(
    "leaves what somebody else has put there meanwhile",
    Effect.gen(function* () {
      const file = yield* socketPath
      const listener = yield* listen({ path: file })
      fs.rmSync(file)
      fs.writeFileSync(file, "somebody else's")
      yield* listener.stop
      assert.strictEqual(fs.readFileSync(file, "utf8"), "somebody else's")

      const other = yield* socketPath
      const second = yield* listen({ path: other })
      fs.rmSync(other)
      yield* Inheriting.server({ path: other })
      fs.rmSync(lock(other))
      fs.symlinkSync(String(process.ppid), lock(other))
      yield* second.stop
      assert.isTrue(yield* answers(other))
      assert.strictEqual(fs.readlinkSync(lock(other)), String(process.ppid))
    })
  )

  live(
    "has nothing to say when its directory went before",
    Effect.gen(function* () {
      const file = yield* socketPath
      const scope = yield* Scope.make()
      yield* Scope.provide(listen({ path: file }), scope)
      fs.rmSync(path.dirname(file), { recursive: true })
      yield* Scope.close(scope, Exit.void)
      assert.isFalse(fs.existsSync(path.dirname(file)))
    })
  )
})

describe("names", () => {
  live(
    "of 107 bytes work, of 108 are too long, and leave nothing",
    Effect.gen(function* () {
      const short = yield* socketPath
      const directory = path.dirname(short)
      const file = path.join(directory, "n".repeat(107 - directory.length - 1))
      const listener = yield* listen({ path: file, mode: 0o600 })
      assert.strictEqual(NetAddress.formatSocketAddress(listener.address), file)
      assert.isTrue(yield* answers(file))
      assert.strictEqual(fs.lstatSync(file).mode & 0o777, 0o600)
      yield* listener.stop
      const why = yield* refused({ path: `${file}n` })
      assert.deepStrictEqual([why._tag, why.errno], ["BadFile", "ENAMETOOLONG"])
      assert.deepStrictEqual(around(file), nothing)
    })
  )

  live(
    "that cannot be are refused",
    Effect.gen(function* () {
      const file = yield* socketPath
      assert.strictEqual((yield* refused({ path: "" }))._tag, "InvalidAddress")
      assert.strictEqual((yield* refused({ path: `${file}\0more` }))._tag, "InvalidAddress")
      assert.strictEqual((yield* refused({ path: path.join(file, "below") }))._tag, "BadFile")
      fs.writeFileSync(file, "")
      assert.strictEqual((yield* refused({ path: path.join(file, "below") }))._tag, "BadFile")
      assert.deepStrictEqual(around(file), [path.basename(file)])
    })
  )

  it("that are abstract are unsupported where there is no such thing", () => {
    const invalid = Object.assign(new Error("listen EINVAL"), { code: "EINVAL" })
    assert.strictEqual(Errno.listenReason(unixError("\0name", invalid, "darwin"))._tag, "Unsupported")
    assert.strictEqual(Errno.connectReason(unixError("\0name", invalid, "darwin"))._tag, "Unsupported")
    assert.strictEqual(Errno.listenReason(unixError("name", invalid, "darwin"))._tag, "InvalidAddress")
    assert.strictEqual(
      Errno.listenReason(unixError(`\0${"n".repeat(108)}`, invalid, "linux"))._tag,
      "BadFile"
    )
  })

  it.live.skipIf(process.platform !== "linux")("that are abstract make no file and no lock", () =>
    Effect.gen(function* () {
      const file = `\0${yield* socketPath}`
      const listener = yield* listen({ path: file, mode: 0o600 })
      assert.strictEqual(NetAddress.formatSocketAddress(listener.address), file)
      assert.isTrue(yield* answers(file))
      assert.deepStrictEqual(around(file.slice(1)), nothing)
      assert.strictEqual((yield* refused({ path: file }))._tag, "AddressInUse")
      yield* listener.stop
      assert.isFalse(yield* answers(file))
      assert.strictEqual((yield* refused({ path: `\0${"n".repeat(108)}` }))._tag, "BadFile")
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )
})
