/** Whoever asks something of a service tree may leave at any moment, while fibers yield wherever they can. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { Service, ServiceGroup, type ServiceNode, ServiceTree } from "../../src/app/index.ts"
import * as World from "../../src/sim/World.ts"
import { type Program, valueOf } from "./runs.ts"

const timeout = 120_000

/** What a program gives but this, with some seeds and patience of any length; fibers are cut after nearly every operation. */
const otherThan = (expected: string, program: (micros: number) => Program<string>) => {
  for (let seed = 0; seed < 4; seed++) {
    for (let micros = 0; micros < 240; micros++) {
      const got = valueOf(World.run(program(micros), { seed, yieldEvery: 1.5, yieldAfter: 1 }))
      if (got !== expected) return `${got}, with seed ${seed}, after ${micros} us`
    }
  }
  return "nothing"
}

/** Asks, and does not want it any more after so many microseconds; an operation takes one. */
const impatiently = (asked: Effect.Effect<unknown, unknown>, micros: number) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(asked)
    yield* Effect.sleep(`${micros} micros`)
    yield* Fiber.interrupt(fiber)
  })

/** A service that can be slow, among others. */
class Slow {
  isSlow = false
  bound = 0
  open = 0
  code = 0
  asked = ""

  readonly service = Service.make({
    name: "slow",
    privileged: Effect.acquireRelease(
      Effect.sync(() => this.bound++),
      () => Effect.sync(() => this.bound--)
    ),
    start: () =>
      Effect.andThen(
        Effect.acquireRelease(
          Effect.sync(() => this.open++),
          () => Effect.sync(() => this.open--)
        ),
        this.starting
      ),
    details: () => {
      const ask = Effect.sync(() => (this.asked += this.open === 1 ? "" : "asked when it was closed"))
      return Effect.andThen(ask, Effect.ensuring(Effect.sleep("1 minute"), ask))
    }
  })

  /** It ends a while after it was interrupted. */
  private get starting(): Effect.Effect<void> {
    return Effect.acquireUseRelease(
      Effect.sync(() => this.code++),
      () => (this.isSlow ? Effect.sleep("1 minute") : Effect.void),
      () =>
        Effect.andThen(
          Effect.sleep("1 millis"),
          Effect.sync(() => this.code--)
        )
    )
  }

  /** Stopped, in a tree that runs; and somebody else. */
  readonly make = Effect.gen({ self: this }, function* () {
    const other = Service.make({
      name: "other",
      start: () => Effect.addFinalizer(() => Effect.sleep("10 micros"))
    })
    const tree = yield* ServiceTree.start(ServiceGroup.make("app", [other, this.service]))
    return [yield* tree.find("slow"), yield* tree.find("other")] as const
  })

  show({ state: { value } }: ServiceNode): string {
    return `${value._tag}: bound ${this.bound}, open ${this.open}, code ${this.code}`
  }
}

const reasonOf = (exit: Exit.Exit<void, { readonly reason: { readonly _tag: string } }>): string =>
  Exit.isSuccess(exit)
    ? "started"
    : exit.cause.reasons
        .map((reason) => (reason._tag === "Fail" ? reason.error.reason._tag : reason._tag))
        .join()

describe("who asks for something, and leaves", () => {
  it("a start: nothing of it goes on, and nothing is left", () => {
    const program = (micros: number) =>
      Effect.gen(function* () {
        const slow = new Slow()
        const [node, other] = yield* slow.make
        yield* node.stop
        slow.isSlow = true
        // The turn may be somebody else's then.
        yield* Effect.forkChild(other.restart)
        const before = yield* Clock.currentTimeMillis
        yield* impatiently(node.start, micros)
        const took = (yield* Clock.currentTimeMillis) - before
        const after = slow.show(node)
        slow.isSlow = false
        yield* node.start
        return `${took < 1_000 ? "" : `after ${took} ms `}${after}; ${slow.show(node)}`
      }).pipe(Effect.scoped)
    assert.strictEqual(
      otherThan("Stopped: bound 0, open 0, code 0; Running: bound 1, open 1, code 0", program),
      "nothing"
    )
  })

  it(
    "a stop: what it has cut short was stopped, and has not failed; and so it is the next time",
    () => {
      const program = (micros: number) =>
        Effect.gen(function* () {
          const slow = new Slow()
          const [node] = yield* slow.make
          yield* node.stop
          slow.isSlow = true
          const first = yield* Effect.forkChild(node.start)
          yield* Effect.sleep("10 millis")
          yield* impatiently(node.stop, micros)
          // Whether he has left or not, until what he has cut short is over.
          if (micros % 2 === 0) yield* Effect.sleep("10 millis")
          yield* node.stop
          const second = yield* Effect.forkChild(node.start)
          yield* Effect.sleep("10 millis")
          yield* node.stop
          const exits = yield* Fiber.awaitAll([first, second])
          return `${exits.map(reasonOf).join(", ")}; ${slow.show(node)}`
        }).pipe(Effect.scoped)
      assert.strictEqual(otherThan("Stopped, Stopped; Stopped: bound 0, open 0, code 0", program), "nothing")
    },
    timeout
  )
})

describe("a snapshot", () => {
  it(
    "while a service is stopped: it is not asked when it is closed, and not waited for",
    () => {
      const program = (micros: number) =>
        Effect.gen(function* () {
          const slow = new Slow()
          const [node] = yield* slow.make
          const taking = yield* Effect.forkChild(node.snapshot)
          yield* Effect.sleep(`${micros} micros`)
          const before = yield* Clock.currentTimeMillis
          yield* node.stop
          const { details } = yield* Fiber.join(taking)
          const took = (yield* Clock.currentTimeMillis) - before
          return `${slow.asked}${String(details)}, ${took < 500}`
        }).pipe(Effect.scoped)
      assert.strictEqual(otherThan("undefined, true", program), "nothing")
    },
    timeout
  )
})
