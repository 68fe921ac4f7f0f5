/** Random trees, random failures, random requests, several at a time: what a tree promises holds whatever happens. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { ServiceTree } from "../../src/app/index.ts"
import { reporting, settle, stateOf } from "./serviceKit.ts"
import { World, all } from "./serviceWorld.ts"

const restless = new Set(["Starting", "Draining", "Restarting"])

/** What began without a clock gets as far as it can before time goes on. */
const wait = (seconds: number): Effect.Effect<void> =>
  Effect.forEach(
    Array.from({ length: seconds }),
    () => Effect.andThen(settle, Effect.andThen(TestClock.adjust("1 second"), settle)),
    { discard: true }
  )

const live = Effect.fnUntraced(function* (seed: number, happenings: number, left: () => number) {
  const before = left()
  const world = new World(seed)
  world.isPeaceful = world.chance(0.8)
  const scope = yield* Scope.make()
  const starting = yield* Effect.forkChild(
    Effect.exit(Scope.provide(ServiceTree.start(world.group("app", 2)), scope)),
    { startImmediately: true }
  )
  const pass = Effect.flatMap(world.passing, (millis) => Effect.andThen(settle, TestClock.adjust(millis)))
  yield* wait(60)
  const started = yield* Fiber.join(starting)
  world.isPeaceful = false
  if (Exit.isSuccess(started)) {
    const tree = started.value
    for (let i = 0; i < happenings; i++) {
      yield* world.happening(tree)
      if (world.chance(0.5)) yield* pass
    }
    const isEndedEarly = world.chance(0.3)
    if (!isEndedEarly) {
      // Whatever was under way comes to an end, and no turn is held for ever.
      world.isPeaceful = true
      yield* wait(60)
      const asked = yield* Effect.forkChild(
        Effect.forEach(yield* all(tree), (node) => node.reload),
        {
          startImmediately: true
        }
      )
      yield* wait(1)
      if (asked.pollUnsafe()?._tag !== "Success") world.broken.push("a turn is held")
      for (const node of yield* all(tree)) {
        const state = stateOf(node)
        if (restless.has(state)) world.broken.push(`${node.path} is still ${state}`)
        const actor = world.actors.get(node.name)
        if (actor !== undefined && (actor.open === 1) !== (state === "Running")) {
          world.broken.push(`${node.path} is ${state} with ${actor.open} open`)
        }
        if (
          state === "Stopped" &&
          node.state.value._tag === "Stopped" &&
          node.state.value.waitingFor !== undefined
        ) {
          const other = yield* tree.find(node.state.value.waitingFor)
          if (stateOf(other) === "Running")
            world.broken.push(`${node.path} waits for ${other.path}, which runs`)
        }
      }
    }
  }
  const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
  yield* wait(60)
  if (closing.pollUnsafe() === undefined) world.broken.push("the tree does not end")
  for (const { bound, name, open } of world.actors.values()) {
    if (open !== 0 || bound !== 0) world.broken.push(`${name} is left with ${open} open, ${bound} bound`)
  }
  if (left() !== before) world.broken.push(`${left() - before} fibers are left`)
  if (world.starts !== world.stops) world.broken.push(`${world.starts} starts, ${world.stops} stops`)
  return world
})

/** Fibers that it has begun and not ended. */
const counting = <A, E, R>(effect: (left: () => number) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    let running = 0
    return Effect.provideService(
      effect(() => running),
      Metric.FiberRuntimeMetrics,
      {
        recordFiberStart: () => void running++,
        recordFiberEnd: () => void running--
      }
    )
  })

describe("ServiceTree, whatever happens", () => {
  const first = Number(process.env.SERVICE_SEED ?? 1)
  const seeds = Number(process.env.SERVICE_SEEDS ?? 150)
  it.effect(
    "keeps its promises",
    () =>
      reporting(() =>
        Effect.gen(function* () {
          let starts = 0
          for (let seed = first; seed < first + seeds; seed++) {
            const world = yield* counting((left) => live(seed, 40, left))
            starts += world.starts
            if (world.broken.length > 0) {
              assert.fail(`seed ${seed}: ${world.broken.join("\n")}\n${world.history.join("\n")}`)
            }
          }
          // It was not all about trees that never started.
          assert.isAbove(starts, 10 * seeds)
        })
      ),
    120_000
  )
})
