/** Connections known by the peers that their PROXY headers name. */
import * as Effect from "effect/Effect"
import type { ProxyHeader } from "./ProxyHeader.ts"
import type { Closeable, Transport } from "./Transport.ts"
import { TransportView } from "./TransportView.ts"

/**
 * A connection behind its header: `peer` and `local` are those of the header, where it has any. What an error names is the
 * connection that failed, the one with the proxy.
 */
export class ProxiedTransport extends TransportView {
  readonly header: ProxyHeader
  /** The header itself came over TLS: that is between the proxy and us, and says nothing about the client. */
  readonly isTlsOfProxy: boolean

  constructor(inner: Transport, header: ProxyHeader, isTlsOfProxy = inner.security._tag === "Tls") {
    super(inner)
    this.header = header
    this.isTlsOfProxy = isTlsOfProxy
  }

  protected override again(secured: Transport): Transport {
    return new ProxiedTransport(secured, this.header, this.isTlsOfProxy)
  }

  override get local(): Transport["local"] {
    return this.header.addresses?.destination ?? this.inner.local
  }

  override get peer(): Transport["peer"] {
    return this.header.addresses?.source ?? this.inner.peer
  }
}

/** The same, with the duty to close it. */
export class ProxiedCloseable extends ProxiedTransport implements Closeable {
  private readonly closeable: Closeable

  constructor(inner: Closeable, header: ProxyHeader, isTlsOfProxy?: boolean) {
    super(inner, header, isTlsOfProxy)
    this.closeable = inner
  }

  get close(): Closeable["close"] {
    return this.closeable.close
  }

  override get startTls(): Closeable["startTls"] {
    return (options) =>
      Effect.map(
        this.closeable.startTls(options),
        (secured) => new ProxiedCloseable(secured, this.header, this.isTlsOfProxy)
      )
  }
}
