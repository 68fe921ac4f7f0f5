/** `chat.ts`, with `nc` and `socat`. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Child from "../support/child.ts"
import { describePeer, netcat, socat } from "../support/peers.ts"
import { connect, reads, start, stops } from "./start.ts"

const host = "127.0.0.1"

/** Somebody at a terminal, with a name. */
const enter = Effect.fnUntraced(function* (nc: string, port: string, nick: string) {
  const person = yield* Child.spawn(nc, [host, port])
  yield* person.says(/\* your name\?/)
  yield* person.write(`${nick}\n`)
  yield* person.says(new RegExp(`^\\* ${nick} comes to lobby$`, "m"))
  return person
})

describe("chat.ts", () => {
  describePeer(netcat, (nc) => {
    it.live("talks in rooms", () =>
      Effect.gen(function* () {
        const { child, port } = yield* start("chat.ts")
        const [ann, bob] = [yield* enter(nc, port, "ann"), yield* enter(nc, port, "bob")]
        yield* ann.says(/^\* bob comes to lobby$/m)
        yield* ann.write("hello\n")
        yield* bob.says(/^<ann> hello$/m)
        yield* bob.write("/who\n")
        yield* bob.says(/^\* ann, bob$/m)

        yield* bob.write("/join attic\n")
        yield* ann.says(/^\* bob goes to attic$/m)
        yield* bob.says(/^\* bob comes to attic$/m)
        yield* bob.write("alone\n/who\n")
        yield* bob.says(/^<bob> alone$/m)
        yield* bob.says(/^\* bob$/m)
        yield* ann.write("back?\n/join attic\n")
        yield* bob.says(/^\* ann comes to attic$/m)
        assert.notInclude(ann.stdout(), "alone")
        assert.notInclude(bob.stdout(), "back?")

        yield* ann.write("/quit\n")
        // `nc` goes on until both sides have ended.
        yield* ann.end
        assert.strictEqual((yield* ann.ended).code, 0)
        yield* bob.says(/^\* ann left$/m)
        yield* stops(child, 2_000)
      })
    )

    it.live("has each name once, gives it free again, and passes no control characters on", () =>
      Effect.gen(function* () {
        const { port } = yield* start("chat.ts")
        const ann = yield* enter(nc, port, "ann")
        const other = yield* Child.spawn(nc, [host, port])
        yield* other.write("ann\n\n../x\nbob\n")
        yield* other.says(/(\* not that one, please\n){3}\* bob comes to lobby/)
        yield* other.write("/nick ann\n")
        yield* other.says(/^\* no: \/nick NAME/m)
        yield* ann.write("/nick eve\n")
        yield* other.says(/^\* ann is now eve$/m)
        yield* other.write("/nick ann\nred \u001B[31m\u202Ealert\n")
        yield* ann.says(/^\* bob is now ann\n<ann> red \[31malert$/m)
      })
    )
  })

  describePeer(socat, (path) => {
    it.live("does not wait for who does not read", () =>
      Effect.gen(function* () {
        const { port } = yield* start("chat.ts")
        const slow = yield* connect(port)
        slow.write("slow\n")
        yield* reads(slow, /slow comes to lobby/)
        slow.pause()

        // Far more than the system's buffers hold.
        const talk = `${"x".repeat(10_000)}\n`.repeat(2_000)
        const input = `ann\n${talk}the last word\n/quit\n`
        yield* Child.run(path, ["-t", "10", "-", `TCP:${host}:${port}`], { input })

        const bob = yield* Child.spawn(path, ["-", `TCP:${host}:${port}`])
        yield* bob.write("bob\n/who\n")
        yield* bob.says(/^\* slow, bob$/m)

        // What is new reaches the slow one, what was too much is gone.
        slow.resume()
        yield* reads(slow, /<ann> the last word\n\* ann left\n\* bob comes to lobby\n/)
      })
    )
  })
})
