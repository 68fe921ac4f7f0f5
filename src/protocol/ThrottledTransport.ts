import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Immediate from "../reactor/Immediate.ts"
import type { TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import { Account } from "./FairBucket.ts"
import { SendLane } from "./SendLane.ts"
import type { Now, SharedBucket } from "./SharedBucket.ts"
import { type Rate, TokenBucket } from "./TokenBucket.ts"
import { byteLength } from "./byteLength.ts"
import { type Consume, immediate, WatchedTransport } from "./WatchedTransport.ts"

/** The limits of one direction. */
export interface Direction {
  readonly own: Rate | undefined
  readonly shared: SharedBucket | undefined
  /** What is bigger is sent in pieces. */
  readonly pieceBytesMax: number
}

/** Nobody waits for less: many small pieces are waited for together. */
const creditSeconds = 0.01

/** What passes in one direction of one connection. */
export class Flow {
  /** So much that passed is not paid for that the next piece has to wait. */
  owes = false
  readonly pieceBytesMax: number
  private readonly own: TokenBucket | undefined
  private readonly shared: SharedBucket | undefined
  private readonly account = new Account()
  private readonly now: Now

  constructor(direction: Direction, now: Now) {
    this.own = direction.own === undefined ? undefined : new TokenBucket(direction.own)
    this.shared = direction.shared
    this.pieceBytesMax = direction.pieceBytesMax
    this.now = now
  }

  take(bytes: number): void {
    const now = this.now()
    this.own?.take(bytes, now)
    const mustWait = this.shared?.take(this.account, bytes, now) ?? false
    this.owes = mustWait || (this.own !== undefined && this.own.debt(now) > creditSeconds)
  }

  /** Waits until all that passed is paid for. */
  readonly paid: Effect.Effect<void> = Effect.suspend(() => {
    const seconds = this.own?.debt(this.now()) ?? 0
    if (seconds > 0)
      return Effect.andThen(Effect.sleep(Duration.millis(Math.ceil(seconds * 1_000))), this.paid)
    if (this.account.owes && this.shared !== undefined) {
      return Effect.andThen(this.shared.paid(this.account, this.now), this.paid)
    }
    this.owes = false
    return Effect.void
  })

  get leave(): Effect.Effect<void> {
    return this.shared === undefined ? Effect.void : this.shared.leave(this.account, this.now)
  }
}

export interface Flows {
  readonly receiving: Flow | undefined
  readonly sending: Flow | undefined
}

const encoder = new TextEncoder()

export class ThrottledTransport extends WatchedTransport {
  private readonly flows: Flows
  private readonly lane: SendLane | undefined
  /** The one that took its place under TLS. */
  private successor: ThrottledTransport | undefined = undefined

  constructor(inner: Transport, flows: Flows) {
    super(inner)
    this.flows = flows
    const { sending } = flows
    this.lane =
      sending &&
      new SendLane({
        pass: (bytes) => this.pay(sending, bytes, bytes.length),
        owes: () => sending.owes,
        paid: Effect.suspend(() => (sending.owes ? this.orOver(sending.paid) : Effect.void)),
        pieceBytesMax: sending.pieceBytesMax
      })
  }

  protected override again(secured: Transport): Transport {
    return (this.successor = new ThrottledTransport(secured, this.flows))
  }

  /** The conversation is over: what it sent is on its way, what it owes is left to the others. */
  get leave(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.latest.lane?.flush()
      const { receiving, sending } = this.flows
      return Effect.andThen(receiving?.leave ?? Effect.void, sending?.leave ?? Effect.void)
    })
  }

  private get latest(): ThrottledTransport {
    return this.successor?.latest ?? this
  }

  /** Nobody waits longer than the connection lives. */
  private orOver(wait: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.raceFirst(wait, Effect.ignore(this.inner.closed))
  }

  // --- receiving ----------------------------------------------------------------------------------------

  protected override received(bytes: Uint8Array): Effect.Effect<void> {
    this.flows.receiving?.take(bytes.length)
    return Effect.void
  }

  protected override makeReceive(): Transport["receive"] {
    const receive = super.makeReceive()
    const { receiving } = this.flows
    if (receiving === undefined) return receive
    const later = Effect.andThen(this.orOver(receiving.paid), receive)
    return Effect.suspend(() => (receiving.owes ? later : receive))
  }

  override get receiveEach(): Transport["receiveEach"] {
    const { receiving } = this.flows
    if (receiving === undefined) return super.receiveEach
    return (f) => {
      const each = super.receiveEach(f)
      return Effect.suspend(() => (receiving.owes ? Effect.andThen(this.orOver(receiving.paid), each) : each))
    }
  }

  protected override eachReceived<E, R>(f: Consume<E, R>): Consume<E, R> {
    const { receiving } = this.flows
    if (receiving === undefined) return super.eachReceived(f)
    const begin = Immediate.beginning(f)
    const paid = this.orOver(receiving.paid)
    return super.eachReceived(
      immediate((bytes) => {
        const rest = begin(bytes)
        return receiving.owes ? Effect.andThen(rest, paid) : rest
      })
    )
  }

  // --- sending ------------------------------------------------------------------------------------------

  protected override sendNow(data: Uint8Array | string): Effect.Effect<void, TransportError> {
    const { sending } = this.flows
    if (sending === undefined || this.lane === undefined) return super.sendNow(data)
    const bytes = byteLength(data)
    if (this.lane.isEmpty && bytes <= sending.pieceBytesMax) {
      const rest = this.pay(sending, data, bytes)
      return sending.owes ? Effect.andThen(rest, this.orOver(sending.paid)) : rest
    }
    return this.lane.send(typeof data === "string" ? encoder.encode(data) : data)
  }

  private pay(flow: Flow, data: Uint8Array | string, bytes: number): Effect.Effect<void, TransportError> {
    flow.take(bytes)
    return super.sendNow(data)
  }

  override get end(): Transport["end"] {
    return Effect.suspend(() => {
      this.lane?.flush()
      return this.inner.end
    })
  }

  override get startTls(): Transport["startTls"] {
    return (options) =>
      Effect.suspend(() => {
        this.lane?.flush()
        return super.startTls(options)
      })
  }
}
