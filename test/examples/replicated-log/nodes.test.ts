/** `replicated-log` on sockets and files: as an application, and as three processes, one of which is killed. */
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Spindle from "../../app/cli/spindle.ts"
import * as Child from "../../support/child.ts"
import { argumentsOf, examples } from "../start.ts"

const timeout = 90_000

/** A port that was free a moment ago. */
const freePort = Effect.callback<number>((resume) => {
  const server = net.createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address() as net.AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** A directory, and where three nodes may be. */
const site = Effect.gen(function* () {
  const place = yield* Spindle.place
  const ports = [yield* freePort, yield* freePort, yield* freePort]
  const nodes = ["a", "b", "c"].map((name, i) => `${name}=127.0.0.1:${ports[i]}`).join(" ")
  return { place, env: { ...place.env, NODES: nodes, DATA_DIR: place.file("data") } }
})

type Env = Readonly<Record<string, string>>

const client = (env: Env, ...args: ReadonlyArray<string>) =>
  Child.run(process.execPath, [...argumentsOf("replicated-log/client.ts"), ...args], { env, timeout })

const says = Effect.fnUntraced(function* (env: Env, ...args: ReadonlyArray<string>) {
  const { code, stderr, stdout } = yield* client(env, ...args)
  assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
  return stdout
})

const node = Effect.fnUntraced(function* (env: Env, name: string) {
  const child = yield* Child.spawn(process.execPath, argumentsOf("replicated-log/node.ts"), {
    env: { ...env, NODE: name },
    timeout
  })
  yield* child.says(/listening/)
  return child
})

describe("replicated-log", () => {
  it.live(
    "is an application whose nodes are services",
    () =>
      Effect.gen(function* () {
        const { env, place } = yield* site
        const app = path.join(examples, "replicated-log/main.ts")
        const child = yield* Spindle.start(place, ["run", app], { env, timeout })
        yield* child.says(/leads in term/)
        assert.strictEqual(yield* says(env, "append", "hello"), "at position 1\n")
        yield* Spindle.says(place, ["restart", "--service", "b"])
        assert.strictEqual(yield* says(env, "append", "again"), "at position 2\n")
        assert.strictEqual(yield* says(env, "read"), "hello\nagain\n")
        yield* Spindle.says(place, ["stop", "replicated-log"])
        assert.strictEqual((yield* child.ended).stderr, "")
      }).pipe(Effect.scoped),
    timeout
  )

  it.live(
    "keeps what it acknowledged when one after another is killed, with half a line on its disk",
    () =>
      Effect.gen(function* () {
        const { env, place } = yield* site
        const nodes = yield* Effect.forEach(["a", "b", "c"], (name) => node(env, name), {
          concurrency: "unbounded"
        })
        assert.strictEqual(yield* says(env, "append", "one"), "at position 1\n")
        yield* nodes[0]!.signal("SIGKILL")
        yield* nodes[0]!.ended
        assert.strictEqual(yield* says(env, "append", "two"), "at position 2\n")
        const journal = place.file("data/a.log")
        fs.appendFileSync(journal, '01234567 {"_tag":"Entries","at":0,"entr')
        const again = yield* node(env, "a")
        assert.notInclude(fs.readFileSync(journal, "utf8"), "01234567")
        yield* nodes[1]!.signal("SIGKILL")
        yield* nodes[1]!.ended
        assert.strictEqual(yield* says(env, "append", "three"), "at position 3\n")
        assert.strictEqual(yield* says(env, "read"), "one\ntwo\nthree\n")
        yield* Effect.forEach([again, nodes[2]!], (child) => child.signal("SIGINT"))
        assert.strictEqual((yield* again.ended).code, 0)
      }).pipe(Effect.scoped),
    timeout
  )

  it.live("says what is wrong with a request", () =>
    Effect.gen(function* () {
      const { env } = yield* site
      const { code, stderr } = yield* client(env, "append", "")
      assert.deepStrictEqual([code, stderr], [1, "refused: append ID TEXT, or read\n"])
    }).pipe(Effect.scoped)
  )
})
