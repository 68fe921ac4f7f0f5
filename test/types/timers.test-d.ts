import * as Context from "effect/Context"
import type * as Cron from "effect/Cron"
import type * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { describe, expectTypeOf, it } from "vitest"
import type * as NodeReact from "../../src/node/NodeReact.ts"
import * as NodeTimers from "../../src/node/NodeTimers.ts"
import * as Cooperator from "../../src/reactor/Cooperator.ts"
import { deferLater } from "../../src/reactor/deferLater.ts"
import type {
  AlreadyCalled,
  AlreadyCancelled,
  DelayedCall,
  InvalidDelay
} from "../../src/reactor/DelayedCall.ts"
import * as LoopingCall from "../../src/reactor/LoopingCall.ts"
import { ExitCode, react } from "../../src/reactor/react.ts"
import type { Signals } from "../../src/reactor/Signals.ts"
import * as Timers from "../../src/reactor/Timers.ts"

class Room extends Context.Service<Room, { readonly name: string }>()("types/timers/Room") {}
class Rude {
  readonly _tag = "Rude"
}

declare const work: Effect.Effect<number, Rude, Room>
declare const scoped: Effect.Effect<number, Rude, Room | Scope.Scope>

describe("callLater", () => {
  it("asks for what its effect requires, the timers and a scope; its failure is reported, not typed", () => {
    expectTypeOf(Timers.callLater("1 second", work)).toEqualTypeOf<
      Effect.Effect<DelayedCall, InvalidDelay, Room | Scope.Scope | Timers.Timers>
    >()
  })

  it("gives a call whose operations say why they refuse", () => {
    expectTypeOf<DelayedCall["cancel"]>().toEqualTypeOf<
      Effect.Effect<void, AlreadyCalled | AlreadyCancelled>
    >()
    expectTypeOf<ReturnType<DelayedCall["reset"]>>().toEqualTypeOf<
      Effect.Effect<void, AlreadyCalled | AlreadyCancelled | InvalidDelay>
    >()
    expectTypeOf<DelayedCall["cancelUnsafe"]>().toEqualTypeOf<() => boolean>()
  })

  it("is layers without requirements", () => {
    expectTypeOf(Timers.layer).toEqualTypeOf<Layer.Layer<Timers.Timers>>()
    expectTypeOf(NodeTimers.layer).toEqualTypeOf<Layer.Layer<Timers.Timers>>()
  })
})

describe("deferLater", () => {
  it("has the result, the error and the requirements of its effect", () => {
    expectTypeOf(deferLater("1 second")).toEqualTypeOf<Effect.Effect<void, InvalidDelay, Timers.Timers>>()
    expectTypeOf(deferLater("1 second", work)).toEqualTypeOf<
      Effect.Effect<number, Rude | InvalidDelay, Room | Timers.Timers>
    >()
  })
})

describe("LoopingCall", () => {
  it("fails as its effect fails", () => {
    const made = LoopingCall.make(work, { interval: 1 })
    expectTypeOf(made).toEqualTypeOf<Effect.Effect<LoopingCall.LoopingCall<Rude, Room>, InvalidDelay>>()
    const counted = LoopingCall.withCount((count) => Effect.as(work, count), { interval: 1 })
    expectTypeOf(counted).toEqualTypeOf<Effect.Effect<LoopingCall.LoopingCall<Rude, Room>, InvalidDelay>>()
    type Loop = LoopingCall.LoopingCall<Rude, Room>
    expectTypeOf<Loop["run"]>().toEqualTypeOf<
      Effect.Effect<void, Rude | LoopingCall.AlreadyLooping, Room | Timers.Timers>
    >()
    expectTypeOf<Loop["stop"]>().toEqualTypeOf<Effect.Effect<void, LoopingCall.NotLooping>>()
  })

  it("every never ends, and has no error of its own but for the interval", () => {
    expectTypeOf(LoopingCall.every("1 second", work)).toEqualTypeOf<
      Effect.Effect<never, Rude | InvalidDelay, Room | Timers.Timers>
    >()
  })

  it("cron tells the slot", () => {
    const daily = LoopingCall.cron({} as Cron.Cron, (slot) => {
      expectTypeOf(slot).toEqualTypeOf<DateTime.Utc>()
      return work
    })
    expectTypeOf(daily).toEqualTypeOf<
      Effect.Effect<never, Rude | LoopingCall.NoCronSlot | InvalidDelay, Room | Timers.Timers>
    >()
  })

  it("in the background asks for a scope", () => {
    expectTypeOf(
      Effect.flatMap(LoopingCall.make(work, { interval: 1 }), (loop) => LoopingCall.start(loop))
    ).toExtend<Effect.Effect<unknown, InvalidDelay, Room | Timers.Timers | Scope.Scope>>()
  })
})

describe("Cooperator", () => {
  it("a generator's task has its return value, and the errors and requirements of the effects it yields", () => {
    const generator = function* () {
      yield
      yield work
      yield Effect.fail("a string" as const)
      return true
    }
    expectTypeOf(Cooperator.cooperate(generator())).toEqualTypeOf<
      Effect.Effect<
        Cooperator.CooperativeTask<boolean, Rude | "a string">,
        never,
        Room | Cooperator.Cooperator | Scope.Scope
      >
    >()
    expectTypeOf(Cooperator.coiterate(generator())).toEqualTypeOf<
      Effect.Effect<boolean, Rude | "a string" | Cooperator.TaskStopped, Room | Cooperator.Cooperator>
    >()
  })

  it("an iterable of values has neither", () => {
    expectTypeOf(Cooperator.coiterate([1, 2, 3])).toEqualTypeOf<
      Effect.Effect<undefined, Cooperator.TaskStopped, Cooperator.Cooperator>
    >()
  })

  it("an effect's task is like the effect", () => {
    expectTypeOf(Cooperator.cooperate(work)).toEqualTypeOf<
      Effect.Effect<
        Cooperator.CooperativeTask<number, Rude>,
        never,
        Room | Cooperator.Cooperator | Scope.Scope
      >
    >()
    expectTypeOf(Cooperator.coiterate(work)).toEqualTypeOf<
      Effect.Effect<number, Rude | Cooperator.TaskStopped, Room | Cooperator.Cooperator>
    >()
  })

  it("a task's operations say how it ended", () => {
    type Task = Cooperator.CooperativeTask<number, Rude>
    expectTypeOf<Task["pause"]>().toEqualTypeOf<Effect.Effect<void, Cooperator.Finished>>()
    expectTypeOf<Task["resume"]>().toEqualTypeOf<
      Effect.Effect<void, Cooperator.NotPaused | Cooperator.Finished>
    >()
    expectTypeOf<Task["whenDone"]>().toEqualTypeOf<Effect.Effect<number, Rude | Cooperator.TaskStopped>>()
    expectTypeOf<Cooperator.CooperativeTask<1, never>>().toExtend<Cooperator.CooperativeTask<number, Rude>>()
  })
})

describe("react", () => {
  it("gives an exit code, has no error, and provides the scope", () => {
    expectTypeOf(react(scoped)).toEqualTypeOf<Effect.Effect<number, never, Signals | Room>>()
    expectTypeOf(new ExitCode({ code: 1 }).code).toEqualTypeOf<number>()
  })

  it("on Node a main function may require what Node provides, and nothing else", () => {
    type Main = Parameters<typeof NodeReact.react<number, Rude>>[0]
    expectTypeOf(deferLater("1 second", Effect.succeed(1))).toExtend<
      Effect.Effect<number, unknown, NodeReact.Provided>
    >()
    expectTypeOf(work).not.toExtend<Main>()
  })
})
