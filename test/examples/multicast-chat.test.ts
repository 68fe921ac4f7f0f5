/** `multicast-chat.ts`, with three of them on one machine. */
import * as dgram from "node:dgram"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Child from "../support/child.ts"
import { multicastV4 } from "../support/multicast.ts"
import { argumentsOf, stops } from "./start.ts"

/** A number that was free a moment ago. */
const freePort = Effect.callback<number>((resume) => {
  const socket = dgram.createSocket("udp4").bind(0, () => {
    const { port } = socket.address()
    socket.close(() => resume(Effect.succeed(port)))
  })
})

const join = Effect.fnUntraced(function* (port: number, NAME: string) {
  const child = yield* Child.spawn(process.execPath, argumentsOf("multicast-chat.ts"), {
    env: { PORT: `${port}`, NAME }
  })
  yield* child.says(new RegExp(`^${NAME} is in 239\\.255\\.80\\.11:${port}$`, "m"))
  return child
})

const by = multicastV4.loopback?.interface

describe(`multicast-chat.ts${by === "127.0.0.1" ? "" : " [no multicast on 127.0.0.1]"}`, () => {
  it.live.skipIf(by !== "127.0.0.1")("all hear what one says, until they leave", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const [ann, bob, eve] = [yield* join(port, "ann"), yield* join(port, "bob"), yield* join(port, "eve")]
      yield* ann.write("hello\n\n")
      for (const each of [ann, bob, eve]) yield* each.says(/^ann: hello$/m)
      yield* bob.write("\x1b[31mhi ann\r\n")
      for (const each of [ann, bob, eve]) yield* each.says(/^bob: \[31mhi ann$/m)
      yield* eve.end
      for (const each of [ann, bob]) yield* each.says(/^eve: \(left\)$/m)
      assert.deepStrictEqual(yield* eve.ended, {
        code: 0,
        signal: undefined,
        stdout: `eve is in 239.255.80.11:${port}\nann: hello\nbob: [31mhi ann\n`,
        stderr: ""
      })
      yield* bob.write("bye\n")
      yield* ann.says(/^bob: bye$/m)
      yield* stops(ann, 2_000)
    })
  )

  it.live("says why it cannot run", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* Child.run(process.execPath, argumentsOf("multicast-chat.ts"), {
        env: { PORT: "8011", INTERFACE: "192.0.2.77" },
        input: ""
      })
      assert.strictEqual(code, 1)
      assert.match(stdout, /cannot listen on udp:8011.*: this machine has no interface on 192\.0\.2\.77/)
    })
  )
})
