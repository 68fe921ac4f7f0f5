/**
 * A clock that asks a time server (RFC 868), again and again: it sends the time and hangs up, the client comes back.
 *
 *     PORT=8037 node --conditions=source examples/time-client.ts
 *     while nc -lN 127.0.0.1 8037 < <(perl -e 'print pack N => time + 2208988800'); do :; done
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { NodeReactor } from "spindle/node"
import { Client } from "spindle/protocol"
import { Endpoint, type Transport } from "spindle/reactor"

/** 1970 in seconds since 1900, where the protocol counts from. */
const epoch = 2_208_988_800

/** All that the server says: seconds since 1900 in 4 bytes, the highest first. */
const readTime = Effect.fnUntraced(function* (transport: Transport.Transport) {
  const pieces: Array<Uint8Array> = []
  yield* transport.receiveEach((bytes) => Effect.sync(() => pieces.push(bytes)))
  const answer = Buffer.concat(pieces)
  if (answer.length !== 4) return `an answer of ${answer.length} bytes instead of 4`
  // The number starts again at 0 in 2036; taken so, it is right until 2106.
  return new Date(((answer.readUInt32BE() - epoch) >>> 0) * 1_000).toISOString()
})

const main = Effect.gen(function* () {
  const host = yield* Config.String("HOST").pipe(Config.withDefault("127.0.0.1"))
  const port = yield* Config.Int("PORT").pipe(Config.withDefault(8037))
  const clock = yield* Client.persistent(Endpoint.tcpClient({ host, port }), Effect.succeed, {
    retry: Client.backoff({ initialDelay: "500 millis", maxDelay: "10 seconds", jitter: "100 millis" })
  })
  // A use that fails is over; the next one gets the next connection.
  const ask = Effect.catchTag(clock.use(readTime), "TransportError", (error) => Effect.succeed(error.message))
  return yield* Effect.forever(Effect.flatMap(ask, Console.log))
})

NodeRuntime.runMain(main.pipe(Effect.scoped, Effect.provide(NodeReactor.layer)), {
  // Ctrl-C interrupts, and is the ordinary end.
  teardown: (exit, onExit) => onExit(Exit.hasInterrupts(exit) ? 0 : 1)
})
