import * as fs from "node:fs"
import * as os from "node:os"
import * as Effect from "effect/Effect"
import * as Errno from "../reactor/Errno.ts"

const quietMin = 1_000
const quietMax = 60_000
const lookInterval = 1_000

/**
 * Failures of the accept loop itself (out of descriptors or buffers). The loop lives on: libuv takes and closes
 * the client that cannot be served, so that it does not spin. What is left to do is to say so, and to say it
 * rarely: at once, then after pauses that double up to a minute.
 *
 * libuv closes such clients without a word to anybody. So, a second after connections came, it is tried whether
 * there is a descriptor left; while there is none, every second.
 */
export class AcceptFailures {
  static readonly make = (endpoint: string): Effect.Effect<AcceptFailures> =>
    Effect.map(
      Effect.context<never>(),
      (context) => new AcceptFailures(endpoint, Effect.runForkWith(context))
    )

  private readonly endpoint: string
  private readonly run: (effect: Effect.Effect<void>) => unknown
  private count = 0
  private quiet = quietMin
  private quietUntil = 0
  private timer: NodeJS.Timeout | undefined = undefined
  private short = false
  private stopped = false

  private constructor(endpoint: string, run: (effect: Effect.Effect<void>) => unknown) {
    this.endpoint = endpoint
    this.run = run
  }

  /** A connection was accepted: the next one may be one too many. */
  accepted(): void {
    if (this.timer === undefined && !this.stopped) this.lookLater()
  }

  /** The server said that it could not accept. */
  readonly report = (error: Error): void => {
    this.count++
    if (!this.mayTell()) return
    const count = this.count
    this.count = 0
    this.tell(
      Effect.logWarning(`cannot accept connections (${count} failed): ${error.message}`),
      Errno.codeOf(error)
    )
  }

  stop(): void {
    this.stopped = true
    clearTimeout(this.timer)
    this.timer = undefined
  }

  private lookLater(): void {
    this.timer = setTimeout(this.look, lookInterval).unref()
  }

  private readonly look = (): void => {
    this.timer = undefined
    const errno = shortage()
    if (errno !== undefined) {
      this.short = true
      this.lookLater()
      const message = "cannot accept connections: no descriptor is left, new clients are closed at once"
      if (this.mayTell()) this.tell(Effect.logWarning(message), errno)
    } else if (this.short) {
      this.short = false
      this.tell(Effect.logInfo("accepts connections again"), "")
    }
  }

  private mayTell(): boolean {
    const now = performance.now()
    if (now < this.quietUntil) return false
    this.quiet = now < this.quietUntil + this.quiet ? Math.min(this.quiet * 2, quietMax) : quietMin
    this.quietUntil = now + this.quiet
    return true
  }

  private tell(message: Effect.Effect<void>, errno: string): void {
    const { endpoint } = this
    this.run(Effect.annotateLogs(message, errno === "" ? { endpoint } : { endpoint, errno }))
  }
}

/** EMFILE or ENFILE, if there is no descriptor left for this process. */
const shortage = (): string | undefined => {
  try {
    fs.closeSync(fs.openSync(os.devNull, "r"))
    return undefined
  } catch (error) {
    const errno = Errno.codeOf(error)
    return errno === "EMFILE" || errno === "ENFILE" ? errno : undefined
  }
}
