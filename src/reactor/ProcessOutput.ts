/** Programs that are run for what they say, or for how they end. Twisted: `twisted.internet.utils`. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { visible } from "./EndpointExcerpt.ts"
import type { Running } from "./Process.ts"
import type { ChildFDs, Program } from "./ProcessCommand.ts"
import type { ProcessEnd, Terminated } from "./ProcessEnd.ts"
import { type SpawnFailed } from "./ProcessError.ts"
import { Processes } from "./ProcessesService.ts"

export interface OutputOptions {
  /** Its standard input, which ends after that; a program may leave it unread. Default: nothing. */
  readonly input?: string | Uint8Array | undefined
  /** The most it may say on either output. Default 16 MiB. */
  readonly outputBytesMax?: number | undefined
  /** What is made of its outputs: `utf8` makes strings. Default `bytes`. */
  readonly encoding?: "bytes" | "utf8" | undefined
}

/** What the outputs are, with these options. */
export type Text<O> = O extends { readonly encoding: "utf8" } ? string : Uint8Array

const outputBytesMaxDefault = 16 * 1024 * 1024

/** It said more than `outputBytesMax` on one of its outputs, and was ended. */
export class OutputTooLong extends Data.TaggedError("OutputTooLong")<{
  readonly fd: number
  readonly bytesMax: number
}> {
  override get message(): string {
    return `more than ${this.bytesMax} bytes on descriptor ${this.fd}`
  }
}

/** It said something on standard error. Twisted: `_UnexpectedErrorOutput`. */
export class UnexpectedErrorOutput extends Data.TaggedError("UnexpectedErrorOutput")<{
  readonly bytes: number
}> {
  override get message(): string {
    return `${this.bytes} bytes on standard error`
  }
}

/** A program ran, and what was asked for is not there. What it had said until then is. */
export class OutputError extends Data.TaggedError("OutputError")<{
  readonly program: string
  readonly reason: Terminated | OutputTooLong | UnexpectedErrorOutput
  readonly stdout: Uint8Array
  readonly stderr: Uint8Array
}> {
  override get message(): string {
    const said = new TextDecoder().decode(this.stderr.subarray(0, excerptBytesMax)).trim()
    return `${visible(this.program)}: ${this.reason.message}${said === "" ? "" : `: ${visible(said)}`}`
  }
  override get cause(): unknown {
    return this.reason
  }
}

const excerptBytesMax = 200

/**
 * What a program says on standard output. Fails if it ends otherwise than well, or says anything on standard error; with
 * `errortoo` that belongs to the output, in the order in which it came to us (there are two pipes). The whole is awaited before that is judged.
 *
 * Twisted gives the output of programs that fail as well, and ends them with the first byte on standard error.
 */
export const getProcessOutput = <const O extends OutputOptions & { readonly errortoo?: boolean | undefined }>(
  program: Program,
  options?: O
): Effect.Effect<Text<O>, SpawnFailed | OutputError, Processes> =>
  run(program, options, options?.errortoo === true).pipe(
    Effect.flatMap(({ end, stderr, stdout }) => {
      if (end._tag === "Terminated") return Effect.fail(errorOf(program, end, stdout, stderr))
      if (stderr.bytes > 0) {
        const reason = new UnexpectedErrorOutput({ bytes: stderr.bytes })
        return Effect.fail(errorOf(program, reason, stdout, stderr))
      }
      return Effect.succeed(textOf(stdout, options))
    })
  )

/** A program's exit code; its outputs are dropped. Fails if a signal ended it. */
export const getProcessValue = (
  program: Program,
  options?: Pick<OutputOptions, "input">
): Effect.Effect<number, SpawnFailed | Terminated, Processes> =>
  Effect.scoped(
    Effect.gen(function* () {
      const process = yield* start(program, options?.input, { 1: "null", 2: "null" })
      return yield* valueOf(yield* process.exited)
    })
  )

/** What a program says, and its exit code, whatever it is. Fails if a signal ended it. */
export const getProcessOutputAndValue = <const O extends OutputOptions>(
  program: Program,
  options?: O
): Effect.Effect<
  { readonly stdout: Text<O>; readonly stderr: Text<O>; readonly exitCode: number },
  SpawnFailed | OutputError,
  Processes
> =>
  run(program, options, false).pipe(
    Effect.flatMap(({ end, stderr, stdout }) =>
      Effect.map(
        Effect.mapError(valueOf(end), (reason) => errorOf(program, reason, stdout, stderr)),
        (exitCode) => ({ stdout: textOf(stdout, options), stderr: textOf(stderr, options), exitCode })
      )
    )
  )

const valueOf = (end: ProcessEnd): Effect.Effect<number, Terminated> =>
  end.exitCode === undefined ? Effect.fail(end) : Effect.succeed(end.exitCode)

// --- gathering ------------------------------------------------------------------------------------------

/** The beginning of an output, up to a limit. */
class Gathered {
  private readonly pieces: Array<Uint8Array> = []
  readonly bytesMax: number
  bytes = 0

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  /** Whether it had room for all of them. */
  add(piece: Uint8Array): boolean {
    const room = this.bytesMax - this.bytes
    const kept = piece.length <= room ? piece : piece.subarray(0, room)
    if (kept.length > 0) this.pieces.push(kept)
    this.bytes += kept.length
    return kept.length === piece.length
  }

  get all(): Uint8Array {
    const all = new Uint8Array(this.bytes)
    let offset = 0
    for (const piece of this.pieces) {
      all.set(piece, offset)
      offset += piece.length
    }
    return all
  }
}

const errorOf = (
  { program }: Program,
  reason: OutputError["reason"],
  stdout: Gathered,
  stderr: Gathered
): OutputError => new OutputError({ program, reason, stdout: stdout.all, stderr: stderr.all })

const textOf = <O extends OutputOptions>(output: Gathered, options: O | undefined): Text<O> =>
  (options?.encoding === "utf8" ? new TextDecoder().decode(output.all) : output.all) as Text<O>

/** Starts it, and gives it its input in the background; whether it takes that is its own affair. */
const start = Effect.fnUntraced(function* <const F extends ChildFDs>(
  program: Program,
  input: string | Uint8Array | undefined,
  childFDs: F
) {
  const service = yield* Processes
  if (input === undefined) return yield* service.spawn({ ...program, childFDs: { ...childFDs, 0: "null" } })
  const process = yield* service.spawn({ ...program, childFDs })
  const stdin = process.pipe(0)
  if (stdin !== undefined) {
    yield* Effect.forkScoped(Effect.ignore(Effect.andThen(stdin.send(input), stdin.end)), {
      startImmediately: true
    })
  }
  return process as Running
})

const run = (program: Program, options: OutputOptions | undefined, together: boolean) => {
  const bytesMax = options?.outputBytesMax ?? outputBytesMaxDefault
  const stdout = new Gathered(bytesMax)
  const stderr = together ? stdout : new Gathered(bytesMax)
  const gather = (process: Running, fd: 1 | 2) => {
    const output = fd === 1 ? stdout : stderr
    return process
      .pipe(fd)!
      .receiveEach((bytes) =>
        output.add(bytes) ? Effect.void : Effect.fail(new OutputTooLong({ fd, bytesMax }))
      )
      .pipe(
        // A pipe that breaks has ended.
        Effect.catchTag("TransportError", () => Effect.void)
      )
  }
  return Effect.scoped(
    Effect.gen(function* () {
      const process: Running = yield* start(program, options?.input, {})
      yield* Effect.all([gather(process, 1), gather(process, 2)], {
        concurrency: "unbounded",
        discard: true
      }).pipe(
        Effect.mapError((reason) => errorOf(program, reason, stdout, together ? new Gathered(0) : stderr))
      )
      return { end: yield* process.ended, stdout, stderr: together ? new Gathered(0) : stderr }
    })
  )
}
