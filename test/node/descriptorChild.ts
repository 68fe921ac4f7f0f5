/**
 * A program that is given sockets. Its first argument is JSON: the endpoint it listens on or connects by; what it has to say
 * goes to standard error.
 */
import * as fs from "node:fs"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import type * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { ConnectError, ListenError } from "../../src/reactor/ReactorError.ts"

type Step =
  | { readonly serve: Endpoint.Server }
  | { readonly refuse: Endpoint.Server }
  | { readonly echo: Endpoint.FdClient }
  | { readonly refuseClient: Endpoint.FdClient }
  | { readonly stop: number }

const tell = (line: string) => Effect.sync(() => void fs.writeSync(2, `${line}\n`))

const refusal = <A, R>(effect: Effect.Effect<A, ListenError | ConnectError, R>) =>
  Effect.matchEffect(effect, {
    onFailure: (error) => tell(`${error._tag} ${error.reason._tag}: ${error.message}`),
    onSuccess: () => tell("it works")
  })

const steps = JSON.parse(process.argv[2] ?? "[]") as ReadonlyArray<Step>

const program = Effect.gen(function* () {
  const reactor = yield* Reactor
  const listeners: Array<{ readonly stop: Effect.Effect<void> }> = []
  const clients: Array<Effect.Effect<void, unknown>> = []
  for (const step of steps) {
    if ("stop" in step) {
      yield* listeners[step.stop]!.stop
      yield* tell("stopped")
    } else if ("refuse" in step) yield* refusal(Effect.scoped(reactor.listen(step.refuse)))
    else if ("refuseClient" in step) yield* refusal(Effect.scoped(reactor.connect(step.refuseClient)))
    else if ("echo" in step) {
      const transport = yield* reactor.connect(step.echo)
      yield* tell(
        `connected ${NetAddress.formatSocketAddress(transport.local)} ${NetAddress.formatSocketAddress(transport.peer)}`
      )
      clients.push(transport.receiveEach(transport.send))
    } else {
      const listener = yield* reactor.listen(step.serve)
      const run = Effect.runForkWith(yield* Effect.context<Scope.Scope>())
      listeners.push(listener)
      yield* Effect.forkScoped(
        listener.acceptEach((transport) => {
          run(
            transport
              .send(`${NetAddress.formatSocketAddress(transport.local).replace("\0", "@")}\n`)
              .pipe(Effect.andThen(transport.receiveEach(transport.send)), Effect.ensuring(transport.close))
          )
        }),
        { startImmediately: true }
      )
      yield* tell(`serving ${NetAddress.formatSocketAddress(listener.address).replace("\0", "@")}`)
    }
  }
  yield* tell("ready")
  if (clients.length > 0) return yield* Effect.all(clients, { concurrency: "unbounded", discard: true })
  if (listeners.length > 0) return yield* Effect.never
})

const exit = await Effect.runPromiseExit(program.pipe(Effect.scoped, Effect.provide(NodeReactor.layer)))
if (Exit.isFailure(exit)) fs.writeSync(2, `${Cause.pretty(exit.cause)}\n`)
process.exitCode = Exit.isSuccess(exit) ? 0 : 1
