/**
 * What the process writes to its standard output and error by Node (`console`, `process.stdout`), told line by line instead of
 * written. Libraries in C write past it. Twisted: `redirectStandardIO`.
 */
import { StringDecoder } from "node:string_decoder"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export type Origin = "stdout" | "stderr"

/** A line that does not end is told in parts. */
const lineLengthMax = 65_536

type Write = typeof process.stdout.write

class Capture {
  private readonly stream: NodeJS.WriteStream
  private readonly original: Write
  private readonly hadOwn: boolean
  private readonly tell: (line: string) => void
  private readonly decoder = new StringDecoder("utf8")
  private begun = ""
  /** What is written while a line is told is written for real: a log that shows its lines there would never end. */
  private isTelling = false

  constructor(stream: NodeJS.WriteStream, tell: (line: string) => void) {
    this.stream = stream
    this.original = stream.write
    this.hadOwn = Object.hasOwn(stream, "write")
    this.tell = tell
    stream.write = this.write as Write
  }

  /** Gives the stream back; a line that has begun is told. */
  release(): void {
    if (this.hadOwn) this.stream.write = this.original
    else delete (this.stream as { write?: Write }).write
    const rest = this.begun + this.decoder.end()
    this.begun = ""
    if (rest !== "") this.tellOne(rest)
  }

  private readonly write = (piece: string | Uint8Array, ...rest: ReadonlyArray<unknown>): boolean => {
    if (this.isTelling)
      return (this.original as (...args: ReadonlyArray<unknown>) => boolean).call(this.stream, piece, ...rest)
    const [encoding] = rest
    const bytes =
      typeof piece !== "string"
        ? piece
        : typeof encoding === "string"
          ? Buffer.from(piece, encoding as BufferEncoding)
          : undefined
    this.take(bytes === undefined ? (piece as string) : this.decoder.write(Buffer.from(bytes)))
    const done = rest.findLast((argument) => typeof argument === "function") as (() => void) | undefined
    if (done !== undefined) process.nextTick(done)
    return true
  }

  private take(text: string): void {
    const lines = `${this.begun}${text}`.split(/\r?\n/)
    this.begun = lines.pop() ?? ""
    for (const line of lines) if (line !== "") this.tellOne(line)
    while (this.begun.length > lineLengthMax) {
      this.tellOne(this.begun.slice(0, lineLengthMax))
      this.begun = this.begun.slice(lineLengthMax)
    }
  }

  private tellOne(line: string): void {
    if (this.isTelling) return
    this.isTelling = true
    try {
      this.tell(line)
    } finally {
      this.isTelling = false
    }
  }
}

/**
 * Until the scope ends, each line that is written there is told by this effect, which must not wait: with `spindle/log`,
 * `NodeStdioCapture.make(LogCapture.line)`. Empty lines are not told. Who writes to the descriptors, as `NodeLogFile` does, is
 * not captured.
 */
export const make = <R>(
  line: (origin: Origin, text: string) => Effect.Effect<void, never, R>
): Effect.Effect<void, never, R | Scope.Scope> =>
  Effect.flatMap(Effect.context<R>(), (context) => {
    const run = Effect.runForkWith(context as Context.Context<R>)
    return Effect.asVoid(
      Effect.acquireRelease(
        Effect.sync(() =>
          (["stdout", "stderr"] as const).map(
            (origin) => new Capture(process[origin], (text) => void run(line(origin, text)))
          )
        ),
        (captures) => Effect.sync(() => captures.forEach((capture) => capture.release()))
      )
    )
  })
