import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
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
      /** The name the client asked for (SNI), if any, in lower case. */
      readonly serverName: string | undefined
      /** The peer's certificate in DER, if it showed one. */
      readonly peerCertificate: Uint8Array | undefined
      /** Whether the peer's certificate was checked against an authority and accepted. */
      readonly peerVerified: boolean
      /** Whether an earlier session was resumed: `peerCertificate` and `peerVerified` are those of that time. */
      readonly resumed: boolean
      /**
       * So many bytes that both ends of this connection can work out, and nobody else (RFC 8446 §7.5): what ties something else to it,
       * as RFC 9266 ties logins. `undefined` when the connection is over. Not there where the platform has no such thing, nor below
       * TLS 1.3, where somebody between may see to it that two connections have the same.
       */
      readonly exportKey?:
        | ((label: string, bytes: number, context?: Uint8Array) => Uint8Array | undefined)
        | undefined
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

/**
 * Identities that may change while servers show them: each new handshake asks, connections that stand are not
 * touched. `Identities.make` gives one that a program replaces, `NodeIdentities.directory` one that follows files.
 */
export interface IdentitySource {
  /** The first is for clients that name no server, or an unknown one. A failure ends that handshake alone. */
  readonly identities: Effect.Effect<ReadonlyArray<Identity>, unknown>
}

/** A directory of PEM files that the platform follows (on Node: `NodeIdentities.directory`), as descriptions name one. */
export interface IdentityDirectory {
  readonly directory: string
  readonly files: FileSystem.FileSystem
}

/** What a client said in its hello. */
export interface ClientHello {
  /** The name it asks for (SNI), in lower case. */
  readonly serverName: string | undefined
  /** The protocols it offers by ALPN, in its order. */
  readonly alpn: ReadonlyArray<string>
}

/** A certificate that a peer showed. */
export interface PeerCertificate {
  /** In DER. */
  readonly certificate: Uint8Array
  /** Whether an authority vouches for it. */
  readonly verified: boolean
  readonly serverName: string | undefined
}

export interface ServerOptions extends Common {
  /**
   * Who the server is. Of several, a client gets the first whose certificate holds the name it asks for (RFC 6066 §3,
   * without regard to case; wildcards for one label, RFC 6125 §6.4.3).
   */
  readonly identity: Identity | ReadonlyArray<Identity> | IdentitySource | IdentityDirectory
  /** What a client gets that asks for a name which no certificate holds. Default: the first identity; `refuse` sends the alert `unrecognized_name`. */
  readonly unknownServerName?: "first" | "refuse" | undefined
  /** Chooses the identity instead, by the name in lower case; `undefined` leaves it to the names. A failure or defect ends this handshake. */
  readonly selectIdentity?:
    | ((serverName: string | undefined) => Effect.Effect<Identity | undefined, unknown>)
    | undefined
  /** Chooses the protocol instead of our order of preference; `undefined` refuses (alert `no_application_protocol`). If it throws, this handshake ends. */
  readonly selectAlpn?: ((hello: ClientHello) => string | undefined) | undefined
  /**
   * Has the last word on a client's certificate, once it was checked; runs only if one was shown, by resumed clients
   * earlier. A failure or defect ends the connection; `handshakeTimeout` holds for it, too.
   */
  readonly verifyPeer?: ((peer: PeerCertificate) => Effect.Effect<void, unknown>) | undefined
  /**
   * Handshakes under way at once on a listener. What comes above takes the place of the oldest, if that has lasted a second
   * already; otherwise it is closed at once. Default 1,024.
   */
  readonly handshakesMax?: number | undefined
  /**
   * `none` (default): clients show no certificate. `require`: they must show one that `authorities` vouch for.
   * `request`: they may show one; see `Security.peerVerified`.
   */
  readonly clientCertificate?: "none" | "request" | "require" | undefined
}

export interface ClientOptions extends Common {
  /**
   * The name to check the server's certificate against, and to send as SNI. Default: the endpoint's host. Letters beyond
   * ASCII are converted as for the DNS (RFC 5891).
   */
  readonly serverName?: string | undefined
  /** Our own certificate. */
  readonly identity?: Identity | undefined
  /** Has the last word on the server's certificate, once it was checked, on resumed connections too. A failure or defect ends the connection. */
  readonly verifyPeer?: ((peer: PeerCertificate) => Effect.Effect<void, unknown>) | undefined
  /**
   * Resume earlier sessions with the same server, which spares both sides the certificates. Kept by the reactor, never shared
   * between different hosts, ports, names, authorities, identities, protocols or rules; what began in plaintext is resumed
   * only with a `serverName`. Nothing is kept of a server that was not verified. Default `true`.
   */
  readonly resume?: boolean | undefined
  /** Accepts any certificate. For tests against peers that cannot do better. */
  readonly insecurelyAcceptAnyCertificate?: boolean | undefined
}

/** What was read of a client's hello already: see `unreadIsHello`. */
export type Hello = ReadonlyArray<Uint8Array>

/** How a live connection changes to TLS. */
export type Upgrade =
  | {
      readonly role: "server"
      readonly tls: ServerOptions
      /** The go-ahead ("220 ready"), sent as the last plaintext once it is known that nothing is buffered. */
      readonly reply?: string | Uint8Array | undefined
      /**
       * What is buffered is the client's hello, and goes to the handshake: for connections that are TLS from here on by agreement, not
       * by a command in plaintext (a port of several protocols, TLS behind a header). Default `false`: `UnreadBytes`.
       */
      readonly unreadIsHello?: boolean | undefined
    }
  | { readonly role: "client"; readonly tls: ClientOptions }
