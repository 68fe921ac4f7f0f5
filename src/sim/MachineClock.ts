import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Machine } from "./Machine.ts"
import * as Nanos from "./Nanos.ts"

/** The clock of a computer, as its battery keeps it through a crash: a little wrong if it is told to be. */
export class HardwareClock {
  private readonly now: () => number
  /** Nanoseconds since 1970 when the world began. */
  private readonly epoch: number
  /** What the wall clock is ahead by, in nanoseconds. */
  private ahead = 0
  /** Its own seconds in one of the world's. */
  private rate = 1
  driftPpm = 0
  private worldThen = 0
  private ownThen = 0

  /** `now`: the world's nanoseconds. */
  constructor(now: () => number, epoch: number) {
    this.now = now
    this.epoch = epoch
  }

  /** Runs this many parts of a million too fast from now on; too slow if negative. */
  drift(partsPerMillion: number): void {
    this.ownThen = this.elapsed
    this.worldThen = this.now()
    this.driftPpm = partsPerMillion
    this.rate = Math.max(0.01, 1 + partsPerMillion / 1e6)
  }

  /** Sets the wall clock ahead, or back; what sleeps does not notice. */
  step(nanos: number): void {
    this.ahead += nanos
  }

  /** Its own nanoseconds since the world began. */
  get elapsed(): number {
    return this.ownThen + (this.now() - this.worldThen) * this.rate
  }

  get wallMillis(): number {
    return Math.floor((this.epoch + this.elapsed + this.ahead) / Nanos.perMilli)
  }

  get wallNanos(): bigint {
    return BigInt(this.epoch) + BigInt(Math.round(this.elapsed + this.ahead))
  }

  /** So many milliseconds of this clock, in nanoseconds of the world; never too few. */
  worldNanos(millis: number): number {
    return Math.ceil((millis * Nanos.perMilli) / this.rate)
  }
}

/** Effect's clock on a machine. Sleeping is a moment of the world's timeline. */
export class MachineClock implements Clock.Clock {
  private readonly machine: Machine
  private readonly hardware: HardwareClock

  constructor(machine: Machine, hardware: HardwareClock) {
    this.machine = machine
    this.hardware = hardware
  }

  currentTimeMillisUnsafe(): number {
    return this.hardware.wallMillis
  }

  currentTimeNanosUnsafe(): bigint {
    return this.hardware.wallNanos
  }

  monotonicTimeNanosUnsafe(): bigint {
    return BigInt(Math.round(this.hardware.elapsed))
  }

  readonly currentTimeMillis: Effect.Effect<number> = Effect.sync(() => this.currentTimeMillisUnsafe())
  readonly currentTimeNanos: Effect.Effect<bigint> = Effect.sync(() => this.currentTimeNanosUnsafe())
  readonly monotonicTimeNanos: Effect.Effect<bigint> = Effect.sync(() => this.monotonicTimeNanosUnsafe())

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    const millis = Duration.toMillis(duration)
    if (millis <= 0) return Effect.yieldNow
    if (!Number.isFinite(millis)) return Effect.never
    return Effect.callback((resume) => {
      const { engine } = this.machine
      const moment = this.machine.plan(this.hardware.worldNanos(millis), () => resume(Effect.void))
      return Effect.sync(() => engine.cancel(moment))
    })
  }
}
