/** A proxy in memory, targets around it, and clients. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import * as SocksEndpoint from "../../src/socks/SocksEndpoint.ts"
import * as SocksRules from "../../src/socks/SocksRules.ts"
import * as SocksServer from "../../src/socks/SocksServer.ts"
import * as SocksUsers from "../../src/socks/SocksUsers.ts"
import { world } from "../memory/pair.ts"

/** What names mean, beside the proxy. */
export const hosts = {
  site: ["9.9.9.9", "10.0.0.6"],
  other: "8.8.4.4",
  inside: "10.0.0.5",
  // A name whose owner wants to reach this machine.
  rebind: "127.0.0.1",
  mixed: ["10.0.0.6", "9.9.9.9"]
}
const blackHoles = ["8.8.4.4"]

export interface Options extends SocksRules.Options, SocksServer.Options {
  readonly users?: ReadonlyArray<readonly [string, string]>
  /** What the rules are instead. */
  readonly rules?: Partial<SocksRules.SocksRules["Service"]>
  /** What the proxy finds instead. */
  readonly reactor?: (own: Reactor["Service"]) => Partial<Reactor["Service"]>
}

/** A proxy on loopback and on `10.0.0.5`; whoever listens on port 7 sends back, in capitals. */
export const proxied = Effect.fnUntraced(function* (options: Options = {}) {
  const { network } = yield* world({ hosts, blackHoles })
  const own = yield* MemoryReactor.makeOn(network, "inside")
  const reactor = { ...own, ...options.reactor?.(own) }
  const site = yield* MemoryReactor.makeOn(network, "site")
  const shout = (transport: Transport) =>
    transport.receiveEach((bytes) => transport.send(new TextDecoder().decode(bytes).toUpperCase()))
  for (const [where, interfaces] of [
    [site, ["9.9.9.9"]],
    [reactor, ["127.0.0.1"]]
  ] as const) {
    for (const one of interfaces) {
      yield* Effect.provideService(
        Server.make(Endpoint.tcp({ port: 7, interface: one }), shout),
        Reactor,
        where
      )
    }
  }
  const { users } = options
  const known =
    users === undefined
      ? SocksUsers.nobodyAsked
      : SocksUsers.memory(users.map(([name, password]) => [name, Redacted.make(password)] as const))
  const server = yield* Server.make(
    Endpoint.tcp({ port: 1080, interface: "127.0.0.1" }),
    SocksServer.protocol(options),
    { drainTimeout: 0, interruptTimeout: 0 }
  ).pipe(
    Effect.provideService(Reactor, reactor),
    Effect.provideService(SocksRules.SocksRules, { ...SocksRules.make(options), ...options.rules }),
    Effect.provideService(SocksUsers.SocksUsers, known)
  )
  const proxy = Endpoint.tcpClient({ host: "127.0.0.1", port: 1080 })
  const dial = reactor.connect(proxy)
  const through = (target: string, port = 7, more: Partial<SocksEndpoint.Options> = {}) =>
    reactor.connect(SocksEndpoint.through({ proxy, ...more })(Endpoint.tcpClient({ host: target, port })))
  /** Bytes in, bytes out, until the proxy closes or says no more. */
  const hex = Effect.fnUntraced(function* (input: string, pieces = 1 << 20) {
    const client = yield* dial
    const bytes = Buffer.from(input.replaceAll(" ", ""), "hex")
    for (let at = 0; at < bytes.length; at += pieces) {
      yield* Effect.ignore(client.send(Uint8Array.from(bytes.subarray(at, at + pieces))))
      yield* network.settled
    }
    const out: Array<Uint8Array> = []
    const receiving = yield* Effect.forkChild(
      client.receiveEach((piece) => Effect.sync(() => out.push(piece))),
      { startImmediately: true }
    )
    yield* network.settled
    const ended = receiving.pollUnsafe() !== undefined
    yield* Fiber.interrupt(receiving)
    return `${Buffer.concat(out).toString("hex")}${ended ? "." : ""}`
  })
  return { dial, hex, network, proxy, reactor, server, site, through }
})
