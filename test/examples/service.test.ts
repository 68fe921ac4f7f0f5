/** `service/app.ts`, run by the command. */
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Spindle from "../app/cli/spindle.ts"
import { connect, examples, reads } from "./start.ts"

const app = path.join(examples, "service/app.ts")
const settings = ["--set", "listen=tcp:0:interface=127.0.0.1", "--set", "every=1 hour"]

const guests = Effect.fnUntraced(function* (place: Spindle.Place) {
  const child = yield* Spindle.start(place, ["run", app, ...settings])
  const [, port = ""] = yield* child.says(/door listening.*127\.0\.0\.1:(\d+)/)
  yield* child.says(/guests is ready/)
  return { child, port }
})

const sign = Effect.fnUntraced(function* (port: string, name: string) {
  const socket = yield* connect(port)
  socket.write(`${name}\n`)
  const [, number] = yield* reads(socket, /^your name\?\r?\nwelcome, .*: you are number (\d+)\r?\n/)
  return Number(number)
}, Effect.scoped)

describe("service/app.ts", () => {
  it.live(
    "counts its guests; the door and the clerk restart with the book, and the port stays",
    () =>
      Effect.gen(function* () {
        const place = yield* Spindle.place
        const { child, port } = yield* guests(place)
        yield* child.says(/nobody was here/)
        assert.deepStrictEqual([yield* sign(port, "ada"), yield* sign(port, "bob")], [1, 2])
        yield* Spindle.says(place, ["restart", "--service", "clerk"])
        yield* child.says(/2 were here, bob last/)
        // A new book has no names in it.
        yield* Spindle.says(place, ["restart", "--service", "book"])
        assert.strictEqual(yield* sign(port, "cleo"), 1)
        const { services } = yield* Spindle.status(place)
        assert.deepStrictEqual(
          services.children.map(({ path, state }) => [path, state._tag]),
          [
            ["book", "Running"],
            ["door", "Running"],
            ["clerk", "Running"]
          ]
        )
        yield* Spindle.says(place, ["stop", "guests"])
        assert.strictEqual((yield* child.ended).stderr, "")
      }).pipe(Effect.scoped),
    Spindle.testTimeout
  )

  it.live(
    "says what is wrong with its configuration",
    () =>
      Effect.gen(function* () {
        const place = yield* Spindle.place
        const { code, stderr } = yield* Spindle.run(place, [
          "run",
          app,
          "--set",
          "every=often",
          "--set",
          "evry=1"
        ])
        assert.strictEqual(code, 78)
        assert.match(stderr, /every: must be a duration as in 10 seconds, not "often" \(flag --set every\)/)
        assert.match(
          stderr,
          /evry: nothing of this name is asked for \(flag --set evry\); did you mean every\?/
        )
      }).pipe(Effect.scoped),
    Spindle.testTimeout
  )
})
