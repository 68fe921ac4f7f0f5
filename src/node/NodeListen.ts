/** Listening on TCP ports and UNIX sockets. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import type { Listener } from "../reactor/Listener.ts"
import { ListenError } from "../reactor/ReactorError.ts"
import { AcceptFailures } from "./AcceptFailures.ts"
import { addressOf, inetListenOptions, open } from "./listening.ts"
import type { NodeSite } from "./NodeSite.ts"
import * as NodeUnixListen from "./NodeUnixListen.ts"
import { invalidPort, isPort } from "./streamSettings.ts"

/** Opens the port; the scope's end stops it. */
export const listen = Effect.fn("NodeReactor.listen")(function* (
  site: NodeSite,
  endpoint: Endpoint.TcpServer | Endpoint.UnixServer
): Effect.fn.Return<Listener, ListenError, Scope.Scope> {
  const description = EndpointFormat.format(endpoint)
  const failures = yield* AcceptFailures.make(description)
  const opened =
    endpoint._tag === "UnixServer"
      ? NodeUnixListen.open(site, endpoint, { description, failures })
      : openTcp(site, endpoint, { description, failures })
  return yield* Effect.acquireRelease(opened, (listener) => listener.stop)
})

const openTcp = (
  site: NodeSite,
  endpoint: Endpoint.TcpServer,
  named: { readonly description: string; readonly failures: AcceptFailures }
) =>
  isPort(endpoint.port)
    ? open(site, {
        ...named,
        endpoint,
        start: (server) => server.listen(inetListenOptions(endpoint)),
        bound: (server) => ({ address: addressOf(server) })
      })
    : Effect.fail(new ListenError({ endpoint: named.description, reason: invalidPort(endpoint.port) }))
