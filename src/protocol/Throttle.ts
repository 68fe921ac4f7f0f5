/** Slows connections down to a rate. Twisted: `ThrottlingFactory`, `htb`. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Wrapper } from "../reactor/Conversation.ts"
import type { Transport } from "../reactor/Transport.ts"
import { SharedBucket } from "./SharedBucket.ts"
import { Flow, ThrottledTransport } from "./ThrottledTransport.ts"
import { burstSecondsOf, type Rate } from "./TokenBucket.ts"

export type { Rate }

/** A rate in bytes a second, with a burst of what a second brings, or with another. */
export type RateInput = number | Rate

export interface Rates {
  /** Default: no limit. */
  readonly receiveRate?: RateInput | undefined
  /** Default: no limit. */
  readonly sendRate?: RateInput | undefined
}

export interface Options extends Rates {
  /** All connections of the wrapper together. Those that want more share it equally. */
  readonly total?: Rates | undefined
}

/**
 * Receiving waits by not consuming: reading pauses, and in the end the peer cannot send. Sending waits in `send`.
 * What passes is accounted for afterwards: a piece passes whole, and the next waits until it is paid for. What is
 * sent in one big piece leaves in small ones. Throws a `RangeError` for a rate that is no positive number.
 */
export const over = (options: Options): Wrapper<Transport, Transport> => {
  const receive = directionOf(options.receiveRate, options.total?.receiveRate)
  const send = directionOf(options.sendRate, options.total?.sendRate)
  return (protocol) => (transport) =>
    Effect.flatMap(Clock.Clock, (clock) => {
      const now = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e9
      const receiving = receive && new Flow(receive, now)
      const sending = send && new Flow(send, now)
      const view = new ThrottledTransport(transport, { receiving, sending })
      return Effect.onExit(
        Effect.suspend(() => protocol(view)),
        () => view.leave
      )
    })
}

/** The limits of one direction; `undefined` when there are none. */
const directionOf = (own: RateInput | undefined, total: RateInput | undefined) => {
  if (own === undefined && total === undefined) return undefined
  const rates = [own, total].filter((rate) => rate !== undefined).map(rateOf)
  for (const rate of rates) burstSecondsOf(rate)
  return {
    own: own === undefined ? undefined : rateOf(own),
    shared: total === undefined ? undefined : new SharedBucket(rateOf(total)),
    pieceBytesMax: pieceBytesOf(Math.min(...rates.map((rate) => rate.bytesPerSecond)))
  }
}

const rateOf = (rate: RateInput): Rate => (typeof rate === "number" ? { bytesPerSecond: rate } : rate)

/** About ten pieces a second; not so small that it is all headers, not so big that it comes in gusts. */
const pieceBytesOf = (bytesPerSecond: number): number =>
  Math.min(65_536, Math.max(1_024, Math.ceil(bytesPerSecond / 10)))
