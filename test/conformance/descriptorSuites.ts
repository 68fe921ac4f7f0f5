/**
 * Runs the suites over inherited sockets, of which this process has many from descriptor 3 on: listening ones, then the two
 * ends of connections. Prints a line of JSON for each case.
 */
import * as fs from "node:fs"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Layer from "effect/Layer"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import * as ReactorSuite from "../../src/testing/ReactorSuite.ts"
import * as TransportSuite from "../../src/testing/TransportSuite.ts"
import { inetOf, tcpSystemBytesMax } from "../support/endpoints.ts"
import { resources } from "../support/resources.ts"

/** How many of each the test has to hand over. */
export const listeners = 80
export const connections = 250

const first = 3
let listener = first
let end = first + listeners

const next = (fd: number, limit: number): number => {
  if (fd >= limit) throw new Error("the test has handed over too few")
  return fd
}

const subject: ReactorSuite.Subject = {
  name: "inherited",
  layer: NodeReactor.layer,
  server: (options) =>
    Effect.sync(() => Endpoint.fd({ ...options, fd: next(listener++, first + listeners) })),
  serverAt: (address) => Endpoint.tcp({ port: inetOf(address).port, interface: inetOf(address).host }),
  client: (address, options) => Endpoint.tcpClient({ ...options, ...inetOf(address) }),
  resources
}

const pair: TransportSuite.MakePair = Effect.fnUntraced(function* (options) {
  const reactor = Layer.build(NodeReactor.layer)
  const scope = yield* Scope.fork(yield* Effect.scope, "parallel")
  const side = Effect.fnUntraced(function* () {
    const own = yield* Scope.fork(scope)
    const fd = next(end++, first + listeners + 2 * connections)
    const context = yield* Scope.provide(reactor, own)
    const transport = yield* Effect.flatMap(Reactor, (reactor) =>
      reactor.connect(Endpoint.fdClient({ ...options, fd }))
    ).pipe(Scope.provide(own), Effect.provideContext(context))
    return { transport, close: Scope.close(own, Exit.void) }
  })
  const left = yield* side()
  const right = yield* side()
  return { left: left.transport, right: right.transport, closeLeft: left.close, closeRight: right.close }
})

/** What needs hundreds of connections goes without saying here. */
const affordable = ({ name }: { readonly name: string }): boolean => !/^\d+ connections/.test(name)

export const transportCases = TransportSuite.cases({
  name: "inherited",
  pair,
  capabilities: ["HalfClose", "Reset", "Chunks", "Addresses"],
  systemBytesMax: tcpSystemBytesMax,
  resources
}).filter(affordable)

export const reactorCases = ReactorSuite.cases(subject)

export interface Result {
  readonly name: string
  readonly failure?: string | undefined
}

if (import.meta.main) {
  for (const { missing, name, run } of [...transportCases, ...reactorCases]) {
    if (missing.length > 0) continue
    const exit = await Effect.runPromiseExit(run)
    const result: Result = { name, failure: Exit.isFailure(exit) ? Cause.pretty(exit.cause) : undefined }
    fs.writeSync(1, `${JSON.stringify(result)}\n`)
  }
}
