import type * as Array from "effect/Array"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import type { Datagram } from "./Datagram.ts"
import type * as Endpoint from "./Endpoint.ts"
import type { Listener } from "./Listener.ts"
import type { ConnectError, ListenError, ResolveError } from "./ReactorError.ts"
import type { Transport } from "./Transport.ts"

/**
 * What a platform owes us. Nothing about it is global: any number live side by side in one process, each as
 * long as its Layer's scope. Time, fibers and chance are Effect's own services (`Clock`, `Scheduler`, `Random`).
 *
 * Implementations: `NodeReactor.layer`, `MemoryReactor.layer`.
 */
export class Reactor extends Context.Service<
  Reactor,
  {
    readonly listen: (endpoint: Endpoint.Server) => Effect.Effect<Listener, ListenError, Scope.Scope>
    readonly connect: (endpoint: Endpoint.Client) => Effect.Effect<Transport, ConnectError, Scope.Scope>
    readonly datagram: (endpoint: Endpoint.Udp) => Effect.Effect<Datagram, ListenError, Scope.Scope>
    /** The addresses of a name, in the order to try them. IP literals resolve to themselves. */
    readonly resolve: (
      name: string,
      options?: { readonly family?: NetAddress.IpFamily | undefined }
    ) => Effect.Effect<Array.NonEmptyReadonlyArray<NetAddress.IpAddress>, ResolveError>
  }
>()("spindle/reactor/Reactor") {}
