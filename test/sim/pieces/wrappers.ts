/** A server behind a proxy, with limits and an idle timeout, in a world where everything fails. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as NetAddress from "effect/net/NetAddress"
import * as Random from "effect/Random"
import * as Lines from "../../../src/framing/Lines.ts"
import * as Client from "../../../src/protocol/Client.ts"
import * as Idle from "../../../src/protocol/Idle.ts"
import * as Limit from "../../../src/protocol/Limit.ts"
import * as ProxyHeader from "../../../src/protocol/ProxyHeader.ts"
import * as Server from "../../../src/protocol/Server.ts"
import * as Endpoint from "../../../src/reactor/Endpoint.ts"
import * as Invariant from "../../../src/sim/Invariant.ts"
import * as Swarm from "../../../src/sim/Swarm.ts"
import * as World from "../../../src/sim/World.ts"

const connectionsMax = 4
const perPeerMax = 2

/** What the protocol, inside of all wrappers, sees now. */
interface Seen {
  open: number
  readonly byPeer: Map<string, number>
  server: Server.Server | undefined
}

/** Answers who somebody is, and what he said. */
const answering = (seen: Seen) => (transport: Lines.Lines["transport"]) => {
  const peer = NetAddress.formatSocketAddress(transport.peer)
  const host = peer.slice(0, peer.lastIndexOf(":"))
  const count = (change: number) =>
    Effect.sync(() => {
      seen.open += change
      seen.byPeer.set(host, (seen.byPeer.get(host) ?? 0) + change)
    })
  const lines = Lines.make(transport)
  return Effect.acquireUseRelease(
    count(1),
    () => lines.receiveEach((line) => lines.send(`${peer} ${line}`)),
    () => count(-1)
  )
}

/** `inside`: the header is taken off by a wrapper of the protocol, not by the endpoint. */
const serving = (seen: Seen, inside: boolean) =>
  Effect.scoped(
    Effect.gen(function* () {
      seen.open = 0
      seen.byPeer.clear()
      const proxy = { trusted: ["10.0.0.0/8"], headerTimeout: "1 second" } as const
      const limited = Limit.over({ connectionsMax, connectionsPerPeerMax: perPeerMax })(
        Idle.over("2 seconds", { goodbye: "idle\r\n" })(answering(seen))
      )
      const tcp = Endpoint.tcp({ port: 7 })
      seen.server = yield* inside
        ? Server.make(tcp, ProxyHeader.over(proxy)(limited))
        : Server.make(Endpoint.proxied({ inner: tcp, proxy }), limited)
      return yield* Effect.never
    })
  )

const target = Endpoint.tcpClient({ host: "server", port: 7, timeout: "3 seconds" })

/** One connection that says whom it is for, and asks; or that does as somebody does who is broken. */
const visit = Effect.fnUntraced(function* (host: number) {
  const transport = yield* Client.connect(target)
  const client = `192.0.2.${host}`
  const port = yield* Random.nextIntBetween(1_024, 65_535)
  const header = `PROXY TCP4 ${client} 198.51.100.1 ${port} 7\r\n`
  const way = yield* Random.nextIntBetween(0, 10)
  if (way === 0) return yield* Effect.andThen(transport.send(header.slice(0, 20)), Effect.sleep("5 seconds"))
  if (way === 1)
    return yield* Effect.ignore(Effect.andThen(transport.send("GET / HTTP/1.1\r\n\r\n"), transport.receive))
  yield* transport.send(header)
  if (way === 2) return yield* Effect.sleep("10 seconds")
  if (way === 3) return yield* transport.abort
  const lines = Lines.make(transport)
  const questions = yield* Random.nextIntBetween(1, 5)
  for (let i = 0; i < questions; i++) {
    yield* lines.send(`question ${i}`)
    const answer = yield* lines.receive
    if (answer === "idle") return
    if (answer !== `${client}:${port} question ${i}`) return yield* Effect.die(`${client}:${port}: ${answer}`)
    yield* Effect.sleep(yield* Random.nextIntBetween(0, 1_500))
  }
})

/** Gives how many visits came to their end. */
export const wrappers = Effect.gen(function* () {
  const inside = (yield* World.dial("the header is taken off inside", { min: 0, max: 1 })) === 1
  const clients = yield* World.dial("clients", { min: 1, max: 6 })
  const seen: Seen = { open: 0, byPeer: new Map(), server: undefined }
  yield* World.host("server", serving(seen, inside), { mayFail: true })
  yield* Invariant.always("no more than the limits are served", () => {
    if (seen.open > connectionsMax) return false
    for (const open of seen.byPeer.values()) if (open > perPeerMax) return false
    return true
  })
  const names = Array.from({ length: clients }, (_, index) => `client${index}`)
  let visits = 0
  const client = Effect.fnUntraced(function* (index: number) {
    // Some are the same machine to the proxy.
    const host = 1 + (index % 2)
    for (let i = 0; i < 6; i++) {
      const exit = yield* Effect.exit(Effect.timeout(Effect.scoped(visit(host)), "8 seconds"))
      if (Exit.isSuccess(exit)) visits++
      else if (Exit.hasDies(exit)) return yield* exit
      yield* Effect.sleep("100 millis")
    }
  })
  yield* Effect.scoped(
    Effect.gen(function* () {
      yield* Swarm.swarm({
        hosts: ["server", ...names],
        kinds: ["crash", "reset", "stop", "slow", "drift", "isolate", "degrade", "partition"],
        every: "1 second"
      })
      yield* Effect.forEach(
        names,
        // Who crashes does not come again.
        (name, index) => Effect.catchTag(World.at(name, client(index)), "Crashed", () => Effect.void),
        { concurrency: "unbounded", discard: true }
      )
    })
  )
  // Nobody says goodbye to a client that is gone: the idle timeout ends it, with what it held.
  yield* Invariant.eventually("all places are free again", "20 seconds", () => seen.open === 0)
  yield* Invariant.eventually(
    "no connection is kept",
    "20 seconds",
    () => seen.server?.counts.value.open === 0
  )
  const asked = Effect.gen(function* () {
    const transport = yield* Client.connect(target)
    yield* transport.send("PROXY TCP4 192.0.2.99 198.51.100.1 4711 7\r\nall well?\r\n")
    return yield* Lines.make(transport).receive
  })
  const answer = yield* Effect.retry(Effect.timeout(Effect.scoped(asked), "5 seconds"), { times: 3 })
  if (answer !== "192.0.2.99:4711 all well?") return yield* Effect.die(answer)
  return visits
})
