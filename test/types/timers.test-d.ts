import * as Context from "effect/Context"
import type * as Cron from "effect/Cron"
import type * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
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
    expectTypeOf<ReturnType<DelayedCall["delay"]>>().toEqualTypeOf<
      Effect.Effect<void, AlreadyCalled | AlreadyCancelled | InvalidDelay>
    >()
    expectTypeOf<DelayedCall["timeLeft"]>().toEqualTypeOf<Duration.Duration>()
    expectTypeOf<DelayedCall["active"]>().toEqualTypeOf<boolean>()
  })

  it("gives a call that acts now, and tells whether it was pending, for code inside an event", () => {
    expectTypeOf<DelayedCall["cancelUnsafe"]>().toEqualTypeOf<() => boolean>()
    expectTypeOf<DelayedCall["resetUnsafe"]>().toEqualTypeOf<(delay: Duration.Input) => boolean>()
    expectTypeOf<DelayedCall["delayUnsafe"]>().toEqualTypeOf<(by: Duration.Input) => boolean>()
    expectTypeOf<ReturnType<Timers.Timers["Service"]["callLaterUnsafe"]>>().toEqualTypeOf<DelayedCall>()
    expectTypeOf<ReturnType<Timers.Timers["Service"]["callAtUnsafe"]>>().toEqualTypeOf<DelayedCall>()
  })

  it("asks for nothing more than its effect when the service is at hand", () => {
    const timers = {} as Timers.Timers["Service"]
    const call = () => timers.callLater(5, work, { place: "the heartbeat" })
    expectTypeOf(call).returns.toEqualTypeOf<Effect.Effect<DelayedCall, InvalidDelay, Room | Scope.Scope>>()
    expectTypeOf<(typeof timers)["pending"]>().toEqualTypeOf<Effect.Effect<ReadonlyArray<DelayedCall>>>()
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
    expectTypeOf(deferLater(1, Effect.succeed("text" as const))).toEqualTypeOf<
      Effect.Effect<"text", InvalidDelay, Timers.Timers>
    >()
    expectTypeOf(deferLater(1, Effect.never)).toEqualTypeOf<
      Effect.Effect<never, InvalidDelay, Timers.Timers>
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
    expectTypeOf<Loop["reset"]>().toEqualTypeOf<Effect.Effect<void, LoopingCall.NotLooping>>()
  })

  it("that cannot fail has no error of its effect's, and is one that may", () => {
    expectTypeOf(LoopingCall.make(Effect.void, { interval: 1 })).toEqualTypeOf<
      Effect.Effect<LoopingCall.LoopingCall, InvalidDelay>
    >()
    expectTypeOf<LoopingCall.LoopingCall>().toExtend<LoopingCall.LoopingCall<Rude, Room>>()
    expectTypeOf<LoopingCall.LoopingCall<Rude, Room>>().not.toExtend<LoopingCall.LoopingCall>()
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

  it("in the background asks for a scope, and gives a fiber that fails as a run fails", () => {
    expectTypeOf(
      Effect.flatMap(LoopingCall.make(work, { interval: 1 }), (loop) => LoopingCall.start(loop))
    ).toEqualTypeOf<
      Effect.Effect<
        Fiber.Fiber<void, Rude | LoopingCall.AlreadyLooping>,
        InvalidDelay,
        Room | Timers.Timers | Scope.Scope
      >
    >()
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
    expectTypeOf<Task["stop"]>().toEqualTypeOf<Effect.Effect<void, Cooperator.Finished>>()
    expectTypeOf<Task["whenDone"]>().toEqualTypeOf<Effect.Effect<number, Rude | Cooperator.TaskStopped>>()
    expectTypeOf<Cooperator.CooperativeTask<1, never>>().toExtend<Cooperator.CooperativeTask<number, Rude>>()
  })
})

describe("a Cooperator of one's own", () => {
  it("asks for timers, and as a value for a scope", () => {
    expectTypeOf(Cooperator.make({ slice: "5 millis" })).toEqualTypeOf<
      Effect.Effect<Cooperator.Cooperator["Service"], never, Timers.Timers | Scope.Scope>
    >()
    expectTypeOf(Cooperator.layer()).toEqualTypeOf<Layer.Layer<Cooperator.Cooperator, never, Timers.Timers>>()
    expectTypeOf(Cooperator.turn).toEqualTypeOf<Effect.Effect<void>>()
  })

  it("infers as the functions do", () => {
    const cooperator = {} as Cooperator.Cooperator["Service"]
    const generator = function* () {
      yield work
      return 1 as const
    }
    const task = () => cooperator.cooperate(generator())
    expectTypeOf(task).returns.toEqualTypeOf<
      Effect.Effect<Cooperator.CooperativeTask<1, Rude>, never, Room | Scope.Scope>
    >()
    const result = () => cooperator.coiterate(work)
    expectTypeOf(result).returns.toEqualTypeOf<Effect.Effect<number, Rude | Cooperator.TaskStopped, Room>>()
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
    expectTypeOf((_name: string) => Effect.fail(new ExitCode({ code: 2 }))).toExtend<
      Parameters<typeof NodeReact.react<number, ExitCode>>[0]
    >()
    expectTypeOf((_count: number) => Effect.succeed(1)).not.toExtend<Main>()
    expectTypeOf<typeof NodeReact.react>().returns.toEqualTypeOf<void>()
  })
})
