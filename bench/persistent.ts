/**
 * `node bench/persistent.ts [--rounds 9]`
 *
 * What a persistent client costs for each message, beside a connection that is made once: 64 bytes there and back, one at a
 * time, on one connection of each kind. Processor time of the client for a message; medians over the rounds, ratios within
 * each. The last row asks the persistent client for its connection anew for each message.
 */
import { parseArgs } from "node:util"
import * as Effect from "effect/Effect"
import { NodeReactor } from "../src/node/index.ts"
import { Client, PersistentClient } from "../src/protocol/index.ts"
import { Endpoint, type Transport } from "../src/reactor/index.ts"
import * as machine from "./machine.ts"
import { median } from "./median.ts"
import { startServer } from "./processes.ts"
import { inC } from "./programs.ts"

const { values: given } = parseArgs({ options: { rounds: { type: "string", default: "9" } } })

const messages = 20_000
const bytes = new Uint8Array(64).fill(1)

const exchange = Effect.fnUntraced(function* (transport: Transport.Transport) {
  yield* transport.send(bytes)
  let missing = bytes.length
  while (missing > 0) missing -= (yield* transport.receive).length
})

const repeated = Effect.fnUntraced(function* (transport: Transport.Transport) {
  for (let i = 0; i < messages; i++) yield* exchange(transport)
})

const print = (line: string): void => void process.stdout.write(`${line}\n`)

const cpuMicros = (): number => {
  const { system, user } = process.cpuUsage()
  return user + system
}

const main = Effect.fnUntraced(function* (port: number) {
  const endpoint = Endpoint.tcpClient({ host: "127.0.0.1", port })
  const plain = yield* Client.connect(endpoint)
  const persistent = yield* PersistentClient.make(endpoint, (transport) => Effect.succeed(transport))
  const subjects = {
    "Client.connect": repeated(plain),
    "Client.persistent, once connected": Effect.flatMap(persistent.whenConnected(), repeated),
    "Client.persistent, use for each": Effect.forEach(
      Array.from({ length: messages }),
      () => persistent.use(exchange),
      {
        discard: true
      }
    )
  }
  const taken = Object.keys(subjects).map((): Array<number> => [])
  const rounds = Number(given.rounds)
  for (let round = -1; round < rounds; round++) {
    for (const [index, run] of Object.values(subjects).entries()) {
      const before = cpuMicros()
      yield* run
      // The first round warms up.
      if (round >= 0) taken[index]?.push((cpuMicros() - before) / messages)
    }
  }
  const [first = []] = taken
  print(machine.description())
  for (const [index, name] of Object.keys(subjects).entries()) {
    const own = taken[index] ?? []
    const ratio = median(own.map((micros, round) => micros / (first[round] ?? NaN)))
    print(`${name.padEnd(36)} ${median(own).toFixed(2)} us/message  x ${ratio.toFixed(3)}`)
  }
})

const server = await startServer(inC)
try {
  await Effect.runPromise(Effect.scoped(main(server.port)).pipe(Effect.provide(NodeReactor.layer)))
} finally {
  await server.conversation.stop()
}
