/** Where boxes leave: at once, held back while the connection changes to TLS, or not any more. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { carrierOf } from "../reactor/DescriptorTransport.ts"
import * as Immediate from "../reactor/Immediate.ts"
import type { TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import { type AmpReason, ConnectionLost } from "./AmpError.ts"
import type { DescriptorPort } from "./AmpDescriptors.ts"

/** Done, or still to wait for room; a failure is known at once. */
export type Sent = Effect.Effect<void, AmpReason>

/** Descriptors that came, and that no box has named yet: more of them end the connection. */
const unclaimedMax = 64

export class AmpOutlet {
  private transport: Transport
  private begin: (bytes: Uint8Array | string) => Effect.Effect<void, TransportError>
  private held: Array<Uint8Array> | undefined = undefined
  private shut: AmpReason | undefined = undefined

  private descriptorsSent = 0
  private descriptorsReceived = 0
  private giving: Array<number> = []
  private taken: Array<number> = []
  private readonly unclaimed = new Map<number, number>()

  constructor(transport: Transport) {
    this.transport = transport
    this.begin = Immediate.beginning(transport.send)
  }

  send(bytes: Uint8Array): Sent {
    if (this.shut !== undefined) return Effect.fail(this.shut)
    if (this.held !== undefined) {
      this.held.push(bytes)
      return Effect.void
    }
    const rest = this.begin(bytes)
    if (rest === Effect.void) return Effect.void
    const error = errorOf(rest)
    return error === undefined ? Effect.mapError(rest, lost) : Effect.fail(lost(error))
  }

  /** Sends what nobody misses: an answer that cannot be sent any more, since the conversation ends for that reason or was switched. */
  reply(bytes: Uint8Array): Effect.Effect<void> {
    const sent = this.send(bytes)
    return sent === Effect.void ? Effect.void : Effect.ignore(sent)
  }

  /** What is sent from now on waits for `resume`. */
  hold(): void {
    this.held ??= []
  }

  /** Sends what waited. */
  resume(transport: Transport = this.transport): void {
    this.transport = transport
    this.begin = Immediate.beginning(transport.send)
    const held = this.held ?? []
    this.held = undefined
    for (const bytes of held) void this.send(bytes)
  }

  /** Nothing leaves any more, for that reason. The first one stands. */
  close(reason: AmpReason): void {
    this.shut ??= reason
    this.held = undefined
    const carrier = carrierOf(this.transport)
    for (const descriptor of this.unclaimed.values()) carrier?.closeDescriptor(descriptor)
    this.unclaimed.clear()
  }

  // --- descriptors --------------------------------------------------------------------------------------

  /** For the encoding of one box; `undefined` where none are carried. Ends with `commit` or `drop`. */
  readonly port: DescriptorPort = {
    give: (descriptor) => {
      if (carrierOf(this.transport) === undefined) return undefined
      this.giving.push(descriptor)
      return this.descriptorsSent + this.giving.length - 1
    },
    take: (ordinal) => {
      const descriptor = this.unclaimed.get(ordinal)
      if (descriptor === undefined) return undefined
      this.unclaimed.delete(ordinal)
      this.taken.push(descriptor)
      return descriptor
    }
  }

  /** The box was decoded, and its descriptors are somebody's; or it is about to be sent, and they go with it. */
  commit(): AmpReason | undefined {
    this.taken.length = 0
    if (this.giving.length === 0) return undefined
    const giving = this.giving
    this.giving = []
    const carrier = carrierOf(this.transport)
    for (const descriptor of giving) {
      const error = carrier?.sendDescriptor(descriptor)
      if (error !== undefined) return lost(error)
      this.descriptorsSent++
    }
    return undefined
  }

  /** It came to nothing: what was taken for it is closed, nothing is sent. */
  drop(): void {
    const carrier = carrierOf(this.transport)
    for (const descriptor of this.taken) carrier?.closeDescriptor(descriptor)
    this.taken.length = 0
    this.giving.length = 0
  }

  /** Numbers those that came. False when too many wait for a box that names them. */
  collect(): boolean {
    const carrier = carrierOf(this.transport)
    if (carrier === undefined) return true
    for (const descriptor of carrier.takeDescriptors()) {
      this.unclaimed.set(this.descriptorsReceived++, descriptor)
    }
    return this.unclaimed.size <= unclaimedMax
  }
}

const lost = (cause: TransportError): AmpReason => new ConnectionLost({ cause })

const errorOf = <E>(effect: Effect.Effect<void, E>): E | undefined => {
  if (!Exit.isExit(effect) || Exit.isSuccess(effect)) return undefined
  for (const reason of effect.cause.reasons) if (reason._tag === "Fail") return reason.error as E
  return undefined
}

/** The reason why nothing was sent, where that is known already. */
export const failureOf: (sent: Sent) => AmpReason | undefined = errorOf
