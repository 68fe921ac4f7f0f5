import type { MemoryHost } from "../memory/MemoryHost.ts"
import { type CrashMode, Disk } from "./Disk.ts"
import { DiskFaults, type DiskOptions } from "./DiskFaults.ts"
import type { Engine } from "./Engine.ts"
import { Layered } from "./Layered.ts"
import type { Node } from "./Link.ts"
import type { Machine } from "./Machine.ts"
import type { SimStream } from "./SimStream.ts"
import type { Seed } from "./Seed.ts"

/** A host of a simulated network: its computer, its addresses and ports, and the connections its kernel knows. */
export class SimNode implements Node {
  readonly host: MemoryHost
  /** Where what is under way to this host arrives, whichever life that is. */
  readonly port: Machine
  readonly streams = new Set<SimStream>()
  readonly isolations = new Set<object>()
  /** What is to be told of a crash. */
  readonly lives = new Set<() => void>()
  readonly disk: Disk
  readonly diskFaults: DiskFaults
  readonly diskOptions: Layered<DiskOptions>
  /** How long a task may take, at most. */
  readonly pace: Layered<{ readonly taskNanos: number }>
  private readonly engine: Engine
  private current: Machine
  private readonly seed: Seed
  private life = 0
  private down = false
  private taskNanos = 0

  constructor(engine: Engine, host: MemoryHost, disk: DiskOptions = {}) {
    this.engine = engine
    this.host = host
    this.port = engine.machine(host.name)
    this.current = engine.reboot(this.port, 0)
    this.seed = engine.seed.fork(`disk ${host.name}`)
    this.disk = new Disk(() => this.port.hardware.wallMillis)
    this.diskFaults = new DiskFaults(this.seed)
    this.diskOptions = new Layered(disk, (all) => {
      this.diskFaults.set(all)
      this.disk.bytesMax = all.bytesMax ?? Number.POSITIVE_INFINITY
    })
    this.pace = new Layered({ taskNanos: 0 }, ({ taskNanos }) => {
      this.taskNanos = taskNanos
      this.current.slowness = taskNanos
    })
  }

  get name(): string {
    return this.host.name
  }

  /** The computer, in this life. */
  get machine(): Machine {
    return this.current
  }

  get isDown(): boolean {
    return this.down
  }

  /** Loses everything at once, of the disk what the mode says; nobody is told over the network. */
  crash(mode: CrashMode): void {
    if (this.down) return
    this.disk.crash(mode, this.seed)
    this.goOn()
    this.down = true
    this.current.die()
    for (const stream of this.streams) stream.vanish()
    const { tcp, udp, unix } = this.host
    for (const binding of tcp.all()) tcp.release(binding)
    for (const binding of udp.all()) udp.release(binding)
    unix.clear()
    for (const end of this.lives) end()
    this.lives.clear()
  }

  boot(): void {
    if (!this.down) return
    this.down = false
    this.current = this.engine.reboot(this.port, ++this.life)
    this.current.slowness = this.taskNanos
  }

  /** Freezes, kernel and all, as a virtual machine that is moved. */
  stop(): void {
    this.current.stop()
    this.port.stop()
  }

  goOn(): void {
    this.port.goOn()
    this.current.goOn()
  }
}
