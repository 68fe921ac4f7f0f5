import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as Sink from "effect/Sink"
import type * as Stream from "effect/Stream"
import { describe, expectTypeOf, it } from "vitest"
import type * as NodeProcesses from "../../src/node/NodeProcesses.ts"
import * as Processes from "../../src/reactor/Processes.ts"
import type { TransportError } from "../../src/reactor/ReactorError.ts"
import type { Transport } from "../../src/reactor/Transport.ts"

class Room extends Context.Service<Room, { readonly name: string }>()("types/processes/Room") {}
class Rude {
  readonly _tag = "Rude"
}
class Late {
  readonly _tag = "Late"
}

declare const rude: Effect.Effect<void, Rude, Room>
declare const late: Effect.Effect<number, Late>
declare const process: Processes.Process
declare const program: Processes.Program

describe("spawn", () => {
  it("gives a process, in a scope, or says why not", () => {
    expectTypeOf(Processes.spawn({ program: "ls" })).toEqualTypeOf<
      Effect.Effect<Processes.Process<{}>, Processes.SpawnFailed, Processes.Processes | Scope.Scope>
    >()
    expectTypeOf(process.stdin).toEqualTypeOf<Processes.WritePipe>()
    expectTypeOf(process.stdout).toEqualTypeOf<Processes.ReadPipe>()
    expectTypeOf(process.stderr).toEqualTypeOf<Processes.ReadPipe>()
    expectTypeOf<keyof Processes.Process["pipes"]>().toEqualTypeOf<0 | 1 | 2>()
  })

  it("has the pipes that the command asks for, and no others", () => {
    const spawned = Processes.spawn({
      program: "ls",
      childFDs: { 0: "null", 2: 1, 3: "rw", 4: "w", 5: "r", 6: "inherit" }
    })
    type Made = Effect.Success<typeof spawned>
    expectTypeOf<keyof Made["pipes"]>().toEqualTypeOf<1 | 3 | 4 | 5>()
    expectTypeOf<Made["pipes"][1]>().toEqualTypeOf<Processes.ReadPipe>()
    expectTypeOf<Made["pipes"][3]>().toEqualTypeOf<Transport>()
    expectTypeOf<Made["pipes"][4]>().toEqualTypeOf<Processes.WritePipe>()
    expectTypeOf<Made["pipes"][5]>().toEqualTypeOf<Processes.ReadPipe>()
    expectTypeOf<Made["stdin"]>().toEqualTypeOf<undefined>()
    expectTypeOf<Made["stderr"]>().toEqualTypeOf<undefined>()
    expectTypeOf<Made>().toExtend<Processes.Running>()
  })

  it("with events: has the errors and requirements of all handlers, and needs no scope", () => {
    const conversation = Processes.spawn(
      { program: "ls", childFDs: { 3: "w" } },
      {
        connected: ({ pipes }) => {
          expectTypeOf(pipes[3]).toEqualTypeOf<Processes.WritePipe>()
          return rude
        },
        out: (bytes) => {
          expectTypeOf(bytes).toEqualTypeOf<Uint8Array>()
          return late
        },
        exited: (end) => {
          expectTypeOf(end).toEqualTypeOf<Processes.ProcessEnd>()
          return Effect.void
        }
      }
    )
    expectTypeOf(conversation).toEqualTypeOf<
      Effect.Effect<Processes.ProcessEnd, Processes.SpawnFailed | Rude | Late, Processes.Processes | Room>
    >()
    expectTypeOf(Processes.spawn({ program: "ls" }, {})).toEqualTypeOf<
      Effect.Effect<Processes.ProcessEnd, Processes.SpawnFailed, Processes.Processes>
    >()
  })

  it("refuses what is no mode, and no handler", () => {
    // @ts-expect-error "x" is no mode of a descriptor
    const mode = Processes.spawn({ program: "ls", childFDs: { 3: "x" } })
    // @ts-expect-error a handler gives an effect
    const handler = Processes.spawn({ program: "ls" }, { out: () => 1 })
    expectTypeOf([mode, handler]).not.toBeAny()
  })

  it("ends that are told apart", () => {
    expectTypeOf(process.ended).toEqualTypeOf<Effect.Effect<Processes.Done | Processes.Terminated>>()
    expectTypeOf(Processes.success).returns.toEqualTypeOf<Effect.Effect<void, Processes.Terminated>>()
    expectTypeOf(process.signal).returns.toEqualTypeOf<Effect.Effect<void, Processes.SignalFailed>>()
    expectTypeOf(process.signal).toBeCallableWith("TERM")
    // @ts-expect-error names have no SIG
    const sent = process.signal("SIGTERM")
    expectTypeOf(sent).not.toBeAny()
  })
})

describe("spawnPty", () => {
  it("gives a process with a terminal, and knows of no other descriptors", () => {
    expectTypeOf(Processes.spawnPty({ program: "sh", columns: 80 })).toEqualTypeOf<
      Effect.Effect<Processes.PtyProcess, Processes.SpawnFailed, Processes.Processes | Scope.Scope>
    >()
    // @ts-expect-error a terminal is all that it has
    const other = Processes.spawnPty({ program: "sh", childFDs: {} })
    expectTypeOf(other).not.toBeAny()
  })
})

describe("programs run for their output", () => {
  type Failure = Processes.SpawnFailed | Processes.OutputError

  it("bytes, or strings where they are asked for", () => {
    expectTypeOf(Processes.getProcessOutput(program)).toEqualTypeOf<
      Effect.Effect<Uint8Array, Failure, Processes.Processes>
    >()
    expectTypeOf(Processes.getProcessOutput(program, { encoding: "utf8" })).toEqualTypeOf<
      Effect.Effect<string, Failure, Processes.Processes>
    >()
    expectTypeOf(Processes.getProcessOutput(program, { errortoo: true })).toEqualTypeOf<
      Effect.Effect<Uint8Array, Failure, Processes.Processes>
    >()
    expectTypeOf(Processes.getProcessOutputAndValue(program, { encoding: "utf8" })).toEqualTypeOf<
      Effect.Effect<
        { readonly stdout: string; readonly stderr: string; readonly exitCode: number },
        Failure,
        Processes.Processes
      >
    >()
  })

  it("a code, or the signal as a failure", () => {
    expectTypeOf(Processes.getProcessValue(program)).toEqualTypeOf<
      Effect.Effect<number, Processes.SpawnFailed | Processes.Terminated, Processes.Processes>
    >()
  })

  it("reasons that can be caught one by one", () => {
    const caught = Effect.catchReason(
      Processes.getProcessOutput(program),
      "OutputError",
      "OutputTooLong",
      ({ bytesMax }) => Effect.succeed(bytesMax)
    )
    expectTypeOf<Effect.Success<typeof caught>>().toEqualTypeOf<Uint8Array | number>()
  })
})

describe("streams", () => {
  it("have what the pipes give and take", () => {
    expectTypeOf(Processes.stream(process.stdout)).toEqualTypeOf<Stream.Stream<Uint8Array, TransportError>>()
    expectTypeOf(Processes.sink(process.stdin)).toEqualTypeOf<
      Sink.Sink<void, Uint8Array | string, never, TransportError>
    >()
    expectTypeOf(Processes.streamOutput(program)).toEqualTypeOf<
      Stream.Stream<
        Uint8Array,
        Processes.SpawnFailed | Processes.Terminated | TransportError,
        Processes.Processes
      >
    >()
    expectTypeOf(Processes.transport(process)).toEqualTypeOf<Transport | undefined>()
    // @ts-expect-error what we read is nothing to send to
    Processes.sink(process.stdout)
  })
})

describe("the layer", () => {
  it("needs nothing", () => {
    expectTypeOf<typeof NodeProcesses.layer>().toEqualTypeOf<Layer.Layer<Processes.Processes>>()
    expectTypeOf<ReturnType<typeof NodeProcesses.layerWith>>().toEqualTypeOf<
      Layer.Layer<Processes.Processes>
    >()
  })
})
