/** The server's side of TLS: which certificate a client gets, and the `tls.Server` that shows it. */
import type * as net from "node:net"
import * as tls from "node:tls"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Reloads from "../reactor/Reloads.ts"
import type * as Tls from "../reactor/Tls.ts"
import * as NodeTls from "./NodeTls.ts"
import { type Reloadable, sourceOf } from "./NodeTlsIdentities.ts"
import { holds } from "./NodeTlsNames.ts"

/** Whoever waits for the outcome of a handshake on a socket. */
export interface Awaiting {
  readonly secured: (socket: tls.TLSSocket) => void
  readonly failed: (error: unknown, socket: tls.TLSSocket) => void
}

/** A `tls.Server` as one handshake sees it: Node tells no other relation between a TLS socket and the one below it. */
interface View extends tls.Server {
  awaiting: Awaiting
}

/**
 * What all handshakes with the same options share. Each identity has a `tls.Server` that never listens: the documented
 * way to have Node check a client's certificate on a given socket. It has session tickets of its own, so that a session
 * made under one identity cannot be resumed under another (Node and OpenSSL would compare no names).
 */
export class NodeTlsAcceptor {
  private static readonly known = new WeakMap<Tls.ServerOptions, NodeTlsAcceptor>()

  static of(options: Tls.ServerOptions): NodeTlsAcceptor {
    let acceptor = NodeTlsAcceptor.known.get(options)
    if (acceptor === undefined) {
      acceptor = new NodeTlsAcceptor(options)
      NodeTlsAcceptor.known.set(options, acceptor)
    }
    return acceptor
  }

  readonly options: Tls.ServerOptions
  /** All there is at the moment. */
  readonly identities: Effect.Effect<ReadonlyArray<Tls.Identity>, unknown>
  private readonly source: Reloadable
  private readonly servers = new WeakMap<Tls.Identity, tls.Server>()

  private constructor(options: Tls.ServerOptions) {
    this.options = options
    this.source = sourceOf(options.identity, (identity) => this.prepare(identity))
    this.identities = this.source.identities
  }

  /** The one identity that every client gets, whatever it says. */
  get only(): Tls.Identity | undefined {
    const { options, source } = this
    const asks = options.selectIdentity !== undefined || options.unknownServerName === "refuse"
    return asks || source.list?.length !== 1 ? undefined : source.list[0]
  }

  /** Until the scope ends, a reload of the program reads files again that identities come from. */
  reloads(what: string): Effect.Effect<void, never, Scope.Scope> {
    const { reload } = this.source
    return reload === undefined
      ? Effect.void
      : Effect.flatMap(Reloads.Reloads, ({ register }) =>
          register(this, `the certificates of ${what}`, reload)
        )
  }

  /** Whom a client gets: undefined if it asks for a name that we refuse to serve. */
  choose({ serverName }: Tls.ClientHello): Effect.Effect<Tls.Identity | undefined, unknown> {
    const { selectIdentity } = this.options
    if (selectIdentity === undefined) return this.byName(serverName)
    return Effect.flatMap(
      Effect.suspend(() => selectIdentity(serverName)),
      (chosen) => (chosen === undefined ? this.byName(serverName) : Effect.succeed(chosen))
    )
  }

  private byName(name: string | undefined): Effect.Effect<Tls.Identity | undefined, unknown> {
    return Effect.flatMap(this.identities, (identities) => {
      const [first] = identities
      if (first === undefined) return Effect.fail(new Error("there is no identity to show"))
      if (name === undefined) return Effect.succeed(first)
      const named = identities.find((each) => holds(each, name))
      if (named !== undefined) return Effect.succeed(named)
      return Effect.succeed(this.options.unknownServerName === "refuse" ? undefined : first)
    })
  }

  /** Throws what Node says about options or PEM that cannot be used. */
  prepare(identity: Tls.Identity): tls.Server {
    let server = this.servers.get(identity)
    if (server === undefined) {
      server = tls.createServer(NodeTls.serverOptions(this.options, identity))
      server.on("secureConnection", onSecured)
      server.on("tlsClientError", onFailed)
      this.servers.set(identity, server)
    }
    return server
  }

  /** Gives the socket to Node. */
  shake(server: tls.Server, socket: net.Socket, whoAwaits: Awaiting): void {
    const view = Object.create(server) as View
    view.awaiting = whoAwaits
    view.emit("connection", socket)
  }
}

function onSecured(this: View, socket: tls.TLSSocket): void {
  this.awaiting.secured(socket)
}

// Comes for every handshake that does not succeed, a socket that just closes included.
function onFailed(this: View, error: Error, socket: tls.TLSSocket): void {
  this.awaiting.failed(error, socket)
}
