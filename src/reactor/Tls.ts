import type * as Duration from "effect/Duration"
import type * as Redacted from "effect/Redacted"

/** What protects a transport. */
export type Security =
  | { readonly _tag: "Plain" }
  | {
      readonly _tag: "Tls"
      /** `TLSv1.2` or `TLSv1.3`. */
      readonly protocol: string
      /** The cipher suite's IETF name. */
      readonly cipher: string
      /** The protocol agreed by ALPN, if any. */
      readonly alpn: string | undefined
      /** The name the client asked for (SNI), if any. */
      readonly serverName: string | undefined
      /** The peer's certificate in DER, if it showed one. */
      readonly peerCertificate: Uint8Array | undefined
      /** Whether the peer's certificate was checked against an authority and accepted. */
      readonly peerVerified: boolean
    }

export const plain: Security = { _tag: "Plain" }

/** PEM text, or the bytes of a PEM file. Several certificates may stand one after another. */
export type Pem = string | Uint8Array

/** A certificate chain (leaf first) and its private key. */
export interface Identity {
  readonly certificate: Pem
  readonly privateKey: Pem | Redacted.Redacted<string>
  readonly passphrase?: Redacted.Redacted<string> | undefined
}

interface Common {
  /** The authorities to trust, instead of the platform's. */
  readonly authorities?: Pem | ReadonlyArray<Pem> | undefined
  /** Protocols offered by ALPN, in order of preference. */
  readonly alpn?: ReadonlyArray<string> | undefined
  /** Default `TLSv1.2`; nothing older is offered. */
  readonly versionMin?: "TLSv1.2" | "TLSv1.3" | undefined
  /** OpenSSL cipher string. Default: the platform's. */
  readonly ciphers?: string | undefined
  /** The whole handshake; an endpoint's `timeout` covers a client's besides. Default 30 seconds. */
  readonly handshakeTimeout?: Duration.Input | undefined
}

export interface ServerOptions extends Common {
  readonly identity: Identity
  /**
   * `none` (default): clients show no certificate. `require`: they must show one that `authorities` vouch for.
   * `request`: they may show one; see `Security.peerVerified`.
   */
  readonly clientCertificate?: "none" | "request" | "require" | undefined
}

export interface ClientOptions extends Common {
  /** The name to check the server's certificate against, and to send as SNI. Default: the endpoint's host. */
  readonly serverName?: string | undefined
  /** Our own certificate. */
  readonly identity?: Identity | undefined
  /** Accepts any certificate. For tests against peers that cannot do better. */
  readonly insecurelyAcceptAnyCertificate?: boolean | undefined
}

/** How a live connection changes to TLS. */
export type Upgrade =
  | {
      readonly role: "server"
      readonly tls: ServerOptions
      /** The go-ahead ("220 ready"), sent as the last plaintext once it is known that nothing is buffered. */
      readonly reply?: string | Uint8Array | undefined
    }
  | { readonly role: "client"; readonly tls: ClientOptions }
