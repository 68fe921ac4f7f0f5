/** Real pieces in worlds where everything fails. */
import * as fs from "node:fs"
import { assert, describe, it as base } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Lines from "../../src/framing/Lines.ts"
import * as Client from "../../src/protocol/Client.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as Swarm from "../../src/sim/Swarm.ts"
import * as World from "../../src/sim/World.ts"
import * as SimTest from "../../src/testing/SimTest.ts"

const it = SimTest.extend(base, {
  fs,
  keep: `${import.meta.filename}.seeds.json`,
  command: (name) => `npx vitest run test/sim/pieces.test.ts -t ${JSON.stringify(name)}`
})

const shout = Lines.over()((lines) => lines.receiveEach((line) => lines.send(line.toUpperCase())))
const serving = Effect.andThen(Server.make(Endpoint.tcp({ port: 7 }), shout), Effect.never)
const server = Endpoint.tcpClient({ host: "server", port: 7, timeout: "3 seconds" })

const nothingIsLeft = ({ exit, open }: World.Run) => {
  assert.isTrue(Exit.isSuccess(exit))
  assert.deepStrictEqual([open.listeners, open.connections, open.datagramPorts], [0, 0, 0])
}

const kinds = ["crash", "reset", "stop", "slow", "drift", "isolate", "setClock"] as const

/** A persistent client asks all the time; one that hears nothing for a while takes a new connection. */
const persistent = Effect.gen(function* () {
  yield* World.host("server", Effect.scoped(serving), { mayFail: true })
  return yield* World.at(
    "client",
    Effect.scoped(
      Effect.gen(function* () {
        const client = yield* Client.persistent(server, (transport) => Effect.succeed(Lines.make(transport)))
        const ask = (words: string) =>
          client.use((lines) =>
            Effect.gen(function* () {
              yield* lines.send(words)
              const answer = yield* lines.receive
              if (answer !== words.toUpperCase()) return yield* Effect.die(`${words}: ${answer}`)
              return answer
            })
          )
        let answers = 0
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* Swarm.swarm({ hosts: ["server"], kinds: [...kinds] })
            for (let i = 0; i < 20; i++) {
              const exit = yield* Effect.exit(Effect.timeout(ask(`question ${i}`), "1 second"))
              if (Exit.isSuccess(exit)) answers++
              // What is late would be taken for the next answer.
              else yield* Effect.ignore(client.use(({ transport }) => transport.abort))
              yield* Effect.sleep("500 millis")
            }
          })
        )
        // The connection may be one that the server does not know any more.
        yield* Effect.retry(Effect.timeout(ask("all is well again"), "30 seconds"), { times: 2 })
        return answers
      })
    )
  )
})

/** A server is stopped while clients talk: what it has begun to answer arrives, and nobody waits for ever. */
const stopping = Effect.gen(function* () {
  const clients = yield* World.dial("clients", { min: 1, max: 8 })
  const millis = yield* World.dial("stopped after", { min: 5, max: 60 })
  let [asked, answered] = [0, 0]
  const slowly = Lines.over()((lines) =>
    lines.receiveEach((line) => {
      asked++
      return Effect.andThen(Effect.sleep("3 millis"), lines.send(line))
    })
  )
  const host = yield* World.host(
    "server",
    Effect.scoped(
      Effect.andThen(
        Server.make(Endpoint.tcp({ port: 7 }), slowly, { drainTimeout: "1 second" }),
        Effect.never
      )
    )
  )
  const talk = Effect.scoped(
    Effect.gen(function* () {
      const lines = Lines.make(yield* Client.connect(server))
      for (;;) {
        yield* lines.send("tick")
        yield* lines.receive
        answered++
      }
    })
  )
  yield* Effect.forkChild(Effect.andThen(Effect.sleep(millis), host.stop))
  yield* Effect.forEach(
    Array.from({ length: clients }, (_, i) => `client${i}`),
    (name) => Effect.ignore(World.at(name, talk)),
    { concurrency: "unbounded" }
  )
  return [asked, answered] as const
})

describe("pieces in a failing world", () => {
  it.sim(
    "a persistent client is there again when all is well",
    { seeds: 60, expect: nothingIsLeft },
    persistent
  )

  it.sim(
    "a server that is stopped lets go of everybody",
    { seeds: 60, expect: nothingIsLeft, timeMax: "1 minute" },
    stopping
  )
})
