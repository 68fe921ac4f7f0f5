/** Pipes of processes as Effect's streams and sinks, and both standard ones as a connection. */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Sink from "effect/Sink"
import * as Stream from "effect/Stream"
import type { ReadPipe, Running, WritePipe } from "./Process.ts"
import type { Program } from "./ProcessCommand.ts"
import { success, type Terminated } from "./ProcessEnd.ts"
import type { SpawnFailed } from "./ProcessError.ts"
import { Processes } from "./ProcessesService.ts"
import type { TransportError } from "./ReactorError.ts"
import type { Transport } from "./Transport.ts"
import { TransportView } from "./TransportView.ts"

/** What comes out of a pipe, to its end. */
export const stream = (pipe: ReadPipe): Stream.Stream<Uint8Array, TransportError> =>
  Stream.fromPull(Effect.succeed(pullOf(pipe)))

const pullOf = (pipe: ReadPipe): Pull.Pull<NonEmptyReadonlyArray<Uint8Array>, TransportError> =>
  Effect.map(pipe.receive, (bytes) => [bytes] as const)

/** Sends what it is given, as fast as the child takes it, and then the end. */
export const sink = (pipe: WritePipe): Sink.Sink<void, Uint8Array | string, never, TransportError> =>
  Sink.fromTransform((upstream: Pull.Pull<NonEmptyReadonlyArray<Uint8Array | string>>) =>
    upstream.pipe(
      Effect.flatMap((chunk) => Effect.forEach(chunk, pipe.send, { discard: true })),
      Effect.forever({ disableYield: true }),
      Pull.catchDone(() => pipe.end),
      Effect.as([undefined] as const)
    )
  )

/**
 * The standard output of a program, whose standard input is empty and whose standard error is ours; fails at its end unless the
 * program did well. Who leaves early ends the program.
 */
export const streamOutput = (
  program: Program
): Stream.Stream<Uint8Array, SpawnFailed | Terminated | TransportError, Processes> =>
  Stream.unwrap(
    Effect.map(
      Effect.flatMap(Processes, (service) =>
        service.spawn({ ...program, childFDs: { 0: "null", 2: "inherit" } })
      ),
      (process) => Stream.concat(stream(process.stdout), Stream.drain(Stream.fromEffect(ended(process))))
    )
  )

const ended = (process: Running): Effect.Effect<void, Terminated> => Effect.flatMap(process.ended, success)

/**
 * Standard output and input of a process as one connection, for whatever speaks a protocol: receives the one, sends to the other.
 * `abort` ends both pipes; what the process makes of that is its own affair. Twisted: `ProcessEndpoint`.
 */
export const transport = (process: Running): Transport | undefined => {
  const [input, output] = [process.pipe(0), process.pipe(1)]
  return input === undefined || output === undefined ? undefined : new ProcessTransport(output, input)
}

class ProcessTransport extends TransportView {
  private readonly sending: Transport

  constructor(receiving: Transport, sending: Transport) {
    super(receiving)
    this.sending = sending
  }

  override get send(): Transport["send"] {
    return this.sending.send
  }
  override get end(): Transport["end"] {
    return this.sending.end
  }
  override get abort(): Transport["abort"] {
    return Effect.andThen(this.sending.abort, this.inner.abort)
  }
  override get closed(): Transport["closed"] {
    return Effect.andThen(this.inner.closed, this.sending.closed)
  }
  override get startTls(): Transport["startTls"] {
    // It fails, on a pipe as on two of them.
    return (options) => this.inner.startTls(options)
  }

  protected again(secured: Transport): Transport {
    return secured
  }
}
