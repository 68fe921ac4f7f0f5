/**
 * A program whose endpoint is told by its arguments: `server` or `client`, a description, and what to do. It says what it
 * does on standard error.
 *
 * - `echo`: sends back all that comes, then ends.
 * - `generous`: receives nothing, sends much, says what the system knows of its socket; closes on SIGUSR2.
 */
import * as fs from "node:fs"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import type { Closeable, Transport } from "../../src/reactor/Transport.ts"
import { dial, layer, muchBytes, open, probe, socketOf } from "./endpoints.ts"

const [use, text = "", what] = process.argv.slice(2)

const tell = (line: string) => Effect.sync(() => void fs.writeSync(2, `${line}\n`))

const signalled = Effect.callback<void>((resume) => {
  process.once("SIGUSR2", () => resume(Effect.void))
})

/** The connection, and how to close it. */
const connection: Effect.Effect<
  { readonly transport: Transport; readonly close: Effect.Effect<void> },
  unknown,
  Effect.Services<ReturnType<typeof open>>
> = Effect.gen(function* () {
  if (use === "client") {
    const scope = yield* Scope.make()
    const transport = yield* Scope.provide(dial(text), scope)
    return { transport, close: Scope.close(scope, Exit.void) }
  }
  const listener = yield* open(text)
  yield* tell(`listening ${NetAddress.formatSocketAddress(listener.address).replace("\0", "@")}`)
  const accepted = yield* Deferred.make<Closeable>()
  yield* Effect.forkScoped(
    listener.acceptEach((transport) => Deferred.doneUnsafe(accepted, Effect.succeed(transport)))
  )
  const transport = yield* Deferred.await(accepted)
  return { transport, close: transport.close }
})

const isInet = (transport: Transport): boolean => NetAddress.isInetAddress(transport.peer)

const program = Effect.gen(function* () {
  const { close, transport } = yield* connection
  yield* tell(`peer ${NetAddress.formatSocketAddress(transport.peer)}`)
  if (what === "echo") {
    yield* transport.receiveEach(transport.send)
    yield* transport.end
    return yield* close
  }
  yield* transport.send("first")
  yield* Effect.yieldNow
  yield* transport.send(new Uint8Array(muchBytes))
  yield* tell("sent")
  if (isInet(transport) && "carrier" in transport) yield* tell(`options ${yield* probe(socketOf(transport))}`)
  yield* signalled
  const began = performance.now()
  yield* close
  yield* tell(`closed after ${Math.round(performance.now() - began)} ms`)
})

const alive = setInterval(() => {}, 1_000)
const exit = await Effect.runPromiseExit(program.pipe(Effect.scoped, Effect.provide(layer)))
clearInterval(alive)
if (Exit.isFailure(exit)) fs.writeSync(2, `${Cause.pretty(exit.cause)}\n`)
process.exitCode = Exit.isSuccess(exit) ? 0 : 1
