/** What the tests of lasting clients share: an endpoint that does what a script says, and both ends of what it makes. */
import { assert } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Random from "effect/Random"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { ConnectError, type ConnectReason } from "../../src/reactor/ReactorError.ts"
import * as Reason from "../../src/reactor/Reason.ts"
import type { Closeable, Transport } from "../../src/reactor/Transport.ts"
import { portOf, world } from "../memory/pair.ts"

/** What becomes of an attempt. `hang` ends by interruption only. */
export type Outcome = "connect" | "hang" | ConnectReason

export const refused = () => new Reason.Refused({ detail: "nobody listens there" })

/** An endpoint whose attempts, counted from 1, go as `script` says; `times` has when each began. */
export const dialing = Effect.fnUntraced(function* (
  script: (attempt: number) => Outcome | (() => Effect.Effect<Outcome>)
) {
  const { network, reactor } = yield* world()
  const listener = yield* reactor.listen(Endpoint.tcp({ port: 0 }))
  /** The servers' ends, in their order. */
  const peers: Array<Closeable> = []
  yield* Effect.forkScoped(
    listener.acceptEach((transport) => {
      peers.push(transport)
    }),
    { startImmediately: true }
  )
  yield* Effect.addFinalizer(() => Effect.forEach(peers, (peer) => peer.close))
  const times: Array<number> = []
  let interrupted = 0
  let open = 0
  const target = Endpoint.tcpClient({ host: "127.0.0.1", port: portOf(listener.address) })
  const endpoint = Endpoint.customClient({
    description: "scripted",
    connect: Effect.gen(function* () {
      times.push(yield* Clock.currentTimeMillis)
      const said = script(times.length)
      const outcome = typeof said === "function" ? yield* said() : said
      if (outcome === "connect") {
        open++
        // Registered first, so that it runs when the connection is closed.
        yield* Effect.addFinalizer(() => Effect.sync(() => open--))
        return yield* reactor.connect(target)
      }
      if (outcome !== "hang") {
        return yield* Effect.fail(new ConnectError({ endpoint: "scripted", reason: outcome }))
      }
      return yield* Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
    })
  })
  return {
    endpoint,
    network,
    reactor,
    times,
    peers,
    settled: network.settled,
    interrupted: () => interrupted,
    /** The peer's end of the latest connection. */
    peer: Effect.sync((): Closeable => peers.at(-1) ?? assert.fail("nobody has connected")),
    /** Connections that the client's side has not closed. */
    open: () => open
  }
})

export const itself = (transport: Transport) => Effect.succeed(transport)

/** Chance that always gives the same. */
export const always = (value: number) =>
  Effect.provideService(Random.Random, {
    nextDoubleUnsafe: () => value,
    nextIntUnsafe: () => Math.floor(value * Number.MAX_SAFE_INTEGER)
  })

/** Dies if a fiber that `self` has started, in whatever way, is still there when it has ended. */
export const leavingNoFiber = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    let fibers = 0
    const counting: Metric.FiberRuntimeMetricsService = {
      recordFiberStart: () => void fibers++,
      recordFiberEnd: () => void fibers--
    }
    const check = Effect.andThen(
      Effect.yieldNow,
      Effect.sync(() => assert.strictEqual(fibers, 0, "fibers left"))
    )
    return Effect.provideService(Effect.tap(self, check), Metric.FiberRuntimeMetrics, counting)
  })
