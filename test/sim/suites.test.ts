/**
 * The public suites over the simulated network: each case is a world of its own, with its own seed, under virtual time.
 * `SIM_SEED` is the first seed (default 1), `SIM_SEEDS` how many of each (default 3).
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import * as World from "../../src/sim/World.ts"
import * as SimReactor from "../../src/sim/SimReactor.ts"
import * as DatagramSuite from "../../src/testing/DatagramSuite.ts"
import * as ReactorSuite from "../../src/testing/ReactorSuite.ts"
import * as TransportSuite from "../../src/testing/TransportSuite.ts"
import type { Case } from "../../src/testing/suite/Case.ts"
import { inetOf, pathOf } from "../support/endpoints.ts"

const seedFirst = Number(process.env["SIM_SEED"] ?? 1)
const seeds = Array.from({ length: Number(process.env["SIM_SEEDS"] ?? 3) }, (_, i) => seedFirst + i)

const identity = { certificate: "a certificate", privateKey: "its key" }
const standIn: ReactorSuite.TlsMaterial = {
  server: { identity, alpn: ["other", "echo"] },
  client: { alpn: ["echo"], serverName: "localhost" },
  standIn: true
}

// RFC 5737 §3: for documentation.
const blackHole = "198.51.100.1"
const staleFile = "/run/stale.sock"

/** What needs the world, for a suite that does not know of worlds; each case runs in one. */
const inWorld = <A, E>(effect: Effect.Effect<A, E, World.World>) => effect as Effect.Effect<A, E>

const resources = inWorld(
  Effect.map(World.World, ({ network }) => {
    const { connections, events, ports } = network.names.count()
    return [
      ...ports,
      ...Array.from({ length: connections }, () => "connection"),
      ...Array.from({ length: events }, () => "event")
    ]
  })
)

const tcp: ReactorSuite.Subject = {
  name: "simulated TCP",
  layer: Layer.effect(Reactor, inWorld(SimReactor.make())),
  server: (options) => Effect.succeed(Endpoint.tcp({ ...options, port: 0, interface: "127.0.0.1" })),
  serverAt: (address) => Endpoint.tcp({ port: inetOf(address).port, interface: inetOf(address).host }),
  client: (address, options) => Endpoint.tcpClient({ ...options, ...inetOf(address) }),
  named: (host, port, options) => Endpoint.tcpClient({ ...options, host, port }),
  onPort: (host, port) => Endpoint.tcp({ interface: host, port }),
  unanswered: (options) => Effect.succeed(Endpoint.tcpClient({ ...options, host: blackHole, port: 1 })),
  tls: standIn,
  resources
}

let files = 0

const unix: ReactorSuite.Subject = {
  name: "simulated UNIX sockets",
  layer: tcp.layer,
  server: (options) => Effect.sync(() => Endpoint.unix({ ...options, path: `/run/${files++}.sock` })),
  serverAt: (address) => Endpoint.unix({ path: pathOf(address) }),
  client: (address, options) => Endpoint.unixClient({ ...options, path: pathOf(address) }),
  refused: Effect.succeed(Endpoint.unixClient({ path: staleFile })),
  tls: standIn,
  resources
}

const tls: ReactorSuite.Subject = {
  name: "the simulated stand-in for TLS",
  layer: tcp.layer,
  server: (options) =>
    Effect.succeed(Endpoint.tls({ ...options, port: 0, interface: "127.0.0.1", tls: standIn.server })),
  serverAt: (address) =>
    Endpoint.tls({ port: inetOf(address).port, interface: inetOf(address).host, tls: standIn.server }),
  client: (address, options) => Endpoint.tlsClient({ ...options, ...inetOf(address), tls: standIn.client }),
  named: (host, port, options) => Endpoint.tlsClient({ ...options, host, port, tls: standIn.client }),
  onPort: (host, port) => Endpoint.tls({ interface: host, port, tls: standIn.server }),
  unanswered: (options) =>
    Effect.succeed(Endpoint.tlsClient({ ...options, host: blackHole, port: 1, tls: standIn.client })),
  resources
}

/** A connection of a host with itself takes time, too. Cases wait by asking again and again. */
const options: Omit<World.Options, "seed"> = {
  blackHoles: [blackHole],
  staleFiles: [staleFile],
  hosts: { here: ["10.0.0.1", "fd00::1"] },
  loopback: { latency: { min: "5 micros", mean: "30 micros" } },
  handshake: "50 micros",
  stepTime: "2 micros",
  stepsMax: 3_000_000
}

const simulate = (name: string, cases: ReadonlyArray<Case>, more: Partial<World.Options> = {}): void => {
  describe(name, () => {
    for (const { missing, name, run } of cases) {
      const suffix = missing.length === 0 ? "" : ` [no ${missing.join(", ")}]`
      it.skipIf(missing.length > 0)(name + suffix, () => {
        for (const seed of seeds) {
          const { exit } = World.run(run, { ...options, ...more, seed })
          assert(Exit.isSuccess(exit), `SIM_SEED=${seed} SIM_SEEDS=1: ${String(exit)}`)
        }
      })
    }
  })
}

// Each end has a send buffer and a receive buffer, and as much may be under way.
const systemBytesMax = 3 * 65_536

for (const subject of [tcp, unix, tls]) {
  simulate(
    `Transport over ${subject.name}`,
    TransportSuite.cases({
      name: subject.name,
      pair: ReactorSuite.pairOver(subject),
      capabilities: subject === unix ? ["HalfClose", "Reset"] : ["HalfClose", "Reset", "Addresses"],
      systemBytesMax,
      security: subject === tls ? "Tls" : "Plain",
      resources
    })
  )
  simulate(`Reactor with ${subject.name}`, ReactorSuite.cases(subject))
}

const datagrams = (host: string, by: string, group: string) =>
  DatagramSuite.cases({
    name: "simulated UDP",
    layer: Layer.effect(Reactor, inWorld(SimReactor.make("here"))),
    interface: host,
    multicast: { groups: [`${group}1`, `${group}2`], interface: by, loopback: true, membersOnly: true },
    resources
  })

// The suite is for machines that talk to themselves: datagrams keep their order.
const inOrder = { loopback: { latency: "0 millis" } } as const
simulate("Simulated datagrams, IPv4", datagrams("127.0.0.1", "10.0.0.1", "239.255.71."), inOrder)
simulate("Simulated datagrams, IPv6", datagrams("::1", "fd00::1", "ff11::710"), inOrder)
