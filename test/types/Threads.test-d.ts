import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { describe, expectTypeOf, it } from "vitest"
import * as NodeThreads from "../../src/node/NodeThreads.ts"
import type { ThreadError, ThreadReason } from "../../src/reactor/ThreadError.ts"
import {
  blockingCallFromThread,
  callFromThread,
  type CurrentJob,
  type ThreadExport,
  type ThreadJob
} from "../../src/reactor/ThreadJob.ts"
import * as ThreadTask from "../../src/reactor/ThreadTask.ts"
import * as Threads from "../../src/reactor/Threads.ts"
import type * as Sums from "../node/threads/sums.ts"

const sums = Threads.module<typeof Sums>(new URL("file:///sums.ts"))

class Library extends Context.Service<
  Library,
  {
    readonly titleOf: (number: number) => Effect.Effect<string, Error>
    readonly plain: (a: number, b?: string) => number
    readonly promised: () => Promise<boolean>
    readonly all: Effect.Effect<ReadonlyArray<string>>
    readonly needy: () => Effect.Effect<string, never, Room>
    readonly name: string
  }
>()("types/threads/Library") {}
class Room extends Context.Service<Room, { readonly open: () => void }>()("types/threads/Room") {}
class Broken extends Schema.TaggedError<Broken>()("Broken", { at: Schema.Number }) {}

describe("deferToThread", () => {
  it("has the arguments and the result of the export", () => {
    expectTypeOf(Threads.deferToThread(sums, "add", [1, 2])).toEqualTypeOf<
      Effect.Effect<number, ThreadError, Threads.Threads>
    >()
    // A promise is awaited, an effect run, what is moved is what it was.
    expectTypeOf(Threads.deferToThread(sums, "later", ["a"])).toEqualTypeOf<
      Effect.Effect<string, ThreadError, Threads.Threads>
    >()
    expectTypeOf(Threads.deferToThread(sums, "effect", [1])).toEqualTypeOf<
      Effect.Effect<number, ThreadError, Threads.Threads>
    >()
    expectTypeOf(Threads.deferToThread(sums, "stamped", [new Uint8Array(1)])).toEqualTypeOf<
      Effect.Effect<Uint8Array<ArrayBuffer>, ThreadError, Threads.Threads>
    >()
  })

  it("refuses other arguments, other names, and what is no function", () => {
    const refused = () => [
      // @ts-expect-error -- a text is no number
      Threads.deferToThread(sums, "add", [1, "2"]),
      // @ts-expect-error -- one is missing
      Threads.deferToThread(sums, "add", [1]),
      // @ts-expect-error -- no such export
      Threads.deferToThread(sums, "subtract", [1, 2]),
      // @ts-expect-error -- a number
      Threads.deferToThread(sums, "notAFunction", [])
    ]
    expectTypeOf(refused).toBeFunction()
    expectTypeOf<ThreadExport<typeof Sums>>().not.toEqualTypeOf<keyof typeof Sums>()
  })

  it("refuses effects that require what no thread has", () => {
    interface Module {
      readonly fine: () => Effect.Effect<1, Error, CurrentJob>
      readonly needy: () => Effect.Effect<1, Error, Room>
      readonly plain: (this: ThreadJob<string>, a: 1) => 2
      readonly value: 3
    }
    expectTypeOf<ThreadExport<Module>>().toEqualTypeOf<"fine" | "plain">()
  })

  it("a module without its type gives nothing to run", () => {
    const untyped = Threads.module("file:///a.ts")
    // @ts-expect-error -- name the type: `module<typeof A>(...)`
    const refused = () => Threads.deferToThread(untyped, "add", [1, 2])
    expectTypeOf(refused).toBeFunction()
  })

  it("names its reasons", () => {
    const caught = Threads.deferToThread(sums, "add", [1, 2]).pipe(
      Effect.catchReason("ThreadError", "Exited", (reason) => {
        expectTypeOf(reason.code).toEqualTypeOf<number>()
        return Effect.succeed("exited" as const)
      })
    )
    expectTypeOf<Effect.Success<typeof caught>>().toEqualTypeOf<number | "exited">()
    expectTypeOf<ThreadError["reason"]>().toEqualTypeOf<ThreadReason>()
  })
})

describe("startInThread", () => {
  it("asks for a scope, and knows what is reported", () => {
    expectTypeOf(Threads.startInThread(sums, "counts", [1])).toEqualTypeOf<
      Effect.Effect<
        Threads.RunningJob<string, ThreadError, number>,
        ThreadError,
        Threads.Threads | Scope.Scope
      >
    >()
    expectTypeOf(Threads.startInThread(sums, "add", [1, 2])).toEqualTypeOf<
      Effect.Effect<
        Threads.RunningJob<number, ThreadError, never>,
        ThreadError,
        Threads.Threads | Scope.Scope
      >
    >()
  })
})

describe("callFromThread", () => {
  it("has the arguments and the result of the method", () => {
    expectTypeOf(callFromThread(Library, "titleOf", [1])).toEqualTypeOf<
      Effect.Effect<string, ThreadError, CurrentJob>
    >()
    expectTypeOf(callFromThread(Library, "plain", [1])).toEqualTypeOf<
      Effect.Effect<number, ThreadError, CurrentJob>
    >()
    expectTypeOf(callFromThread(Library, "promised", [])).toEqualTypeOf<
      Effect.Effect<boolean, ThreadError, CurrentJob>
    >()
    expectTypeOf(callFromThread(Library, "all", [])).toEqualTypeOf<
      Effect.Effect<ReadonlyArray<string>, ThreadError, CurrentJob>
    >()
  })

  it("refuses other arguments, what is no method, and methods that require something", () => {
    const refused = () => [
      // @ts-expect-error -- a text is no number
      callFromThread(Library, "titleOf", ["1"]),
      // @ts-expect-error -- a text
      callFromThread(Library, "name", []),
      // @ts-expect-error -- nobody would provide the room
      callFromThread(Library, "needy", [])
    ]
    expectTypeOf(refused).toBeFunction()
  })

  it("gives the value itself where the thread stands still, to a job of any progress", () => {
    const job = {} as ThreadJob<number>
    const ask = () => blockingCallFromThread(job, Library, "titleOf", [1])
    expectTypeOf<ReturnType<typeof ask>>().toEqualTypeOf<string>()
  })

  it("the pool requires what it exposes", () => {
    expectTypeOf(NodeThreads.layer()).toEqualTypeOf<Layer.Layer<Threads.Threads>>()
    expectTypeOf(NodeThreads.layer({ expose: [Library] })).toEqualTypeOf<
      Layer.Layer<Threads.Threads, never, Library>
    >()
    expectTypeOf(NodeThreads.layer({ max: 1, expose: [Library, Room] })).toEqualTypeOf<
      Layer.Layer<Threads.Threads, never, Library | Room>
    >()
    expectTypeOf(NodeThreads.make({ expose: [Library] })).toEqualTypeOf<
      Effect.Effect<Threads.Threads["Service"], never, Library | Scope.Scope>
    >()
  })
})

describe("ThreadTask", () => {
  const Task = ThreadTask.make("task", {
    module: "file:///a.ts",
    payload: Schema.Struct({ at: Schema.Date }),
    success: Schema.Option(Schema.Number),
    error: Broken,
    progress: Schema.Number
  })

  type Payload = (typeof Task.payload)["Type"]

  it("has the types of its schemas", () => {
    const run = ThreadTask.run(Task, { at: new Date(0) })
    type Success = Effect.Success<typeof run>
    expectTypeOf<Success>().toEqualTypeOf<(typeof Task.success)["Type"]>()
    expectTypeOf<Effect.Error<typeof run>>().toEqualTypeOf<Broken | ThreadError>()
    expectTypeOf<Effect.Services<typeof run>>().toEqualTypeOf<Threads.Threads>()
    const start = ThreadTask.start(Task, { at: new Date(0) })
    expectTypeOf<Effect.Success<typeof start>>().toEqualTypeOf<
      Threads.RunningJob<Success, Broken | ThreadError, number>
    >()
    expectTypeOf<{ readonly at: number }>().not.toExtend<
      Parameters<typeof ThreadTask.run<Payload, 1, 1, 1>>[1]
    >()
  })

  it("without schemas takes and gives nothing, and fails only as threads do", () => {
    expectTypeOf(
      ThreadTask.run(ThreadTask.make("task", { module: "file:///a.ts" }), undefined)
    ).toEqualTypeOf<Effect.Effect<void, ThreadError, Threads.Threads>>()
  })

  it("an implementation has the task's types, and requires nothing but the job", () => {
    ThreadTask.implement(Task, (payload, job) => {
      expectTypeOf(payload.at).toEqualTypeOf<Date>()
      expectTypeOf(job.progress).toEqualTypeOf<(value: number) => Effect.Effect<void>>()
      return Effect.fail(new Broken({ at: 1 }))
    })
    type Work = Parameters<typeof ThreadTask.implement<Payload, number, Broken, number>>[1]
    expectTypeOf<() => Effect.Effect<number, Broken, CurrentJob>>().toExtend<Work>()
    expectTypeOf<() => Effect.Effect<number, string>>().not.toExtend<Work>()
    expectTypeOf<() => Effect.Effect<string>>().not.toExtend<Work>()
    expectTypeOf<() => Effect.Effect<number, never, Room>>().not.toExtend<Work>()
  })
})
