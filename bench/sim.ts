/**
 * `node --conditions=source bench/sim.ts [--messages 1000000] [--hosts 100]`
 *
 * One program, twice: hosts in a ring, each with an echo server and a client of the next one's, small messages one at a
 * time. Once in a simulated world, once on loopback with the platform's sockets.
 */
import { parseArgs } from "node:util"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { NodeReactor } from "../src/node/index.ts"
import * as Client from "../src/protocol/Client.ts"
import * as Server from "../src/protocol/Server.ts"
import * as Endpoint from "../src/reactor/Endpoint.ts"
import * as World from "../src/sim/World.ts"

const { values } = parseArgs({
  options: {
    messages: { type: "string", default: "1000000" },
    hosts: { type: "string", default: "100" },
    seed: { type: "string", default: "1" }
  }
})
const hosts = Number(values.hosts)
// A question and its echo are two.
const rounds = Math.ceil(Number(values.messages) / hosts / 2)
const bytes = new Uint8Array(64).fill(120)

interface Place {
  readonly host: string
  readonly port: number
}

const serve = (port: number) =>
  Server.make(Endpoint.tcp({ port }), (transport) => Effect.ignore(transport.receiveEach(transport.send)))

const ask = ({ host, port }: Place) =>
  Effect.scoped(
    Effect.gen(function* () {
      const transport = yield* Client.connect(Endpoint.tcpClient({ host, port }))
      for (let i = 0; i < rounds; i++) {
        yield* transport.send(bytes)
        let left = bytes.length
        while (left > 0) left -= (yield* transport.receive).length
      }
    })
  )

const simulated = Effect.gen(function* () {
  const names = Array.from({ length: hosts }, (_, i) => `host${i}`)
  yield* Effect.forEach(names, (name) => World.host(name, Effect.andThen(serve(7), Effect.never)))
  yield* Effect.sleep("100 millis")
  yield* Effect.forEach(names, (name, i) => World.at(name, ask({ host: names[(i + 1) % hosts]!, port: 7 })), {
    concurrency: "unbounded",
    discard: true
  })
})

const portFirst = 21_000

const onLoopback = Effect.gen(function* () {
  const ports = Array.from({ length: hosts }, (_, i) => portFirst + i)
  yield* Effect.forEach(ports, serve)
  yield* Effect.forEach(ports, (_, i) => ask({ host: "127.0.0.1", port: ports[(i + 1) % hosts]! }), {
    concurrency: "unbounded",
    discard: true
  })
}).pipe(Effect.scoped, Effect.provide(Layer.merge(NodeReactor.layer, Logger.layer([]))))

const report = (what: string, cpu: NodeJS.CpuUsage, millis: number, more = "") => {
  const messages = rounds * hosts * 2
  const used = process.cpuUsage(cpu)
  const cpuMillis = (used.user + used.system) / 1000
  process.stdout.write(
    `${what.padEnd(12)} ${messages.toLocaleString("en")} messages, ${hosts} hosts: ` +
      `${(millis / 1000).toFixed(1)} s, CPU ${(cpuMillis / 1000).toFixed(1)} s, ` +
      `${Math.round((messages / millis) * 1000).toLocaleString("en")} messages/s${more}\n`
  )
}

const cpu = process.cpuUsage()
const before = performance.now()
const run = World.run(simulated, { seed: values.seed, stepsMax: Number.POSITIVE_INFINITY })
report(
  "simulated",
  cpu,
  performance.now() - before,
  `, ${run.steps.toLocaleString("en")} steps, hash ${run.hash}`
)
if (run.exit._tag === "Failure") throw new Error(String(run.exit))

const cpuThen = process.cpuUsage()
const then = performance.now()
await Effect.runPromise(onLoopback)
report("on loopback", cpuThen, performance.now() - then)
