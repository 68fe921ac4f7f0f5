/** Started with few descriptors: takes them all, then says why nothing can be opened any more. */
import * as fs from "node:fs"
import * as Effect from "effect/Effect"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"

const takeAll = (): void => {
  for (;;) {
    try {
      fs.openSync("/dev/null", "r")
    } catch {
      return
    }
  }
}

const program = Effect.gen(function* () {
  const reactor = yield* Reactor
  const reasons = Effect.all({
    listen: Effect.flip(reactor.listen(Endpoint.tcp({ port: 0, interface: "127.0.0.1" }))),
    connect: Effect.flip(reactor.connect(Endpoint.tcpClient({ host: "127.0.0.1", port: 1 })))
  })
  // Whatever is loaded late, or opened once, is by then.
  yield* Effect.exit(reactor.connect(Endpoint.tcpClient({ host: "127.0.0.1", port: 1 })))
  takeAll()
  const { connect, listen } = yield* reasons
  process.stdout.write(
    `${JSON.stringify({
      listen: [listen.reason._tag, listen.reason.errno],
      connect: [connect.reason._tag, connect.reason.errno]
    })}\n`
  )
}).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))

await Effect.runPromise(program)
process.exit(0)
