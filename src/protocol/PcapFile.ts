/**
 * A capture file that `tcpdump` and Wireshark read: what the conversations of any number of `WireTrace.over` saw, as
 * the packets of TCP connections. Twisted: `TrafficLoggingFactory`, with one file for all.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as Latch from "effect/Latch"
import type { PlatformError } from "effect/PlatformError"
import type * as Scope from "effect/Scope"
import { visible } from "../reactor/EndpointExcerpt.ts"
import * as Pcap from "./Pcap.ts"

export interface Options {
  /** What was there before is gone. Created for its owner alone: it holds what was said, passwords included. */
  readonly path: string
  /** The file never gets longer; what comes later is dropped. Default 64 MiB. */
  readonly bytesMax?: number | undefined
  /** What may wait for a slow disk; what comes meanwhile is dropped. Default 8 MiB. */
  readonly bufferBytesMax?: number | undefined
}

export interface Statistics {
  /** `Full` and `Failed` drop what comes. */
  readonly state: "Open" | "Full" | "Failed" | "Closed"
  /** Bytes taken, the file's header included. */
  readonly bytes: number
  readonly packets: number
  /** Packets that are missing from the file. */
  readonly dropped: number
}

const bytesMaxDefault = 64 * 1024 * 1024
const bufferBytesMaxDefault = 8 * 1024 * 1024
const closeTimeout = "5 seconds"

/**
 * Opens the file; the end of the scope writes what was taken, and closes it. Once it is open nothing that the disk does
 * fails or delays a connection: a failure is logged as a warning, once, and ends the capture.
 */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<PcapFile, PlatformError, FileSystem.FileSystem | Scope.Scope> {
  const fileSystem = yield* FileSystem.FileSystem
  const file = yield* fileSystem.open(options.path, { flag: "w", mode: 0o600 })
  yield* file.writeAll(Pcap.fileHeader())
  const pcap = new PcapFile(file, options)
  yield* Effect.acquireRelease(Effect.forkDetach(pcap.writing, { startImmediately: true }), (writer) =>
    pcap.close(writer)
  )
  return pcap
})

export class PcapFile {
  private readonly file: FileSystem.File
  private readonly path: string
  private readonly bytesMax: number
  private readonly bufferBytesMax: number
  private readonly more = Latch.makeUnsafe(false)
  private state: Statistics["state"] = "Open"
  private bytes = Pcap.fileHeader().length
  private packets = 0
  private dropped = 0
  private pending: Array<Uint8Array> = []
  private pendingBytes = 0

  /** @internal */
  constructor(file: FileSystem.File, options: Options) {
    this.file = file
    this.path = options.path
    this.bytesMax = options.bytesMax ?? bytesMaxDefault
    this.bufferBytesMax = options.bufferBytesMax ?? bufferBytesMaxDefault
  }

  get statistics(): Effect.Effect<Statistics> {
    return Effect.sync(() => {
      const { bytes, dropped, packets, state } = this
      return { state, bytes, packets, dropped }
    })
  }

  /** Takes a record as it is, at once. */
  readonly write = (record: Uint8Array): void => {
    if (this.state === "Open" && this.bytes + record.length > this.bytesMax) {
      this.state = "Full"
      this.more.openUnsafe()
    }
    if (this.state !== "Open" || this.pendingBytes + record.length > this.bufferBytesMax) {
      this.dropped++
      return
    }
    this.packets++
    this.bytes += record.length
    this.pendingBytes += record.length
    this.pending.push(record)
    this.more.openUnsafe()
  }

  /** @internal */
  get writing(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      let told = false
      do {
        yield* this.more.await
        // What the turn brings leaves in one write.
        yield* Effect.yieldNow
        this.more.closeUnsafe()
        while (this.pending.length > 0) yield* this.file.writeAll(this.takePending())
        if (this.state === "Full" && !told) {
          told = true
          yield* Effect.logWarning(`the capture ${visible(this.path)} is full: what comes is dropped`)
        }
      } while (this.state !== "Closed" || this.pending.length > 0)
    }).pipe(
      Effect.catchCause((cause) => {
        this.state = "Failed"
        this.takePending()
        return Effect.logWarning(`the capture ${visible(this.path)} has failed: what comes is dropped`, cause)
      })
    )
  }

  private takePending(): Uint8Array {
    const batch = new Uint8Array(this.pendingBytes)
    let offset = 0
    for (const record of this.pending) {
      batch.set(record, offset)
      offset += record.length
    }
    this.pending = []
    this.pendingBytes = 0
    return batch
  }

  /** @internal */
  close(writer: Fiber.Fiber<void>): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.state !== "Failed") this.state = "Closed"
      this.more.openUnsafe()
      const written = Effect.timeoutOption(Fiber.await(writer), closeTimeout).pipe(
        Effect.andThen(Fiber.interrupt(writer)),
        Effect.andThen(this.tellDropped)
      )
      // In a fiber of its own: an interrupted one cannot wait with a timeout any more.
      return Effect.flatMap(Effect.forkDetach(written), Fiber.join)
    })
  }

  private readonly tellDropped: Effect.Effect<void> = Effect.suspend(() =>
    this.dropped === 0
      ? Effect.void
      : Effect.logWarning(`the capture ${visible(this.path)} lacks ${this.dropped} packets`)
  )
}
