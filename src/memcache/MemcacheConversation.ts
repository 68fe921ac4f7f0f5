/** One connection of a server, from the login, where there is one, to the end. */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { Cut } from "../protocol/Cut.ts"
import type { TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import type { MemcacheEngine } from "./MemcacheEngine.ts"
import type { Leaver } from "./MemcacheLeaving.ts"
import { MemcacheLogin } from "./MemcacheLogin.ts"
import { MemcacheOutput } from "./MemcacheOutput.ts"
import * as MemcacheRequestWire from "./MemcacheRequestWire.ts"
import { MemcacheSession } from "./MemcacheSession.ts"
import type { Authenticate } from "./MemcacheUsers.ts"

/** What all conversations of a server have in common. */
export interface Shared extends MemcacheRequestWire.Options {
  readonly engine: MemcacheEngine
  readonly clock: Clock.Clock
  readonly authenticate: Authenticate | undefined
}

type Step = Effect.Effect<void, TransportError | Closing>

export class MemcacheConversation implements Leaver {
  private readonly shared: Shared
  private readonly transport: Transport
  private readonly decoder: MemcacheRequestWire.RequestDecoder
  private readonly output: MemcacheOutput
  private readonly session: MemcacheSession
  private readonly cut = new Cut<void>()
  /** Until the user is known. */
  private login: MemcacheLogin | undefined
  /** There are answers that are not sent yet, or a password is looked at. */
  private isBusy = false
  /** The server wants to stop. */
  private isLeaving = false
  /** How many requests had been answered when it wanted to. */
  private answeredBefore = 0

  constructor(transport: Transport, shared: Shared) {
    this.transport = transport
    this.shared = shared
    this.output = new MemcacheOutput(shared.engine.outputBuffer)
    this.decoder = MemcacheRequestWire.decoder(shared)
    this.session = new MemcacheSession(shared.engine, this.output)
    const { authenticate, engine } = shared
    this.login = authenticate === undefined ? undefined : new MemcacheLogin(authenticate, engine.counters)
  }

  get isLoggedIn(): boolean {
    return this.login === undefined
  }

  get run(): Effect.Effect<void, TransportError> {
    return this.cut
      .around(this.transport.receiveEach(this.received))
      .pipe(Effect.catchIf(isClosing, () => Effect.void))
  }

  /** Ends it now, whatever is under way. */
  readonly end = (): void => this.cut.now(Effect.void)

  /** Ends it at once between two commands; else behind the one that has begun. */
  readonly leave = (): void => {
    this.isLeaving = true
    this.isLeaving = true
    this.answeredBefore = this.session.answered
    if (!this.isBusy && (this.login !== undefined || this.decoder.isBetween)) this.end()
  }

  private readonly received = (bytes: Uint8Array): Step => {
    this.shared.engine.counters.bytes_read += bytes.length
    if (this.login !== undefined) {
      this.login.decoder.push(bytes)
      return this.enter(this.login)
    }
    this.decoder.push(bytes)
    return this.answer()
  }

  private enter(login: MemcacheLogin): Step {
    this.isBusy = true
    return Effect.flatMap(login.next, ({ isOver, reply, rest }): Step => {
      this.isBusy = false
      this.output.text(reply)
      if (isOver || this.isLeaving) return Effect.andThen(this.send(), closing)
      if (rest === undefined) return this.send()
      this.login = undefined
      // What came behind the password.
      this.decoder.push(rest)
      return this.answer()
    })
  }

  private readonly answer = (): Step => {
    const { decoder, output, session, shared } = this
    const next = session.run(decoder, shared.clock.currentTimeMillisUnsafe())
    if (next === "Input") {
      if (this.isLeaving && this.hasDone) return Effect.andThen(this.send(), closing)
      this.isBusy = false
      return output.bytes === 0 ? Effect.void : this.send()
    }
    this.isBusy = true
    // No more is made before what there is has left.
    if (next === "Send") return Effect.flatMap(this.send(), this.answer)
    return Effect.andThen(this.send(), closing)
  }

  /** Nothing is left of what had begun when the server wanted to stop. */
  private get hasDone(): boolean {
    return this.decoder.isBetween || this.session.answered > this.answeredBefore
  }

  private send(): Step {
    const { output, shared, transport } = this
    shared.engine.counters.bytes_written += output.bytes
    const pieces = output.take()
    if (pieces.length === 1) return transport.send(pieces[0]!)
    if (pieces.length === 0) return Effect.void
    const wasBusy = this.isBusy
    this.isBusy = true
    return Effect.andThen(
      Effect.forEach(pieces, transport.send, { discard: true }),
      Effect.suspend(() => {
        this.isBusy = wasBusy
        return this.isLeaving && !wasBusy && this.hasDone ? closing : Effect.void
      })
    )
  }
}

/** Ends the loop of a connection; nobody else hears of it. */
class Closing {
  readonly _tag = "Closing"
}
const closing = Effect.fail(new Closing())
const isClosing = (error: TransportError | Closing): error is Closing => error instanceof Closing
