/** A connection, or a stream of one, that goes on with another protocol: what its server still has to do with it. */
import type * as Fiber from "effect/Fiber"
import { ClientAbort } from "effect/http/HttpServerError"
import type { StreamTransport } from "../reactor/StreamTransport.ts"
import type { Closeable, Transport } from "../reactor/Transport.ts"
import { TransportView } from "../reactor/TransportView.ts"
import type { HttpConnection } from "./NodeHttpConnection.ts"
import type { Run } from "./NodeHttpSocket.ts"

interface Host {
  readonly gone: (connection: HttpConnection) => void
}

/** The new protocol. */
export interface Successor {
  /** The server stops: it knows how to end. */
  readonly goAway: () => void
}

export class NodeHttpSwitched implements HttpConnection {
  readonly transport: Closeable
  slot = -1
  private successor: Successor | undefined = undefined
  private isDraining = false
  private readonly host: Host | undefined
  private fiber: Fiber.Fiber<void> | undefined = undefined
  private unsent = 0
  private stuckAt = 0

  constructor(transport: Closeable, host?: Host) {
    this.transport = transport
    this.host = host
  }

  /** What handles the request that it came of. */
  handledBy(fiber: Fiber.Fiber<void>): void {
    this.fiber = fiber
  }

  /** Nobody needs the handler any more. */
  lose(): void {
    this.fiber?.interruptUnsafe(undefined, ClientAbort.annotation)
  }

  goesOnAs(successor: Successor): void {
    this.successor = successor
    if (this.isDraining) successor.goAway()
  }

  drain(): void {
    this.isDraining = true
    this.successor?.goAway()
  }

  /** For who is not told. */
  watch(run: Run): void {
    run(this.transport.closed).addObserver(() => this.closed())
  }

  closed(): void {
    this.host?.gone(this)
  }

  stuckSince(now: number): number {
    const unsent = streamOf(this.transport)?.unsent ?? 0
    if (unsent === 0 || unsent !== this.unsent) this.stuckAt = now
    this.unsent = unsent
    return this.stuckAt
  }
}

/** What writes, behind whatever looks at it. */
const streamOf = (transport: Transport): Pick<StreamTransport, "unsent"> | undefined => {
  let inner: Transport = transport
  for (let next = TransportView.innerOf(inner); next !== undefined; next = TransportView.innerOf(inner))
    inner = next
  return "unsent" in inner ? (inner as StreamTransport) : undefined
}
