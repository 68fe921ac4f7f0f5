import { describe, expectTypeOf, it } from "vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as FileSystem from "effect/FileSystem"
import type { Path } from "effect/Path"
import type * as Scope from "effect/Scope"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { Timers } from "../../src/reactor/Timers.ts"
import * as Fault from "../../src/sim/Fault.ts"
import type { Crashed, SimError } from "../../src/sim/SimError.ts"
import * as World from "../../src/sim/World.ts"
import * as Linearizability from "../../src/testing/Linearizability.ts"

class Store extends Context.Service<Store, number>()("test/Store") {}
class Broken {
  readonly _tag = "Broken"
}

describe("worlds", () => {
  const onHost = Effect.gen(function* () {
    yield* Reactor
    yield* Effect.scope
    const store = yield* Store
    if (store > 1) return yield* Effect.fail(new Broken())
    return store
  })

  it("a host gives what its program finds there; the rest is owed", () => {
    expectTypeOf(World.host("a", onHost)).toEqualTypeOf<
      Effect.Effect<World.Host<number, Broken>, never, World.World | Store>
    >()
    expectTypeOf(World.at("a", onHost)).toEqualTypeOf<
      Effect.Effect<number, Broken | Crashed, World.World | Store>
    >()
    expectTypeOf<World.Provided>().toExtend<Reactor | Timers | FileSystem.FileSystem | Scope.Scope | Path>()
  })

  it("a run ends as its program does, or with a SimError", () => {
    const run = World.run(Effect.provideService(onHost, Store, 1), { seed: 1 })
    expectTypeOf(run).toEqualTypeOf<World.Run<number, Broken>>()
    expectTypeOf(run.exit).toEqualTypeOf<Exit.Exit<number, Broken | SimError>>()
    // Nobody gives it a store.
    expectTypeOf(onHost).not.toExtend<Effect.Effect<unknown, unknown, World.World | World.Provided>>()
  })

  it("faults that last need a scope; for a while they do not", () => {
    expectTypeOf(Fault.partition("a", ["b"])).toEqualTypeOf<
      Effect.Effect<void, never, World.World | Scope.Scope>
    >()
    expectTypeOf(Fault.during("1 second", Fault.stop("a"))).toEqualTypeOf<
      Effect.Effect<void, never, World.World>
    >()
    expectTypeOf(Fault.crash("a")).toEqualTypeOf<Effect.Effect<void, never, World.World>>()
  })

  it("recording changes nothing of an operation", () => {
    const { record } = Linearizability.recorder<string, number>()
    expectTypeOf(record("a", "read", onHost)).toEqualTypeOf(onHost)
    expectTypeOf(Linearizability.registers(0)).toEqualTypeOf<
      Linearizability.Model<number, Linearizability.RegisterInput<number>, number | boolean>
    >()
  })
})
