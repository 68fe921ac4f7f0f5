/** AMP in both directions at once, under faults of the network and of the server. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { AmpClient, type AmpConnection, AmpResponder, AmpServer } from "../../../src/amp/index.ts"
import * as Endpoint from "../../../src/reactor/Endpoint.ts"
import * as Invariant from "../../../src/sim/Invariant.ts"
import * as Swarm from "../../../src/sim/Swarm.ts"
import * as World from "../../../src/sim/World.ts"
import { Book, callTimeout, group } from "./ampBook.ts"

type Connection = AmpConnection.AmpConnection["Service"]

const server = Endpoint.tcpClient({ host: "server", port: 1234, timeout: "3 seconds" })

/** A server asks, too, as long as a connection stands. */
const serving = (book: Book) => {
  let connections = 0
  const asking = (connection: Connection) =>
    Effect.suspend(() => {
      const name = `server ${++connections}`
      return Effect.forEach(
        Array.from({ length: 10 }),
        (_, i) =>
          Effect.andThen(Effect.sleep(book.seed.between(0, 1_000)), book.ask(connection, `${name}.${i}`)),
        { concurrency: 3, discard: true }
      )
    })
  const options = { ...book.limits, callTimeout, finishTimeout: "2 seconds", connected: asking } as const
  return Layer.launch(AmpServer.layer(Endpoint.tcp({ port: 1234 }), group, book.handlers, options))
}

const connect = (book: Book) =>
  AmpClient.connect(server, group, {
    ...book.limits,
    callTimeout,
    responder: AmpResponder.make(group, book.handlers)
  })

/** As many calls as there are places, and as many that wait for one: gives how many were answered. */
const crowd = (book: Book, connection: Connection, name: string, how: "now" | "back") => {
  const size = 2 * book.limits.callsMax
  const asked = Effect.forEach(
    Array.from({ length: size }),
    (_, i) => book.question(connection, { id: `${name} ${how} ${i}`, how, size: 10, timeout: undefined }),
    { concurrency: "unbounded" }
  )
  return Effect.map(asked, (all) => all.filter((isAnswered) => isAnswered).length)
}

const client = (book: Book, name: string, rounds: number, calls: number) =>
  Effect.gen(function* () {
    const { seed } = book
    const before = yield* Scope.make()
    let last: Connection | undefined
    for (let round = 0; round < rounds; round++) {
      const scope = yield* Scope.make()
      const opened = yield* Effect.exit(Scope.provide(connect(book), scope))
      if (Exit.isFailure(opened)) {
        yield* Scope.close(scope, Exit.void)
        yield* Effect.sleep("200 millis")
        continue
      }
      const { connection } = opened.value
      yield* Effect.forEach(
        Array.from({ length: calls }),
        (_, i) =>
          Effect.andThen(
            Effect.sleep(seed.pick([0, 0, 10, 500])),
            book.ask(connection, `${name} ${round}.${i}`)
          ),
        { concurrency: seed.between(1, 12), discard: true }
      )
      last = connection
      if (round === rounds - 1) yield* Scope.addFinalizer(before, Scope.close(scope, Exit.void))
      else yield* Scope.close(scope, Exit.void)
    }
    while (!book.isCalm) yield* Effect.sleep("1 second")
    // What was abandoned is done by then, and what was lost was sent again.
    yield* Effect.sleep("5 minutes")
    const size = 2 * book.limits.callsMax
    if (last !== undefined) {
      const timedOut = book.timedOut
      const answered = yield* crowd(book, last, `${name} old`, "now")
      if (answered > 0) book.kept++
      // The connection stands and serves everybody, or is gone for everybody.
      book.demand(
        answered === size || (answered === 0 && book.timedOut === timedOut),
        `${name}: ${answered} of ${size} on the old connection; ${book.lastFailure}`
      )
    }
    yield* Scope.close(before, Exit.void)
    yield* Effect.scoped(
      Effect.gen(function* () {
        const { connection } = yield* connect(book)
        for (const how of ["now", "back"] as const) {
          const answered = yield* crowd(book, connection, `${name} new`, how)
          book.demand(
            answered === size,
            `${name}: ${answered} of ${size} are answered ${how}; ${book.lastFailure}`
          )
        }
      })
    )
  })

/** How many calls were answered, and how many connections stood to the end. */
export const amp = Effect.gen(function* () {
  const { engine } = yield* World.World
  const callsMax = yield* World.dial("callsMax", { min: 1, max: 6 })
  const commandsMax = yield* World.dial("commandsMax", { min: 1, max: 4 })
  const book = new Book(engine.seed.fork("amp"), { callsMax, commandsMax, commandsQueuedMax: 20 })
  const clients = yield* World.dial("clients", { min: 1, max: 3 })
  const rounds = yield* World.dial("rounds", { min: 1, max: 3 })
  const calls = yield* World.dial("calls", { min: 1, max: 40 })
  yield* Invariant.always("AMP keeps its promises", () => book.broken ?? true)
  yield* World.host("server", serving(book), { mayFail: true })
  const names = Array.from({ length: clients }, (_, i) => `client${i}`)
  const asking = yield* Effect.forkChild(
    Effect.forEach(names, (name) => World.at(name, client(book, name, rounds, calls)), {
      concurrency: "unbounded"
    })
  )
  // The network between all of them fails, or the server and what leads to it.
  const swarm: Swarm.SwarmOptions = book.seed.chance(0.5)
    ? { hosts: ["server", ...names], kinds: ["partition", "oneWay", "isolate", "degrade", "reset"] }
    : { hosts: ["server"], kinds: ["crash", "stop", "slow", "drift", "isolate", "reset"] }
  yield* Effect.scoped(
    Effect.andThen(Swarm.swarm({ ...swarm, every: "1 second" }), Effect.sleep("20 seconds"))
  )
  book.isCalm = true
  yield* Fiber.join(asking)
  return { answered: book.answered, kept: book.kept }
}).pipe(Effect.scoped)
