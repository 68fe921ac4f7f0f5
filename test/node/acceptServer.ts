/** Started with few descriptors: an echo server, and what it costs, on request. Every line of input is answered. */
import * as readline from "node:readline"
import * as Effect from "effect/Effect"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { inetOf } from "../support/endpoints.ts"

const program = Effect.gen(function* () {
  const server = yield* Server.make(Endpoint.tcp({ port: 0, interface: "127.0.0.1" }), (transport) =>
    transport.receiveEach(transport.send)
  )
  yield* Effect.callback<void>((resume) => {
    const say = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`)
    readline
      .createInterface({ input: process.stdin })
      .on("line", () => {
        const { system, user } = process.cpuUsage()
        const { open } = SubscriptionRef.getUnsafe(server.counts)
        say({ cpu: (system + user) / 1000, at: performance.now(), open })
      })
      .on("close", () => resume(Effect.void))
    say({ port: inetOf(server.address).port })
  })
}).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))

await Effect.runPromise(program)
