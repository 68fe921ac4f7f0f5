/** `spindle portforward`. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { maker } from "../../../src/app/makers/portforward.ts"
import * as Endpoint from "../../../src/reactor/Endpoint.ts"
import { Reactor } from "../../../src/reactor/Reactor.ts"
import { accepting, read, readAll, reasonOf, world } from "../../memory/pair.ts"
import { observed } from "../../protocol/serving.ts"
import { run } from "../running.ts"
import { service } from "./making.ts"

const forwarding = Effect.fnUntraced(function* (args: ReadonlyArray<string>) {
  const { network, reactor } = yield* world()
  const made = yield* service(maker, args)
  const running = yield* Effect.provideService(run(made), Reactor, reactor)
  const target = (port: number) =>
    Effect.flatMap(reactor.listen(Endpoint.tcp({ port, interface: "127.0.0.1" })), accepting)
  const dial = (port: number) => reactor.connect(Endpoint.tcpClient({ host: "127.0.0.1", port }))
  return { dial, made, network, running, target }
})

describe("portforward", () => {
  for (const [name, args, from, to] of [
    ["Twisted's ports by default", [], 6666, 6665],
    ["Twisted's options", ["-p", "80", "-h", "127.0.0.1", "-d", "81"], 80, 81],
    ["their long names", ["--port=80", "--host=127.0.0.1", "--dest_port=81"], 80, 81],
    ["endpoints", ["--listen", "tcp:80:interface=127.0.0.1", "--to", "tcp:127.0.0.1:81"], 80, 81]
  ] as const) {
    it.effect(`passes on, both ways: ${name}`, () =>
      Effect.gen(function* () {
        const { dial, target } = yield* forwarding(args)
        const accepted = yield* target(to)
        const client = yield* dial(from)
        const server = yield* accepted
        yield* client.send("ping")
        assert.strictEqual(yield* read(server), "ping")
        yield* client.end
        assert.strictEqual(yield* read(server), "<end>")
        yield* server.send("pong")
        yield* server.close
        assert.strictEqual(yield* readAll(client), "pong")
      })
    )
  }

  it.effect("a target that does not answer closes the connection, and is told in one line", () =>
    observed(({ logs, reports }) =>
      Effect.gen(function* () {
        const { dial, network } = yield* forwarding([])
        assert.strictEqual(yield* readAll(yield* dial(6666)), "")
        yield* network.settled
        assert.deepStrictEqual(
          logs.flatMap(({ level, text }) => (level === "Warn" ? [text.slice(0, 15)] : [])),
          ["not passed on: "]
        )
        assert.deepStrictEqual(reports, [])
      })
    )
  )

  it.effect("a reset of one side is one of the other", () =>
    Effect.gen(function* () {
      const { dial, target } = yield* forwarding([])
      const accepted = yield* target(6665)
      const client = yield* dial(6666)
      const server = yield* accepted
      yield* server.abort
      assert.strictEqual(yield* reasonOf(client.receive), "Reset")
    })
  )

  it.effect("a stop ends what is under way", () =>
    Effect.gen(function* () {
      const { dial, network, running, target } = yield* forwarding([])
      const accepted = yield* target(6665)
      const client = yield* dial(6666)
      const server = yield* accepted
      yield* client.end
      yield* server.close
      yield* network.settled
      yield* running.stop
      assert.strictEqual(yield* reasonOf(dial(6666)), "Refused")
    })
  )

  it.effect("what contradicts itself, or is no port, is told", () =>
    Effect.gen(function* () {
      for (const [args, said] of [
        [["--to", "tcp:a:1", "-d", "1"], /give one or the other/],
        [["-p", "70000"], /^--port: 70000 is no port$/],
        [["-d", "-1"], /^--dest-port: -1 is no port$/],
        [["--to", "tcp:a"], /^--to "tcp:a": .* \(.+\)$/]
      ] as const) {
        assert.match((yield* Effect.flip(service(maker, args))).message, said)
      }
    })
  )
})
