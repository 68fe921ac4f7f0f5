/** A tree with a server is stopped, or restarted, while clients talk and the network fails. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { Service, ServiceGroup, ServiceTree, StreamServerService } from "../../../src/app/index.ts"
import * as Lines from "../../../src/framing/Lines.ts"
import * as Client from "../../../src/protocol/Client.ts"
import * as Protocol from "../../../src/protocol/Protocol.ts"
import * as Endpoint from "../../../src/reactor/Endpoint.ts"
import { ConnectError } from "../../../src/reactor/ReactorError.ts"
import type { Transport } from "../../../src/reactor/Transport.ts"
import * as Invariant from "../../../src/sim/Invariant.ts"
import * as Swarm from "../../../src/sim/Swarm.ts"
import * as World from "../../../src/sim/World.ts"

class Shelf extends Context.Service<Shelf, { isOpen: boolean }>()("test/sim/Shelf") {}

const drainMillis = 1_000
const interruptMillis = 300

/** What was seen of it all. */
class Seen {
  broken: string | undefined = undefined
  /** Requests that are worked on. */
  working = 0
  answered = 0
  refused = 0
  /** How often answers were still sent, though the tree was about to stop. */
  drained = 0
  isStopping = false
  /** Between a stop and the next start nobody listens. */
  isListening = true
  stops = 0

  demand(isGood: boolean, what: string): void {
    if (!isGood) this.broken ??= what
  }
}

const shelf = (seen: Seen) =>
  Layer.effect(
    Shelf,
    Effect.acquireRelease(
      Effect.sync((): Shelf["Service"] => ({ isOpen: true })),
      (open) =>
        Effect.sync(() => {
          open.isOpen = false
          seen.demand(seen.working === 0, `${seen.working} requests are worked on without what they need`)
        })
    )
  )

/** Some work for each line; once it is to stop, no further line is taken. */
const protocol = (seen: Seen, workMillis: number) => (transport: Transport) =>
  Lines.over()((lines) =>
    Effect.gen(function* () {
      const own = yield* Shelf
      for (;;) {
        const line = yield* Effect.raceFirst(
          Effect.as(Protocol.stopping, undefined),
          Effect.map(lines.receive, (line): string | undefined => line)
        )
        if (line === undefined) return
        yield* Effect.acquireUseRelease(
          Effect.sync(() => seen.working++),
          () => Effect.sleep(workMillis),
          () =>
            Effect.sync(() => {
              seen.demand(own.isOpen, "a request outlives what it needs")
              seen.working--
            })
        )
        if (seen.isStopping) seen.drained++
        yield* lines.send(line)
      }
    })
  )(transport)

const tree = (seen: Seen, workMillis: number) =>
  ServiceGroup.make("app", [
    Service.layer(shelf(seen), { name: "shelf" }),
    ServiceGroup.make("doors", [
      StreamServerService.make({
        name: "lines",
        endpoint: Endpoint.tcp({ port: 7 }),
        protocol: protocol(seen, workMillis),
        drainTimeout: drainMillis,
        interruptTimeout: interruptMillis
      })
    ])
  ])

/** Talks, and comes again when the connection ends. */
const talking = (seen: Seen, name: string, isOver: () => boolean) =>
  Effect.gen(function* () {
    for (let number = 0; !isOver();) {
      const { isListening, stops } = seen
      const exit = yield* Effect.exit(
        Effect.scoped(
          Effect.gen(function* () {
            const endpoint = Endpoint.tcpClient({ host: "server", port: 7, timeout: "2 seconds" })
            const lines = Lines.make(yield* Client.connect(endpoint))
            while (!isOver()) {
              const line = `${name} ${++number}`
              yield* lines.send(line)
              const answer = yield* lines.receive.pipe(Effect.timeout("5 seconds"))
              seen.demand(answer === line, `${line}: ${answer}`)
              seen.answered++
            }
          })
        )
      )
      if (Exit.isFailure(exit)) {
        const error = Cause.squash(exit.cause)
        const isRefused = error instanceof ConnectError && error.reason._tag === "Refused"
        if (isRefused) seen.refused++
        seen.demand(
          !isRefused || !isListening || stops < seen.stops,
          `${name} is refused, while somebody listens`
        )
      }
      yield* Effect.sleep("20 millis")
    }
  })

/** Stops it all, restarts the server, or stops and starts it all; several times. */
const operating = (seen: Seen, workMillis: number, times: number, isTimed: boolean, over: () => void) =>
  Effect.gen(function* () {
    const { engine } = yield* World.World
    const seed = engine.seed.fork("operator")
    const running = yield* ServiceTree.start(tree(seen, workMillis))
    const lines = yield* running.find("doors/lines")
    const timed = Effect.fnUntraced(function* (what: string, asked: Effect.Effect<void, unknown>) {
      const begin = engine.now
      seen.isStopping = true
      const exit = yield* Effect.exit(asked)
      seen.isStopping = false
      seen.demand(Exit.isSuccess(exit), `${what}: ${String(exit)}`)
      const took = (engine.now - begin) / 1e6
      seen.demand(!isTimed || took < drainMillis + interruptMillis + 500, `${what} takes ${took} ms`)
    })
    for (let time = 0; time < times; time++) {
      yield* Effect.sleep(seed.between(5, 3_000))
      if (seed.chance(0.6)) {
        // Its port stays bound meanwhile.
        yield* timed("a restart", lines.restart)
        continue
      }
      seen.isListening = false
      seen.stops++
      yield* timed("a stop", running.stop)
      seen.demand(seen.working === 0, `${seen.working} requests are worked on after the stop`)
      yield* Effect.sleep(seed.between(0, 500))
      yield* running.root.start
      seen.isListening = true
    }
    yield* Effect.sleep("1 second")
    over()
    // Whoever still waits for an answer gives up, or has it.
    yield* Effect.sleep("20 minutes")
    yield* timed("the last stop", running.stop)
  }).pipe(Effect.scoped)

/** How many requests were answered, how many of them while the server was about to go, and how many calls were refused. */
export const shutdown = Effect.gen(function* () {
  const { engine } = yield* World.World
  const clients = yield* World.dial("clients", { min: 1, max: 6 })
  const workMillis = yield* World.dial("work", { min: 1, max: 1_500 })
  const times = yield* World.dial("times", { min: 1, max: 5 })
  const seen = new Seen()
  let isOver = false
  yield* Invariant.always("a stop is in order", () => seen.broken ?? true)
  const names = Array.from({ length: clients }, (_, i) => `client${i}`)
  const isNetwork = engine.seed.fork("weather").chance(0.6)
  const swarm: Swarm.SwarmOptions = isNetwork
    ? { hosts: ["server", ...names], kinds: ["partition", "oneWay", "isolate", "degrade", "reset"] }
    : { hosts: ["server"], kinds: ["stop", "slow", "drift", "reset", "isolate"] }
  const own = operating(seen, workMillis, times, isNetwork, () => {
    isOver = true
  })
  const server = yield* World.host("server", own)
  yield* Effect.scoped(
    Effect.andThen(
      Swarm.swarm({ ...swarm, every: "500 millis" }),
      Effect.forEach(
        names,
        (name) =>
          World.at(
            name,
            talking(seen, name, () => isOver)
          ),
        {
          concurrency: "unbounded"
        }
      )
    )
  )
  yield* server.join
  return { answered: seen.answered, drained: seen.drained, refused: seen.refused }
}).pipe(Effect.scoped)
