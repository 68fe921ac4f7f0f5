/** What the tests of servers share: a server in memory, clients for it, and what was reported and logged. */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import type * as MemoryNetwork from "../../src/memory/MemoryNetwork.ts"
import type * as Protocol from "../../src/protocol/Protocol.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import * as UnhandledFailure from "../../src/reactor/UnhandledFailure.ts"
import { portOf, world } from "../memory/pair.ts"

export const now = { startImmediately: true } as const

export interface ServeOptions extends Server.Options {
  readonly network?: MemoryNetwork.Options | undefined
  readonly stream?: Endpoint.StreamOptions | undefined
}

/** A server on a network of its own. `dial` gives a client and a way to close it alone. */
export const serve = Effect.fnUntraced(function* <E, R>(
  source: Protocol.Source<Transport, E, R>,
  options: ServeOptions = {}
) {
  const { network, reactor } = yield* world(options.network)
  const server = yield* Effect.provideService(
    Server.make(Endpoint.tcp({ port: 0, interface: "127.0.0.1", ...options.stream }), source, options),
    Reactor,
    reactor
  )
  const dial = Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Effect.scope)
    const client = yield* reactor
      .connect(Endpoint.tcpClient({ host: "127.0.0.1", port: portOf(server.address) }))
      .pipe(Scope.provide(scope))
    yield* network.settled
    return Object.assign(client, { hangUp: Scope.close(scope, Exit.void) })
  })
  return { network, reactor, server, dial, settled: network.settled }
})

export interface Logged {
  readonly level: string
  readonly text: string
  readonly annotations: Readonly<Record<string, unknown>>
  readonly cause: Cause.Cause<unknown>
}

/** Everything logged by `self`, at every level, and every report. */
export const observed = <A, E, R>(
  body: (seen: {
    readonly logs: ReadonlyArray<Logged>
    readonly reports: ReadonlyArray<UnhandledFailure.Report>
  }) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const logs: Array<Logged> = []
    const reports: Array<UnhandledFailure.Report> = []
    const logger = Logger.make<unknown, void>(({ cause, fiber, logLevel, message }) => {
      logs.push({
        level: logLevel,
        text: [message].flat().map(String).join(" "),
        annotations: fiber.getRef(References.CurrentLogAnnotations),
        cause
      })
    })
    return body({ logs, reports }).pipe(
      Effect.provideService(UnhandledFailure.Reporter, (report) =>
        Effect.sync(() => void reports.push(report))
      ),
      Effect.provideService(Logger.CurrentLoggers, new Set([logger])),
      Effect.provideService(References.MinimumLogLevel, "All")
    )
  })

/** The texts of the errors and defects of a cause. */
export const faultsOf = (cause: Cause.Cause<unknown>): ReadonlyArray<string> =>
  cause.reasons.flatMap((reason) =>
    reason._tag === "Interrupt"
      ? []
      : [reason._tag === "Fail" ? `fail ${String(reason.error)}` : `die ${String(reason.defect)}`]
  )

export const isDone = (fiber: Fiber.Fiber<unknown, unknown>): boolean => fiber.pollUnsafe() !== undefined

/** Reads and forgets, until the end of input. */
export const sink = (transport: Transport) => transport.receiveEach(() => Effect.void)
