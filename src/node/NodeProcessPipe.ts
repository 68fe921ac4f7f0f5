/** One end of a pipe to a child, as a transport. Node makes them of UNIX socket pairs. */
import type * as net from "node:net"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Reason from "../reactor/Reason.ts"
import type { Turn } from "../reactor/Turn.ts"
import { type NodeLimits, NodeTransport, type Secure } from "./NodeTransport.ts"

const secure: Secure = () =>
  Effect.fail(new Reason.Unsupported({ detail: "a pipe to a process does not change to TLS" }))

export interface PipeSettings {
  readonly turn: Turn
  readonly limits: NodeLimits
  readonly program: string
  readonly fd: number
  readonly mode: "r" | "w" | "rw"
}

export class NodeProcessPipe extends NodeTransport {
  readonly fd: number
  private readonly pipe: net.Socket
  private paused = false
  private inputOver = false
  /** What is left of the time that a pipe may be open after the exit, in milliseconds; undefined while the process lives. */
  private left: number | undefined = undefined
  private since = 0
  private timer: NodeJS.Timeout | undefined = undefined
  /** It was given up, with somebody else still at its other end. */
  leftOpen = false

  constructor(pipe: net.Socket, { fd, limits, mode, program, turn }: PipeSettings) {
    const address = NetAddress.unixPathAddress(`${program} (descriptor ${fd})`)
    super(pipe, { turn, limits, secure }, { local: address, peer: address })
    this.fd = fd
    this.pipe = pipe
    // Whoever only reads is through with the child's end; who also writes may go on.
    pipe.allowHalfOpen = mode === "rw"
    pipe.once("close", this.stopTimer)
  }

  get isClosed(): boolean {
    return this.pipe.closed
  }

  protected override pauseInput(): void {
    this.paused = true
    this.stopTimer()
    super.pauseInput()
  }

  protected override resumeInput(): void {
    this.paused = false
    super.resumeInput()
    this.startTimer()
  }

  /** @internal */
  override gotEnd(): void {
    this.inputOver = true
    super.gotEnd()
    if (this.left !== undefined) this.pipe.destroySoon()
  }

  /** The process is gone: what it said is to come, and then the end, unless somebody else has the pipe, too. */
  processExited(pipesTimeoutMillis: number): void {
    if (this.pipe.destroyed) return
    this.left = pipesTimeoutMillis
    this.pipe.allowHalfOpen = false
    if (this.inputOver) return this.pipe.destroySoon()
    // Node now makes all pipes flow. Its turn comes first.
    process.nextTick(() => {
      process.nextTick(() => {
        if (this.paused) this.pipe.pause()
      })
    })
    if (!this.paused) this.startTimer()
  }

  /** From now on, what comes is dropped: so that a child which is to end is not held up by its output. */
  drop(): void {
    this.stopTimer()
    if (this.pipe.destroyed) return
    this.release()
    this.paused = false
    this.pipe.resume()
  }

  /** Closes it now, without a reason to anybody. */
  destroy(): void {
    this.stopTimer()
    this.pipe.destroy()
  }

  // --- the time after the exit --------------------------------------------------------------------------

  private startTimer(): void {
    if (this.left === undefined || this.timer !== undefined || this.pipe.destroyed) return
    if (this.left === Infinity) return
    this.since = performance.now()
    this.timer = setTimeout(this.giveUpSoon, Math.max(this.left, 1))
  }

  private readonly stopTimer = (): void => {
    if (this.timer === undefined) return
    clearTimeout(this.timer)
    this.timer = undefined
    this.left! -= performance.now() - this.since
  }

  /** Where this process itself was busy for long, what the child has said is still to be read: the loop gets a turn for that. */
  private readonly giveUpSoon = (): void => {
    this.timer = undefined
    this.left = 0
    setImmediate(() => {
      if (this.paused || this.pipe.destroyed) return
      this.leftOpen = true
      this.gotEnd()
      this.destroy()
    })
  }
}
