/**
 * A log file. Twisted: `LogFile`, `DailyLogFile`.
 *
 * Lines of one turn of the event loop are one write, which is synchronous: what was logged before a crash, or the end of the
 * process, is in the file. The file is appended to, so several processes may write to it, and `copytruncate` does no harm.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { atExit } from "./atExit.ts"
import * as LogFileErrors from "./NodeLogFileError.ts"
import * as Outlet from "./NodeLogFileOutlet.ts"
import {
  complainDefault,
  lossLineDefault,
  type Options,
  rotationOf,
  type Statistics
} from "./NodeLogFileOptions.ts"
import { NodeLogFilePlace } from "./NodeLogFilePlace.ts"
import { countLost } from "./nodeLogMetrics.ts"

export type { Options, RotationOptions, Statistics } from "./NodeLogFileOptions.ts"
export { LogFileError, type LogFileReason } from "./NodeLogFileError.ts"

/** More than this is written before the turn ends. */
const turnLengthMax = 65_536
const retryMillis = 10
/** How long the end waits for a pipe to be read. */
const drainMillis = 1000

const detailOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export class NodeLogFile {
  readonly path: string
  private readonly place: NodeLogFilePlace
  private readonly bufferLengthMax: number
  private readonly lossLine: NonNullable<Options["lossLine"]>
  private readonly complain: NonNullable<Options["complain"]>

  private pending: Array<string> = []
  private pendingLength = 0
  private isScheduled = false
  /** What a pipe did not take. */
  private rest: Uint8Array | undefined
  private timer: NodeJS.Timeout | undefined
  private readonly waiting = new Set<() => void>()

  private lines = 0
  private lost = 0
  private failing: string | undefined
  /** Lost lines that the file does not tell of. */
  private untold = 0
  private untoldDetail = ""
  /** Those that wait came before them: they were too many. */
  private isOverflow = false
  /** It ends within a line. */
  private isCut = false
  /** Nobody reads it, or it is closed. */
  private isOver = false

  /** Throws what the system says; see `make`. */
  constructor(options: Options) {
    this.path = options.path
    this.bufferLengthMax = options.bufferLengthMax ?? 1_048_576
    this.lossLine = options.lossLine ?? lossLineDefault
    this.complain = options.complain ?? complainDefault
    const { path, mode = 0o640, owner } = options
    this.place = new NodeLogFilePlace({ path, mode, owner }, rotationOf(options), (text) => this.tell(text))
  }

  /** A line, without its end. Never throws. */
  readonly write = (line: string): void => {
    this.lines++
    if (this.isOver || (this.rest !== undefined && this.pendingLength >= this.bufferLengthMax)) {
      this.isOverflow = this.rest !== undefined
      this.lose(1, "its reader is too slow")
      return
    }
    this.pending.push(line)
    this.pendingLength += line.length + 1
    if (this.rest !== undefined) return
    if (this.pendingLength >= turnLengthMax) this.flushNow()
    else if (!this.isScheduled) {
      this.isScheduled = true
      setImmediate(this.endTurn)
    }
  }

  /** Is done when all that was written has left, or is lost. */
  readonly flush: Effect.Effect<void> = Effect.callback((resume) => {
    this.flushNow()
    const done = () => resume(Effect.void)
    if (this.rest === undefined) return done()
    this.waiting.add(done)
    return Effect.sync(() => void this.waiting.delete(done))
  })

  /** Opens the path again: after somebody has moved the file away. If it cannot be, the old one stays open. */
  readonly reopen: Effect.Effect<void, LogFileErrors.LogFileError> = this.attempt(
    () => this.place.reopen(),
    LogFileErrors.notOpened
  )

  /** Moves the file away, and begins a new one; only opens it again where somebody else has moved it. No line is lost. */
  readonly rotate: Effect.Effect<void, LogFileErrors.LogFileError> = this.attempt(
    () => this.place.rotate(),
    LogFileErrors.notMoved
  )

  get statistics(): Statistics {
    const { failing, lines, lost, place } = this
    return { lines, lost, rotations: place.rotations, failing }
  }

  /** Whether it is a terminal whose user wants colours (no-color.org). */
  get hasColours(): boolean {
    const { NO_COLOR = "", TERM = "" } = process.env
    return NO_COLOR === "" && TERM !== "dumb" && Outlet.isTerminal(this.place.opened)
  }

  /** Writes what came until now, as far as it is taken at once. */
  flushNow(): void {
    if (this.writeRest()) this.writePending()
    if (this.rest !== undefined) return
    for (const done of this.waiting) done()
    this.waiting.clear()
  }

  private writePending(): void {
    if (this.pending.length === 0) return
    const lines = this.pending
    this.pending = []
    this.pendingLength = 0
    if (this.isOver) return void (this.lost += lines.length)
    this.place.follow(Date.now())
    // No character takes more than three bytes for each UTF-16 unit.
    const bytesMax = lines.reduce((sum, line) => sum + 3 * line.length + 1, 0)
    if (this.place.size + bytesMax <= this.place.limit) this.put(lines)
    else this.putInParts(lines)
  }

  /** Writes what it can, for at most a second, and closes the descriptor. */
  close(): Effect.Effect<void> {
    return Effect.andThen(
      Effect.callback<void>((resume) => {
        const timer = setTimeout(() => resume(Effect.void), drainMillis)
        const done = () => {
          clearTimeout(timer)
          resume(Effect.void)
        }
        this.flushNow()
        if (this.rest === undefined) done()
        else this.waiting.add(done)
      }),
      Effect.sync(() => {
        if (this.untold > 0 && this.failing === undefined) this.put([])
        this.isOver = true
        clearTimeout(this.timer)
        Outlet.close(this.place.opened)
      })
    )
  }

  /** The process ends: nobody waits for timers any more. */
  readonly drainNow = (): void => {
    const deadline = Date.now() + drainMillis
    const pause = new Int32Array(new SharedArrayBuffer(4))
    this.flushNow()
    while (this.rest !== undefined && Date.now() < deadline) {
      Atomics.wait(pause, 0, 0, retryMillis)
      this.flushNow()
    }
  }

  private readonly endTurn = (): void => {
    this.isScheduled = false
    this.flushNow()
  }

  // --- writing ------------------------------------------------------------------------------------------

  /** Each part as long as the file may still become. */
  private putInParts(lines: ReadonlyArray<string>): void {
    const { place } = this
    let part: Array<string> = []
    let bytes = 0
    for (const line of lines) {
      const length = Buffer.byteLength(line) + 1
      if (place.size + bytes + length > place.limit && place.size + bytes > 0) {
        if (part.length > 0) this.put(part)
        part = []
        bytes = 0
        place.rotateByItself()
      }
      part.push(line)
      bytes += length
    }
    if (part.length > 0) this.put(part)
  }

  /** What the file is told of lost lines. */
  private note(): string {
    if (this.untold === 0) return ""
    const line = this.lossLine(this.untold, this.untoldDetail, Date.now())
    return `${this.isCut ? "\n" : ""}${line}\n`
  }

  private put(lines: ReadonlyArray<string>): void {
    const note = this.note()
    const [before, after] = this.isOverflow ? ["", note] : [note, ""]
    const text = lines.length === 0 ? "" : `${lines.join("\n")}\n`
    const bytes = Buffer.from(`${before}${text}${after}`)
    const outcome = Outlet.write(this.place.opened, bytes)
    this.place.size += outcome.bytes
    if (outcome._tag === "Taken" || outcome._tag === "Full") {
      this.untold = 0
      this.isCut = false
      this.isOverflow = false
      if (this.failing !== undefined) this.recover()
      if (outcome._tag === "Full") this.keepRest(bytes.subarray(outcome.bytes))
    } else if (outcome._tag === "Gone") {
      this.isOver = true
      this.lost += lines.length
    } else this.fail(lines, Buffer.byteLength(before), outcome)
  }

  private keepRest(rest: Uint8Array): void {
    this.rest = rest
    this.timer = setTimeout(this.endTurn, retryMillis)
  }

  /** Whether nothing is left of what a pipe did not take. */
  private writeRest(): boolean {
    if (this.rest === undefined) return true
    clearTimeout(this.timer)
    const outcome = Outlet.write(this.place.opened, this.rest)
    if (outcome._tag === "Full") {
      this.keepRest(this.rest.subarray(outcome.bytes))
      return false
    }
    this.rest = undefined
    // How many lines were in it nobody has counted.
    if (outcome._tag !== "Taken") this.isOver = true
    return true
  }

  // --- losses -------------------------------------------------------------------------------------------

  private lose(lines: number, detail: string): void {
    this.lost += lines
    this.untold += lines
    this.untoldDetail = detail
  }

  private fail(lines: ReadonlyArray<string>, noteBytes: number, { bytes, error }: Outlet.Outcome): void {
    let left = bytes - noteBytes
    if (left >= 0 && !this.isOverflow) this.untold = 0
    this.isOverflow = false
    let whole = 0
    while (whole < lines.length && left >= Buffer.byteLength(lines[whole]!) + 1) {
      left -= Buffer.byteLength(lines[whole++]!) + 1
    }
    if (bytes > 0) this.isCut = left !== 0
    const detail = detailOf(error)
    this.lose(lines.length - whole, detail)
    if (this.failing === undefined) {
      this.failing = detail
      this.tell(`${detail}; lines are lost until it works again`)
    }
  }

  private recover(): void {
    this.failing = undefined
    this.tell(`works again; ${this.lost} lines were lost so far`)
  }

  private tell(text: string): void {
    this.complain(`spindle: log file ${this.path}: ${text}`)
  }

  private attempt(
    work: () => void,
    failed: typeof LogFileErrors.notMoved
  ): Effect.Effect<void, LogFileErrors.LogFileError> {
    return Effect.suspend(() => {
      try {
        this.flushNow()
        if (!this.isOver) work()
        return Effect.void
      } catch (error) {
        return Effect.fail(failed(this.path, error))
      }
    })
  }
}

/**
 * Opens it; the end of the scope writes what is left, and closes it. Lost lines are the metric `spindle_log_lines_lost`,
 * attribute `observer`: the path.
 */
export const make = (options: Options): Effect.Effect<NodeLogFile, LogFileErrors.LogFileError, Scope.Scope> =>
  Effect.gen(function* () {
    const file = yield* Effect.acquireRelease(
      Effect.try({
        try: () => {
          const file = new NodeLogFile(options)
          return { file, forget: atExit(file.drainNow) }
        },
        catch: (error) => LogFileErrors.notOpened(options.path, error)
      }),
      ({ file, forget }) => Effect.andThen(file.close(), Effect.sync(forget))
    )
    yield* countLost(options.path, () => file.file.statistics.lost)
    return file.file
  })
