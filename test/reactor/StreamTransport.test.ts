import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as NetAddress from "effect/net/NetAddress"
import * as Immediate from "../../src/reactor/Immediate.ts"
import * as Reason from "../../src/reactor/Reason.ts"
import { StreamTransport } from "../../src/reactor/StreamTransport.ts"
import * as Tls from "../../src/reactor/Tls.ts"
import { Turn } from "../../src/reactor/Turn.ts"

/** A platform that takes one write, and does nothing until it is told. */
class Clogged extends StreamTransport {
  readonly local = NetAddress.unixPathAddress("local")
  readonly peer = NetAddress.unixPathAddress("peer")
  readonly security = Tls.plain

  constructor() {
    super(new Turn(queueMicrotask), { receiveBytesMax: 10, sendBytesMax: 10 })
  }

  protected writeOut(): boolean {
    return false
  }
  protected pauseInput(): void {}
  protected resumeInput(): void {}
  protected endOutput(): void {}
  protected closeOutput(): void {}
  protected resetNow(): void {
    this.onClosed()
  }
  protected unreportedBytes(): number {
    return 0
  }
  protected secure() {
    return Effect.fail(new Reason.Unsupported({ detail: "no TLS" }))
  }

  drain(): void {
    this.onDrain()
  }
  lose(): void {
    this.onFailure(new Reason.Reset({ detail: "reset" }))
  }
  disappear(): void {
    this.onClosed()
  }
}

const much = "more than the high-water mark"

describe("StreamTransport", () => {
  // What `send` leaves to do, begun as a receive loop does: between that and the waiting a fiber may give way.
  const begun = () => {
    const transport = new Clogged()
    return { transport, rest: Immediate.beginning(transport.send)(much) }
  }

  it.effect("a drain between a send and its waiting is not missed", () =>
    Effect.suspend(() => {
      const { rest, transport } = begun()
      transport.drain()
      return rest
    })
  )

  it.effect("nor is a loss", () =>
    Effect.gen(function* () {
      const { rest, transport } = begun()
      transport.lose()
      assert.strictEqual((yield* Effect.flip(rest)).reason._tag, "Reset")
    })
  )

  it.effect("a send that waits goes on with the drain, once it comes", () =>
    Effect.gen(function* () {
      const { rest, transport } = begun()
      const waiting = yield* Effect.forkChild(rest, { startImmediately: true })
      assert.strictEqual(waiting.pollUnsafe(), undefined)
      transport.drain()
      yield* Fiber.join(waiting)
    })
  )

  it.effect("an end between asking and waiting is not missed", () =>
    Effect.gen(function* () {
      const transport = new Clogged()
      const { close, closed } = transport
      transport.disappear()
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(closed)))
      yield* close
    })
  )

  it.effect("between a loss and its end nothing is taken for sending", () =>
    Effect.gen(function* () {
      const transport = new Clogged()
      transport.lose()
      assert.strictEqual((yield* Effect.flip(transport.send("x"))).reason._tag, "Reset")
    })
  )
})
