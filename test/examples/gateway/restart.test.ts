/** `spindle restart` while clients ask: none of them notices. */
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Child from "../../support/child.ts"
import { examples } from "../start.ts"
import * as HttpLoad from "./fixtures/httpLoad.ts"
import { temporaryDirectory } from "./fixtures/temporaryDirectory.ts"

const spindle = path.join(examples, "../src/bin.ts")
const restarts = 3

describe("gateway, restarted under load", () => {
  it.live(
    "answers each request, over connections that are kept and new ones",
    () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const env = {
          GATEWAY_TCP: "tcp:0:interface=127.0.0.1",
          GATEWAY_TLS: "tls:0:interface=127.0.0.1",
          GATEWAY_UDP: "udp:0:interface=127.0.0.1",
          GATEWAY_HTTP: "tcp:0:interface=127.0.0.1",
          DATA_DIR: directory,
          SPINDLE_PIDFILE: path.join(directory, "gateway.pid")
        }
        const command = (...args: ReadonlyArray<string>) => ["--conditions=source", spindle, ...args]
        const run = (...args: ReadonlyArray<string>) =>
          Child.run(process.execPath, command(...args), { env, cwd: directory, timeout: 60_000 })
        const main = path.join(examples, "gateway/main.ts")
        const child = yield* Child.spawn(
          process.execPath,
          command("run", "--logfile", "+", "--log-level", "warn", main),
          { env, cwd: directory, timeout: 110_000 }
        )
        // Whichever of its successors runs then: each holds what this one prints to.
        yield* Effect.addFinalizer(() => Effect.ignore(run("stop")))
        yield* child.says(/Ctrl-C stops/)
        const [, port = ""] = /HTTP .*127\.0\.0\.1:(\d+)\//.exec(child.stdout()) ?? []
        const load = yield* HttpLoad.start(`http://127.0.0.1:${port}/counters`, { kept: 4, fresh: 2 })
        /** Every client has asked often since. */
        const more = Effect.suspend(() => {
          const enough = load.answered() + 200
          return Effect.suspend(() => (load.answered() < enough ? Effect.fail("few") : Effect.void)).pipe(
            Effect.delay("20 millis"),
            Effect.retry({ times: 1_000 })
          )
        })
        yield* more
        for (let i = 0; i < restarts; i++) {
          const { code, stderr } = yield* run("restart")
          assert.deepStrictEqual([code, stderr], [0, ""])
          yield* more
        }
        yield* load.stop
        assert.deepStrictEqual(load.lost(), [])
        assert.isAbove(load.answered(), restarts * 200)
        assert.strictEqual((yield* run("stop")).code, 0)
        assert.strictEqual((yield* child.ended).stderr, "")
      }),
    120_000
  )
})
