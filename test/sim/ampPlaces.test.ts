/** The places of AMP, while whoever reads is interrupted at any moment, and fibers yield wherever they can. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import { AmpPlaces } from "../../src/amp/AmpPlaces.ts"
import * as World from "../../src/sim/World.ts"
import { valueOf } from "./runs.ts"

const placesMax = 2

const program = Effect.gen(function* () {
  const places = new AmpPlaces<never>(
    { mustRead: () => false, broken: () => Effect.void },
    { placesMax, queuedMax: 10, aheadMax: 2, aheadBytesMax: 10 },
    yield* Effect.scope
  )
  let [active, most, begun] = [0, 0, 0]
  const take = (work: Effect.Effect<void>) =>
    Effect.suspend(() => places.take({ run: work, bytes: () => 1 }) || Effect.die("there is too much"))
  const work = Effect.acquireUseRelease(
    Effect.sync(() => {
      begun++
      most = Math.max(most, ++active)
    }),
    () => Effect.flatMap(Random.nextIntBetween(0, 12), (micros) => Effect.sleep(`${micros} micros`)),
    () => Effect.sync(() => active--)
  )
  for (let i = 0; i < 20; i++) {
    places.readsAhead = i % 2 === 0
    const reader = yield* Effect.forkChild(Effect.forever(take(work)))
    yield* Effect.sleep(`${yield* Random.nextIntBetween(0, 60)} micros`)
    yield* Fiber.interrupt(reader)
  }
  yield* Effect.timeout(places.idle, "1 second")
  // As many as there are places: each waits for all the others.
  const all = yield* Deferred.make<void>()
  let here = 0
  const meet = Effect.suspend(() =>
    ++here === placesMax ? Effect.asVoid(Deferred.succeed(all, undefined)) : Deferred.await(all)
  )
  for (let i = 0; i < placesMax; i++) yield* take(meet)
  yield* Effect.timeout(Deferred.await(all), "1 second")
  return { begun, most }
}).pipe(Effect.scoped)

describe("the places of AMP", () => {
  it("are never more than there are, and none is lost with its reader", () => {
    let all = 0
    for (let seed = 0; seed < 300; seed++) {
      const { begun, most } = valueOf(World.run(program, { seed, yieldEvery: 2, yieldAfter: 1 }))
      assert.isAtMost(most, placesMax, `seed ${seed}`)
      all += begun
    }
    assert.isAbove(all, 1_000)
  }, 120_000)
})
