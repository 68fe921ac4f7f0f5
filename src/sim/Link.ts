import type { History } from "./History.ts"
import { Layered } from "./Layered.ts"
import type { Machine } from "./Machine.ts"
import type { Seed } from "./Seed.ts"
import { type Draw, drawing, type Spread } from "./Spread.ts"

/** What the way from one host to another is like. */
export interface LinkOptions {
  /** How long a packet is under way. Default: at least 0.2 ms, 0.5 ms on average. */
  readonly latency?: Spread | undefined
  /** Bytes a second; what is too much waits in line. Default: no limit. */
  readonly bandwidth?: number | undefined
  /** Probability that a packet is lost. A stream sends it again, a datagram is gone. Default 0. */
  readonly loss?: number | undefined
  /** Probability that a datagram arrives twice. Default 0. */
  readonly duplication?: number | undefined
  /** Probability that a datagram is held up, so that others overtake it (jitter does the same). Default 0. */
  readonly reordering?: number | undefined
  /** Largest packet, in bytes: a longer datagram needs several, and is lost with any of them. Default 1,500. */
  readonly mtu?: number | undefined
  /** Probability that a segment of a stream is cut at a random place. Default 0.1. */
  readonly segmentation?: number | undefined
}

interface Filled {
  readonly latency: Draw
  readonly bandwidth: number
  readonly loss: number
  readonly duplication: number
  readonly reordering: number
  readonly mtu: number
  readonly segmentation: number
}

const latencyDefault: Spread = { min: "200 micros", mean: "500 micros" }

const fill = (options: LinkOptions): Filled => ({
  latency: drawing(options.latency ?? latencyDefault),
  bandwidth: options.bandwidth ?? Number.POSITIVE_INFINITY,
  loss: options.loss ?? 0,
  duplication: options.duplication ?? 0,
  reordering: options.reordering ?? 0,
  mtu: options.mtu ?? 1_500,
  segmentation: options.segmentation ?? 0.1
})

/** A computer as the network sees it. */
export interface Node {
  readonly machine: Machine
  readonly port: Machine
  /** Crashed: it neither sends nor hears. */
  readonly isDown: boolean
  /** The faults that keep it from all others. */
  readonly isolations: ReadonlySet<object>
}

/** Headers of IP and TCP, or of IP and UDP with a margin. */
export const headerBytes = 40

/** The way from one host to another; the way back is another one. */
export class Link {
  readonly from: Node
  readonly to: Node
  /** The faults that hold it closed. */
  readonly blocks = new Set<object>()
  /** The faults that answer for the hosts behind it that there is no way. */
  readonly rejections = new Set<object>()
  readonly options: Layered<LinkOptions>
  private filled!: Filled
  private freeFrom = 0
  private readonly seed: Seed
  private readonly history: History

  constructor(from: Node, to: Node, options: LinkOptions, seed: Seed, history: History) {
    this.from = from
    this.to = to
    this.seed = seed
    this.history = history
    this.options = new Layered(options, (all) => {
      this.filled = fill(all)
    })
  }

  /** Nanoseconds until a packet of so many bytes arrives; undefined if it is lost. */
  carry(bytes: number): number | undefined {
    const { from, to } = this
    if (this.blocks.size > 0 || from.isDown || to.isDown) return undefined
    if (from !== to && (from.isolations.size > 0 || to.isolations.size > 0)) return undefined
    const { bandwidth, latency, loss } = this.filled
    if (loss > 0 && this.seed.chance(loss)) return undefined
    const nanos = latency(this.seed)
    if (bandwidth === Number.POSITIVE_INFINITY) return nanos
    const { now } = from.machine.engine
    this.freeFrom = Math.max(now, this.freeFrom) + Math.ceil(((bytes + headerBytes) / bandwidth) * 1e9)
    return this.freeFrom - now + nanos
  }

  /** When each copy of a datagram arrives, in nanoseconds from now: none if it is lost. */
  carryDatagram(bytes: number): ReadonlyArray<number> {
    const { duplication, latency, mtu, reordering } = this.filled
    let nanos = 0
    for (let rest = bytes; rest >= 0; rest -= mtu - headerBytes) {
      const part = this.carry(Math.min(rest, mtu))
      if (part === undefined) return []
      nanos = Math.max(nanos, part)
    }
    if (this.seed.chance(reordering)) nanos += 2 * latency(this.seed)
    return this.seed.chance(duplication) ? [nanos, nanos + latency(this.seed)] : [nanos]
  }

  /** How many of the bytes that are there, at least one, go into the next segment. */
  segment(available: number): number {
    const { mtu, segmentation } = this.filled
    const most = Math.min(available, mtu - headerBytes)
    return this.seed.chance(segmentation) ? 1 + this.seed.below(most) : most
  }

  /** Tells the history. */
  tell(kind: Parameters<History["record"]>[0], nanos: number | undefined, bytes: number, what: string): void {
    this.history.record(kind, this.from.machine, this.to.machine, nanos, bytes, what)
  }
}
