import { getSystemErrorMessage, getSystemErrorName } from "node:util"
import * as Effect from "effect/Effect"
import * as carrying from "../reactor/DescriptorTransport.ts"
import * as Errno from "../reactor/Errno.ts"
import type { TransportError, TransportReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import { type Secured, StreamTransport } from "../reactor/StreamTransport.ts"
import * as Tls from "../reactor/Tls.ts"
import type { Turn } from "../reactor/Turn.ts"
import { endDeadline, type Timed } from "./DeadlineQueue.ts"
import type * as NodeAddress from "./NodeAddress.ts"
import {
  descriptorsPerMessageMax,
  type NodeDescriptorLibc,
  type Poll,
  READABLE,
  WRITABLE
} from "./NodeDescriptorLibc.ts"
import type { NodeLimits } from "./NodeTransport.ts"

const EAGAIN = -11
const EINTR = -4

/** Received descriptors that nobody has taken: more of them end the connection. */
const untakenMax = 256
/** As many reads in one event; then others have their turn. */
const readsPerEventMax = 8

/** A UNIX socket with descriptors beside its bytes. The descriptor that it is given is its own. */
export class NodeDescriptorStream extends StreamTransport implements Timed, carrying.DescriptorTransport {
  readonly local: NodeAddress.Ends["local"]
  readonly peer: NodeAddress.Ends["peer"]
  readonly security: Tls.Security = Tls.plain
  deadline: Timed["deadline"] = undefined

  private readonly fd: number
  private readonly libc: NodeDescriptorLibc
  private readonly nodeLimits: NodeLimits
  private readonly poll: Poll
  private watched = 0
  private reading = true
  private readonly rest: Array<Uint8Array> = []
  private giving: Array<number> = []
  private came: Array<number> = []
  private ended = false
  private ending: "No" | "BehindRest" | "Done" = "No"
  private closing = false
  private destroyed = false

  /** Throws when the descriptor cannot be watched; it is still the caller's then. */
  constructor(fd: number, libc: NodeDescriptorLibc, turn: Turn, limits: NodeLimits, ends: NodeAddress.Ends) {
    super(turn, limits)
    this.fd = fd
    this.libc = libc
    this.nodeLimits = limits
    this.local = ends.local
    this.peer = ends.peer
    this.poll = libc.poll(fd, (events) => this.ready(events))
    this.watch()
  }

  get [carrying.carrier](): carrying.DescriptorCarrier {
    return this
  }

  // --- descriptors --------------------------------------------------------------------------------------

  readonly sendDescriptor = (descriptor: number): TransportError | undefined => {
    const copy = this.destroyed ? -9 : this.libc.duplicate(descriptor)
    if (copy < 0) return this.error("send", reasonOf(copy))
    this.giving.push(copy)
    return undefined
  }

  readonly takeDescriptors = (): ReadonlyArray<number> => {
    const came = this.came
    this.came = []
    return came
  }

  readonly closeDescriptor = (descriptor: number): void => this.libc.close(descriptor)

  private drop(descriptors: Array<number>): void {
    for (const descriptor of descriptors) this.libc.close(descriptor)
    descriptors.length = 0
  }

  // --- what the transport asks for ----------------------------------------------------------------------

  protected writeOut(pieces: ReadonlyArray<Uint8Array | string>): boolean {
    // Whoever waits is told by `ready` that the rest is out, and by nothing else.
    const waits = this.rest.length > 0
    for (const piece of pieces) this.rest.push(typeof piece === "string" ? Buffer.from(piece) : piece)
    if (!waits) this.write()
    return this.rest.length === 0
  }

  private write(): void {
    if (this.destroyed) return
    while (this.rest.length > 0) {
      const piece = this.rest[0]!
      const giving = this.giving.slice(0, descriptorsPerMessageMax)
      // More descriptors than go with one message: each further one takes a byte of its own.
      const bytes = this.giving.length > giving.length ? piece.subarray(0, 1) : piece
      const sent = this.libc.send(this.fd, bytes, giving)
      if (sent === EAGAIN) break
      if (sent === EINTR) continue
      if (sent < 0) return this.fail(reasonOf(sent))
      this.drop(this.giving.splice(0, giving.length))
      if (sent < piece.length) this.rest[0] = piece.subarray(sent)
      else this.rest.shift()
    }
    if (this.rest.length === 0) this.flushed()
    this.watch()
  }

  private flushed(): void {
    if (this.ending === "BehindRest") {
      this.ending = "Done"
      this.libc.endSending(this.fd)
    }
    if (this.ended && this.ending === "Done") return this.destroy()
    if (!this.closing) return
    endDeadline(this)
    if (this.ended) this.destroy()
    else this.nodeLimits.lingering.begin(this)
  }

  protected pauseInput(): void {
    this.reading = false
    this.watch()
  }

  protected resumeInput(): void {
    this.reading = true
    this.watch()
  }

  protected endOutput(): void {
    if (this.ending !== "No" || this.destroyed) return
    this.ending = "BehindRest"
    if (this.rest.length === 0) this.flushed()
  }

  protected closeOutput(): void {
    if (this.destroyed || this.closing) return
    this.closing = true
    // Its peer is read to the end: closing over unread input would have it see a reset.
    this.reading = true
    this.nodeLimits.closing.begin(this)
    if (this.ending === "No") this.ending = "BehindRest"
    if (this.rest.length === 0) this.flushed()
    this.watch()
  }

  protected resetNow(): void {
    this.destroy()
  }

  protected unreportedBytes(): number {
    return 0
  }

  protected secure(): Effect.Effect<Secured, TransportReason> {
    this.destroy()
    return Effect.fail(new Reason.Unsupported({ detail: "a stream that carries descriptors has no TLS" }))
  }

  /** @internal */
  onDeadline(): void {
    this.destroy()
  }

  /** Drops a connection that nobody took. */
  discard(): void {
    this.destroy()
  }

  // --- what the system tells ----------------------------------------------------------------------------

  private watch(): void {
    const events = (this.reading && !this.ended ? READABLE : 0) | (this.rest.length > 0 ? WRITABLE : 0)
    if (this.destroyed || events === this.watched) return
    this.watched = events
    this.poll.watch(events)
  }

  private ready(events: number): void {
    if ((events & WRITABLE) !== 0 && this.rest.length > 0) {
      this.write()
      if (this.rest.length === 0 && !this.destroyed) this.onDrain()
    }
    if ((events & READABLE) !== 0) {
      for (
        let reads = 0;
        reads < readsPerEventMax && this.reading && !this.ended && !this.destroyed;
        reads++
      ) {
        if (!this.read()) return
      }
    }
  }

  /** False when there is nothing more for now. */
  private read(): boolean {
    const { bytes, descriptors, size, truncated } = this.libc.receive(this.fd)
    if (size === EINTR) return true
    if (size === EAGAIN) return false
    if (size < 0) {
      this.fail(reasonOf(size))
      return false
    }
    this.came.push(...descriptors)
    if (truncated || this.came.length > untakenMax) {
      this.fail(new Reason.ResourceExhausted({ detail: "more descriptors came than can be kept" }))
      return false
    }
    if (size > 0) {
      if (!this.closing) this.onBytes(bytes)
      return true
    }
    this.ended = true
    this.watch()
    this.onEnd()
    if (this.ending === "Done") this.destroy()
    return false
  }

  private fail(reason: TransportReason): void {
    this.onFailure(reason)
    this.destroy()
  }

  private destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    endDeadline(this)
    this.rest.length = 0
    this.drop(this.giving)
    this.drop(this.came)
    this.poll.close(() => this.onClosed())
    this.libc.close(this.fd)
  }
}

const reasonOf = (code: number): TransportReason =>
  Errno.transportReason(
    Object.assign(new Error(getSystemErrorMessage(code)), { code: getSystemErrorName(code) })
  )
