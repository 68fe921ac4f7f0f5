/** Sockets that systemd passed: they go on to the next process, and to workers. */
import * as path from "node:path"
import type * as net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { socketPath } from "../support/endpoints.ts"
import * as Inheriting from "./inheriting.ts"
import * as Load from "./successionLoad.ts"
import { script, timeout, write } from "./successionProgram.ts"

const ended = (pid: number) =>
  Effect.addFinalizer(() =>
    Effect.sync(() => {
      try {
        process.kill(pid, "SIGKILL")
      } catch {
        // It has.
      }
    })
  )

describe("succession of sockets that systemd passed", () => {
  for (const workers of [undefined, 2]) {
    it.live(
      workers === undefined ? "by one process" : "by workers",
      () =>
        Effect.gen(function* () {
          const file = yield* socketPath
          const place = path.join(path.dirname(file), "theirs.sock")
          const [tcp, unix] = [
            yield* Inheriting.server({ port: 0, host: "127.0.0.1" }),
            yield* Inheriting.server({ path: place })
          ]
          const { port } = tcp.address() as net.AddressInfo
          const endpoints = [
            Endpoint.systemd({ descriptor: { name: "web" } }),
            Endpoint.systemd({ descriptor: { index: 1 }, domain: "UNIX" })
          ]
          write(file, { endpoints, ...(workers === undefined ? {} : { workers }) })
          const program = yield* Inheriting.start(
            ["-c", 'LISTEN_PID=$$ exec "$0" "$@"', process.execPath, script, file],
            ["ignore", "said", "said", tcp, unix],
            { command: "sh", env: { LISTEN_FDS: "2", LISTEN_FDNAMES: "web:local" } }
          )
          yield* program.says(new RegExp(`${program.pid} ready`))
          assert.match(program.said(), new RegExp(`listens 1 ${place}\n`))
          // From now on only the program accepts. The name of the other goes with whoever made it, as systemd's would not.
          tcp.close()
          const before = yield* Load.visit({ port })
          assert.isUndefined(before.failed)
          process.kill(program.pid, "SIGUSR2")
          const [, successor] = yield* program.says(/succeeded by (\d+)\n/)
          yield* ended(Number(successor))
          yield* program.says(new RegExp(`\n${program.pid} done`))
          const after = yield* Load.visit({ port })
          assert.isUndefined(after.failed)
          assert.notStrictEqual(after.pid, before.pid)
          assert.strictEqual(program.said().split(`listens 1 ${place}\n`).length - 1, 2 * (workers ?? 1))
          process.kill(Number(successor), "SIGTERM")
          yield* program.says(new RegExp(`\n${successor} done`))
        }).pipe(Effect.scoped),
      timeout
    )
  }
})
