/** The suites must notice: each of these transports breaks the contract in a way that has happened. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as NetAddress from "effect/net/NetAddress"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import * as LoggedFailures from "../../src/testing/LoggedFailures.ts"
import * as ReactorSuite from "../../src/testing/ReactorSuite.ts"
import * as TransportSuite from "../../src/testing/TransportSuite.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import * as Layer from "effect/Layer"

const portOf = (address: NetAddress.SocketAddress) => (NetAddress.isInetAddress(address) ? address.port : 0)

const memory: ReactorSuite.Subject = {
  name: "memory",
  layer: MemoryReactor.layer(),
  server: (options) => Effect.succeed(Endpoint.tcp({ ...options, port: 0, interface: "127.0.0.1" })),
  serverAt: (address) => Endpoint.tcp({ port: portOf(address), interface: "127.0.0.1" }),
  client: (address, options) => Endpoint.tcpClient({ ...options, host: "127.0.0.1", port: portOf(address) })
}

/** A transport with some of it replaced; what is asked for is asked of the original. */
const changed = (transport: Transport, change: (transport: Transport) => Partial<Transport>): Transport => {
  const changes = change(transport)
  return new Proxy(transport, {
    get: (target, property) =>
      property in changes ? changes[property as keyof Transport] : Reflect.get(target, property, target)
  })
}

const broken: Readonly<
  Record<string, readonly [change: (transport: Transport) => Partial<Transport>, cases: RegExp]>
> = {
  "sends only the first half": [
    ({ send }) => ({ send: (bytes) => send(bytes.slice(0, Math.ceil(bytes.length / 2)) as never) }),
    /./
  ],
  "writes each piece twice": [
    ({ send }) => ({ send: (bytes) => Effect.andThen(send(bytes), send(bytes)) }),
    /./
  ],
  "forgets what is handed back": [() => ({ unread: () => Effect.void }), /unread|handed back/i],
  "knows no other receiver": [
    ({ receive }) => ({ receive: Effect.catchTag(receive, "TransportError", () => Effect.never) }),
    /busy|second/i
  ],
  "aborts by closing politely": [({ end }) => ({ abort: Effect.ignore(end) }), /abort|reset/i],
  "says that it is somebody else": [({ local }) => ({ peer: local }), /address|peer/i]
}

/** Names of the cases that fail, up to the first. */
const firstFailure = (cases: ReadonlyArray<TransportSuite.Case>) =>
  Effect.gen(function* () {
    for (const { name, run } of cases) {
      const exit = yield* Effect.exit(Effect.timeout(run, "4 seconds"))
      if (Exit.isFailure(exit)) return name
    }
    return undefined
  })

describe("TransportSuite", () => {
  const pair = ReactorSuite.pairOver(memory)
  const casesWith = (change: (transport: Transport) => Partial<Transport>, which: RegExp) =>
    TransportSuite.cases({
      name: "broken",
      capabilities: ["HalfClose", "Reset", "Chunks", "Addresses"],
      pair: (options) => Effect.map(pair(options), (made) => ({ ...made, left: changed(made.left, change) }))
    }).filter(({ missing, name }) => missing.length === 0 && which.test(name))

  for (const [what, [change, which]] of Object.entries(broken)) {
    it.live(`notices a transport that ${what}`, () =>
      Effect.gen(function* () {
        const failed = yield* firstFailure(casesWith(change, which))
        assert.isDefined(failed)
        yield* LoggedFailures.flushLoggedFailures()
      })
    )
  }

  it.live("finds nothing in one that is only looked at", () =>
    Effect.gen(function* () {
      const cases = casesWith(() => ({}), /unread|address|abort/i)
      assert.isNotEmpty(cases)
      assert.isUndefined(yield* firstFailure(cases))
    })
  )
})

describe("ReactorSuite", () => {
  const casesOver = (change: (reactor: Reactor["Service"]) => Partial<Reactor["Service"]>, which: RegExp) =>
    ReactorSuite.cases({
      ...memory,
      layer: Layer.effect(
        Reactor,
        Effect.map(Reactor, (reactor) => ({ ...reactor, ...change(reactor) }))
      ).pipe(Layer.provide(MemoryReactor.layer()))
    }).filter(({ missing, name }) => missing.length === 0 && which.test(name))

  it.live("notices a reactor that goes on listening when it should have stopped", () =>
    Effect.gen(function* () {
      const failed = yield* firstFailure(
        casesOver(
          ({ listen }) => ({
            listen: (endpoint) =>
              Effect.map(listen(endpoint), (listener) => ({
                ...listener,
                address: listener.address,
                acceptEach: listener.acceptEach.bind(listener),
                stop: Effect.void
              }))
          }),
          /stop/i
        )
      )
      assert.isDefined(failed)
      yield* LoggedFailures.flushLoggedFailures()
    })
  )
})
