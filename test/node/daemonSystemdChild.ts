/** A daemon under a service manager: ready, alive twice, and gone. It tells what of the environment its children would get. */
import * as Effect from "effect/Effect"
import * as NodeSystemd from "../../src/node/NodeSystemd.ts"

const systemd = NodeSystemd.make({ way: process.env["NOTIFY_WAY"] as "ffi" | "program" })

const program = Effect.gen(function* () {
  yield* NodeSystemd.unsetEnvironment
  process.stdout.write(`${process.env["NOTIFY_SOCKET"]}\n`)
  yield* systemd.ready()
  let asked = 0
  const twice = Effect.suspend(() => (++asked > 2 ? Effect.fail("enough") : Effect.succeed(true)))
  yield* Effect.ignore(systemd.keepAlive(twice))
  yield* systemd.stopping
})

await Effect.runPromise(program)
