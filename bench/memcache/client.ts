/** Our client, `get` and `set` by turns: `PORT`, `IN_FLIGHT`, `SECONDS`; one JSON line when it is warm, one with what it did. */
import * as Effect from "effect/Effect"
import { MemcacheClient } from "../../src/memcache/index.ts"
import { NodeReactor } from "../../src/node/index.ts"
import { Client } from "../../src/protocol/index.ts"
import { Endpoint } from "../../src/reactor/index.ts"

const { IN_FLIGHT = "1", PORT, SECONDS = "1" } = process.env
const value = new Uint8Array(100).fill(97)
const warmUpSeconds = 0.5

const main = Effect.gen(function* () {
  const transport = yield* Client.connect(Endpoint.tcpClient({ host: "127.0.0.1", port: Number(PORT) }))
  const cache = yield* MemcacheClient.make(transport)
  let ops = 0
  const useUntil = Effect.fnUntraced(function* (worker: number, end: number) {
    for (let i = 0; performance.now() < end; i++) {
      const key = `key:${worker}:${i % 100}`
      yield* cache.set(key, value)
      const found = yield* cache.get(key)
      if (found?.value.length !== 100) return yield* Effect.die(new Error(`no ${key}`))
      ops += 2
    }
  })
  const together = (seconds: number) => {
    const end = performance.now() + seconds * 1000
    const workers = Array.from({ length: Number(IN_FLIGHT) }, (_, worker) => useUntil(worker, end))
    return Effect.all(workers, { concurrency: "unbounded", discard: true })
  }
  yield* together(warmUpSeconds)
  process.stdout.write(`${JSON.stringify({ begin: true })}\n`)
  ops = 0
  const [before, from] = [process.cpuUsage(), performance.now()]
  yield* together(Number(SECONDS))
  const seconds = (performance.now() - from) / 1000
  const { system, user } = process.cpuUsage(before)
  process.stdout.write(`${JSON.stringify({ ops, seconds, cpuMicros: user + system })}\n`)
})

await Effect.runPromise(Effect.scoped(main).pipe(Effect.provide(NodeReactor.layer)))
