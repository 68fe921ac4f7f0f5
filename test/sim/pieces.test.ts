/** Real pieces in worlds where everything fails. */
import * as fs from "node:fs"
import { assert, describe, it as base } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Lines from "../../src/framing/Lines.ts"
import * as MemcacheClient from "../../src/memcache/MemcacheClient.ts"
import * as MemcacheDatagramClient from "../../src/memcache/MemcacheDatagramClient.ts"
import * as MemcacheServer from "../../src/memcache/MemcacheServer.ts"
import * as MemcacheStore from "../../src/memcache/MemcacheStore.ts"
import * as Client from "../../src/protocol/Client.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as Swarm from "../../src/sim/Swarm.ts"
import * as World from "../../src/sim/World.ts"
import * as Linearizability from "../../src/testing/Linearizability.ts"
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

/**
 * Clients of one memcached set and read some keys while the network fails; what they saw must have an order. They may read over UDP; what
 * they write so could come twice, the second time after what others wrote.
 */
const memcached = Effect.fnUntraced(function* (readsOverUdp: boolean) {
  const { history, record } = Linearizability.recorder<
    Linearizability.RegisterInput<string>,
    string | boolean
  >()
  const clients = yield* World.dial("clients", { min: 1, max: 4 })
  const operations = yield* World.dial("operations", { min: 1, max: 25 })
  const udp = { endpoint: Endpoint.udp({ port: 11_211, interface: "0.0.0.0" }) }
  const store = MemcacheServer.layer(Endpoint.tcp({ port: 11_211 }), {
    datagrams: readsOverUdp ? udp : undefined
  }).pipe(Layer.provide(MemcacheStore.layer()))
  yield* World.host("server", Layer.launch(store))
  const names = Array.from({ length: clients }, (_, i) => `client${i}`)
  const client = (name: string) =>
    Effect.gen(function* () {
      const cache = yield* MemcacheClient.connect(
        [{ endpoint: Endpoint.tcpClient({ host: "server", port: 11_211, timeout: "1 second" }) }],
        { timeout: "1 second" }
      )
      const reading = readsOverUdp
        ? yield* MemcacheDatagramClient.connect([{ host: "server", port: 11_211 }])
        : cache
      for (let i = 0; i < operations; i++) {
        const key = `key${yield* Random.nextIntBetween(0, 2)}`
        const value = `${name} ${i}`
        const set = record(name, { _tag: "Write", key, value }, Effect.as(cache.set(key, value), true))
        const get = record(
          name,
          { _tag: "Read", key },
          Effect.map(reading.get(key), (found) =>
            found === undefined ? "" : new TextDecoder().decode(found.value)
          )
        )
        yield* Effect.ignore(Effect.timeout((yield* Random.nextBoolean) ? set : get, "3 seconds"))
        yield* Effect.sleep("50 millis")
      }
    })
  yield* Effect.scoped(
    Effect.gen(function* () {
      yield* Swarm.swarm({
        hosts: ["server", ...names],
        kinds: ["partition", "oneWay", "isolate", "degrade", "reset", "stop", "slow"],
        every: "500 millis"
      })
      yield* Effect.forEach(names, (name) => World.at(name, Effect.scoped(client(name))), {
        concurrency: "unbounded"
      })
    })
  )
  const verdict = Linearizability.check(Linearizability.registers(""), history(), { stepsMax: 100_000 })
  // With many writes of unknown end it may be too much to search: then nothing is known.
  if (verdict._tag === "NotLinearizable") return yield* Effect.die(Linearizability.format(verdict))
  return history().filter(({ output }) => output !== undefined).length
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
    { seeds: 60, first: [640], yieldAfter: 1, expect: nothingIsLeft },
    persistent
  )

  it.sim(
    "a memcached is one thing, whoever asks",
    {
      seeds: 60,
      yieldAfter: 1,
      expect: ({ exit }) => assert.isTrue(Exit.isSuccess(exit))
    },
    memcached(false)
  )

  it.sim(
    "and over UDP",
    {
      seeds: 60,
      yieldAfter: 1,
      expect: ({ exit }) => assert.isTrue(Exit.isSuccess(exit))
    },
    memcached(true)
  )

  it.sim(
    "a server that is stopped lets go of everybody",
    { seeds: 60, yieldAfter: 1, expect: nothingIsLeft, timeMax: "1 minute" },
    stopping
  )
})
