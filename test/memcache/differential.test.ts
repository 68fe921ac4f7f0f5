/** Commands by chance to memcached and to our session, answer by answer. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as References from "effect/References"
import * as MemcacheEngine from "../../src/memcache/MemcacheEngine.ts"
import * as MemcacheLru from "../../src/memcache/MemcacheLru.ts"
import { MemcacheOutput } from "../../src/memcache/MemcacheOutput.ts"
import * as MemcacheRequestWire from "../../src/memcache/MemcacheRequestWire.ts"
import { MemcacheSession } from "../../src/memcache/MemcacheSession.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Client from "../../src/protocol/Client.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { describePeer } from "../support/peers.ts"
import { inputsCount, numbers } from "../support/randomBytes.ts"
import { bytesOf, counts, type Options, commands, difference, Twins } from "./corpus.ts"
import { at, isNewer, memcached, running } from "./memcached.ts"

/** Says something, and gives what comes back, up to the answer of `mn`. */
type Ask = (text: string) => Effect.Effect<string, unknown>

const theirs =
  (transport: Transport): Ask =>
  (text) =>
    Effect.gen(function* () {
      yield* transport.send(Buffer.from(`${text}mn\r\n`, "latin1"))
      let heard = ""
      while (!heard.endsWith("MN\r\n")) {
        const piece = yield* Pull.catchDone(transport.receive, () => Effect.succeed(undefined))
        if (piece === undefined) return `${heard}<end>`
        heard += Buffer.from(piece).toString("latin1")
      }
      return heard.slice(0, -4)
    })

const ours = (): Ask => {
  const store = MemcacheLru.make()
  const output = new MemcacheOutput()
  const engine = new MemcacheEngine.MemcacheEngine(store, { startedAt: 0 })
  const session = new MemcacheSession(engine, output)
  const decoder = MemcacheRequestWire.decoder()
  return (text) =>
    Effect.sync(() => {
      decoder.push(Buffer.from(text, "latin1"))
      const next = session.run(decoder, Date.now())
      return Buffer.concat(output.take()).toString("latin1") + (next === "Close" ? "<end>" : "")
    })
}

const casIn = (text: string): string => /VALUE \S+ \d+ \d+ (\d+)/.exec(text)?.[1] ?? "5"

const compare = Effect.fnUntraced(function* (transport: Transport, inputs: number) {
  const asks = [ours(), theirs(transport)] as const
  const options: Options = { isOld: !isNewer(yield* asks[1]("version\r\n")) }
  const next = commands(numbers(5), options)
  const twins = new Twins()
  // Nothing else has a CAS of 1.
  for (const ask of asks) yield* ask("flush_all\r\nset first 0 0 0\r\n\r\nstats reset\r\n")
  for (let i = 0; i < inputs; i++) {
    const said = next()
    const [left, right] = yield* Effect.forEach(asks, (ask) =>
      Effect.gen(function* () {
        const cas = new Map<string, string>()
        for (const key of said.named) cas.set(key, casIn(yield* ask(`gets ${key}\r\n`)))
        return yield* ask(bytesOf(said, (key) => cas.get(key)!))
      })
    )
    const differs = difference(left!, right!, twins, options)
    if (differs !== undefined) assert.fail(`${i}: ${said.line}: ${differs}`)
  }
  const [left, right] = yield* Effect.forEach(asks, (ask) => Effect.map(ask("stats\r\n"), counts))
  assert.deepStrictEqual(left, right)
})

describePeer(memcached, (command) => {
  it.live(
    "answers and counters are the same, whatever is said",
    () =>
      Effect.gen(function* () {
        const client = yield* Client.connect(at(yield* running(command)))
        yield* compare(client, inputsCount(10_000))
      }).pipe(
        Effect.scoped,
        Effect.provide(NodeReactor.layer),
        Effect.provideService(References.MinimumLogLevel, "Error")
      ),
    120_000
  )
})
