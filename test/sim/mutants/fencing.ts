/** A leader by lease: whoever has it may write. One that stood still while it ran out does not know, if nobody asks. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Lines from "../../../src/framing/Lines.ts"
import * as Client from "../../../src/protocol/Client.ts"
import * as Server from "../../../src/protocol/Server.ts"
import * as Endpoint from "../../../src/reactor/Endpoint.ts"
import * as Invariant from "../../../src/sim/Invariant.ts"
import * as Swarm from "../../../src/sim/Swarm.ts"
import * as World from "../../../src/sim/World.ts"

const leaseMillis = 1_000

/** Gives leases with a number that grows, and stores what the holder writes. */
const store = (broken: boolean, written: (token: number) => void) =>
  Effect.gen(function* () {
    let [token, until, newest] = [0, 0, 0]
    yield* Server.make(
      Endpoint.tcp({ port: 7 }),
      Lines.over()((lines) =>
        Effect.ignore(
          lines.receiveEach(
            Effect.fnUntraced(function* (line) {
              const now = yield* Clock.currentTimeMillis
              if (line === "lease") {
                if (now < until) return yield* lines.send("taken")
                until = now + leaseMillis
                return yield* lines.send(String(++token))
              }
              const own = Number(line)
              if (!broken && own < newest) return yield* lines.send("fenced")
              newest = Math.max(newest, own)
              written(own)
              return yield* lines.send("ok")
            })
          )
        )
      )
    )
    return yield* Effect.never
  }).pipe(Effect.scoped)

const node = Effect.forever(
  Effect.gen(function* () {
    const lines = Lines.make(
      yield* Client.connect(Endpoint.tcpClient({ host: "store", port: 7, timeout: "2 seconds" }))
    )
    const ask = (line: string) => Effect.andThen(lines.send(line), lines.receive)
    const token = yield* ask("lease")
    if (token === "taken") return yield* Effect.sleep("100 millis")
    const until = (yield* Clock.currentTimeMillis) + leaseMillis
    while ((yield* Clock.currentTimeMillis) < until - 200) {
      // What is written takes some thought.
      yield* Effect.sleep("50 millis")
      yield* ask(token)
    }
  }).pipe(
    Effect.scoped,
    Effect.timeout("5 seconds"),
    Effect.ignore,
    Effect.andThen(Effect.sleep("50 millis"))
  )
)

/** What a later leader wrote is written over by an earlier one. */
export const fencing = (broken: boolean) =>
  Effect.gen(function* () {
    const tokens: Array<number> = []
    yield* World.host(
      "store",
      store(broken, (token) => void tokens.push(token))
    )
    yield* Effect.forEach(["a", "b", "c"], (name) => World.host(name, node))
    yield* Invariant.always("an old leader writes no more", () => {
      const [before = 0, last = 0] = tokens.slice(-2)
      return tokens.length < 2 || last >= before
    })
    yield* Swarm.swarm({ hosts: ["a", "b", "c"], kinds: ["stop", "slow"], every: "1 second" })
    yield* Effect.sleep("15 seconds")
  }).pipe(Effect.scoped)
