/** A connection whose version of HTTP its first bytes tell: HTTP/2 by prior knowledge (RFC 9113 §3.3), or HTTP/1. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { Closeable } from "../reactor/Transport.ts"
import { type DeadlineQueue, endDeadline, type Timed } from "./DeadlineQueue.ts"
import type { HttpConnection } from "./NodeHttpConnection.ts"
import type { Run } from "./NodeHttpSocket.ts"

export interface PrefaceHost {
  readonly run: Run
  readonly beginning: DeadlineQueue
  readonly quiet: DeadlineQueue
  /** What was read is unread. */
  readonly chosen: (connection: NodeHttpPreface, isHttp2: boolean) => void
  readonly gone: (connection: HttpConnection) => void
}

const preface = new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

export class NodeHttpPreface implements HttpConnection, Timed {
  readonly transport: Closeable
  slot = -1
  deadline: Timed["deadline"] = undefined
  private readonly host: PrefaceHost
  private looking: Fiber.Fiber<boolean, unknown> | undefined = undefined

  constructor(transport: Closeable, host: PrefaceHost) {
    this.transport = transport
    this.host = host
  }

  begin(): void {
    const { host, transport } = this
    host.beginning.begin(this)
    this.looking = host.run(look(transport))
    this.looking.addObserver((exit) => {
      endDeadline(this)
      if (Exit.isSuccess(exit)) return host.chosen(this, exit.value)
      host.run(transport.close).addObserver(() => host.gone(this))
    })
  }

  onDeadline(): void {
    this.looking?.interruptUnsafe()
  }

  drain(): void {
    this.host.quiet.begin(this)
  }

  /** Nothing was sent. */
  stuckSince(now: number): number {
    return now
  }
}

const look = (transport: Closeable): Effect.Effect<boolean, unknown> =>
  Effect.gen(function* () {
    const pieces: Array<Uint8Array> = []
    let length = 0
    for (;;) {
      const bytes = yield* transport.receive
      const isIt = bytes.every((byte, i) => length + i >= preface.length || byte === preface[length + i])
      pieces.push(bytes)
      length += bytes.length
      if (isIt && length < preface.length) continue
      for (const piece of pieces.toReversed()) yield* transport.unread(piece)
      return isIt
    }
  })
