/** Much data through a conversion, and how much of it is under way at most. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { Transport } from "../../src/reactor/Transport.ts"
import { quiet } from "../../src/testing/suite/check.ts"

export const mebibyte = 1024 * 1024
const total = 64 * mebibyte
const pieceLength = 65_536

/** What both transports, both conversions and the network hold at most. */
export const heldBytesMax = 4 * mebibyte

/** Counts what was sent and not received yet; each piece begins with its number. */
export class Meter {
  sent = 0
  received = 0
  heldMax = 0
  private expected = 0
  private skip = 0

  /** The next piece to send, or `undefined` when that is all. */
  next(): Uint8Array | undefined {
    if (this.sent === total) return undefined
    const piece = new Uint8Array(pieceLength)
    new DataView(piece.buffer).setUint32(0, this.sent / pieceLength)
    this.sent += pieceLength
    this.heldMax = Math.max(this.heldMax, this.sent - this.received)
    return piece
  }

  /** Checks the number of each piece that begins within `bytes`, where it is not cut. */
  take(bytes: Uint8Array): void {
    this.received += bytes.length
    let offset = this.skip
    for (; offset < bytes.length; offset += pieceLength) {
      if (offset + 4 <= bytes.length) {
        const number = new DataView(bytes.buffer, bytes.byteOffset + offset).getUint32(0)
        if (number !== this.expected) assert.fail(`piece ${number} came instead of ${this.expected}`)
      }
      this.expected++
    }
    this.skip = offset - bytes.length
  }

  check(): void {
    assert.strictEqual(this.received, total)
    assert.isAtMost(this.heldMax, heldBytesMax)
  }
}

/** 64 MiB from one side to the other, to a receiver that dawdles at first. */
export const flow = (from: Transport, to: Transport): Effect.Effect<void, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const meter = new Meter()
    const sending = Effect.gen(function* () {
      for (let piece = meter.next(); piece !== undefined; piece = meter.next()) yield* from.send(piece)
      yield* from.end
    })
    const sender = yield* Effect.forkScoped(sending, { startImmediately: true })
    // Until everything on the way is full.
    yield* quiet(() => meter.sent)
    let pauses = 500
    yield* to.receiveEach((bytes) => {
      meter.take(bytes)
      return pauses-- > 0 ? Effect.yieldNow : Effect.void
    })
    yield* Fiber.join(sender)
    meter.check()
  })
