import * as Effect from "effect/Effect"
import type { Transport } from "./Transport.ts"

/** A transport seen through a wrapper: everything as it is, but what a subclass overrides. */
export abstract class TransportView implements Transport {
  protected readonly inner: Transport

  constructor(inner: Transport) {
    this.inner = inner
  }

  /** What a view looks at; `undefined` for a transport that is no view. */
  static innerOf(transport: Transport): Transport | undefined {
    return transport instanceof TransportView ? transport.inner : undefined
  }

  /** The same view of the transport that a change to TLS gives. */
  protected abstract again(secured: Transport): Transport

  get local(): Transport["local"] {
    return this.inner.local
  }
  get peer(): Transport["peer"] {
    return this.inner.peer
  }
  get security(): Transport["security"] {
    return this.inner.security
  }
  get receive(): Transport["receive"] {
    return this.inner.receive
  }
  get receiveEach(): Transport["receiveEach"] {
    return this.inner.receiveEach
  }
  get unread(): Transport["unread"] {
    return this.inner.unread
  }
  get send(): Transport["send"] {
    return this.inner.send
  }
  get end(): Transport["end"] {
    return this.inner.end
  }
  get abort(): Transport["abort"] {
    return this.inner.abort
  }
  get closed(): Transport["closed"] {
    return this.inner.closed
  }
  get gone(): Transport["gone"] {
    return this.inner.gone
  }
  get startTls(): Transport["startTls"] {
    return (options) => Effect.map(this.inner.startTls(options), (secured) => this.again(secured))
  }
}
