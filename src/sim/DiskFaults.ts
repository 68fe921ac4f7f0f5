import * as Duration from "effect/Duration"
import { DiskError } from "./Disk.ts"
import type { Seed } from "./Seed.ts"
import { drawing, type Draw, type Spread } from "./Spread.ts"

export type DiskOperation = "read" | "write" | "sync"

export interface DiskOptions {
  /** How long reading and writing take. Default: 50 microseconds. */
  readonly latency?: Spread | undefined
  /** How long a sync takes. Default: at least 0.5 ms, 2 ms on average. */
  readonly syncLatency?: Spread | undefined
  /** Probability that reading fails with EIO. Default 0. */
  readonly readErrors?: number | undefined
  /** Probability that writing, or anything else that changes the disk, fails with EIO. Default 0. */
  readonly writeErrors?: number | undefined
  /** Probability that a sync fails with EIO: what was written stays unsafe. Default 0. */
  readonly syncErrors?: number | undefined
  /** Bytes of all files above which it is full (ENOSPC). Default: no limit. */
  readonly bytesMax?: number | undefined
}

/** What a disk does to operations: it takes its time, and fails. */
export class DiskFaults {
  private readonly seed: Seed
  private options: DiskOptions = {}
  private latency: Draw = () => 0
  private syncLatency: Draw = () => 0

  constructor(seed: Seed) {
    this.seed = seed
  }

  set(options: DiskOptions): void {
    this.options = options
    this.latency = drawing(this.options.latency ?? Duration.micros(50n))
    this.syncLatency = drawing(this.options.syncLatency ?? { min: "500 micros", mean: "2 millis" })
  }

  /** Nanoseconds that an operation takes. */
  nanos(operation: DiskOperation): number {
    return operation === "sync" ? this.syncLatency(this.seed) : this.latency(this.seed)
  }

  /** Throws where the operation fails. */
  meet(operation: DiskOperation): void {
    const { readErrors = 0, syncErrors = 0, writeErrors = 0 } = this.options
    const probability = operation === "read" ? readErrors : operation === "write" ? writeErrors : syncErrors
    if (this.seed.chance(probability)) throw new DiskError("EIO", "the disk fails")
  }
}
