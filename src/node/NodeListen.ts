/** Listening on TCP ports and UNIX sockets. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import type { Listener } from "../reactor/Listener.ts"
import { ListenError, type ListenReason } from "../reactor/ReactorError.ts"
import { AcceptFailures } from "./AcceptFailures.ts"
import { inetListenOptions, open, type Opening } from "./listening.ts"
import * as NodeBinding from "./NodeBinding.ts"
import type { NodeSite } from "./NodeSite.ts"
import * as NodeUnixListen from "./NodeUnixListen.ts"
import * as ServerSocket from "./ServerSocket.ts"
import { invalidPort, isPort } from "./streamSettings.ts"

/** Opens the port; the scope's end stops it. */
export const listen = Effect.fn("NodeReactor.listen")(function* (
  site: NodeSite,
  endpoint: Endpoint.TcpServer | Endpoint.UnixServer
): Effect.fn.Return<Listener, ListenError, Scope.Scope> {
  const description = EndpointFormat.format(endpoint)
  const failures = yield* AcceptFailures.make(description)
  const fail = (reason: ListenReason) => new ListenError({ endpoint: description, reason })
  const invalid =
    endpoint._tag === "UnixServer" ? NodeUnixListen.problemOf(endpoint.path) : portProblem(endpoint)
  if (invalid !== undefined) return yield* fail(invalid)
  return yield* ServerSocket.acquire(
    site.listeners,
    NodeBinding.of(endpoint),
    (socket, taken) =>
      endpoint._tag === "UnixServer"
        ? NodeUnixListen.open(site, endpoint, { description, failures, socket }, taken)
        : openTcp(site, endpoint, { description, failures, socket }),
    fail
  )
})

const openTcp = (
  site: NodeSite,
  endpoint: Endpoint.TcpServer,
  opening: Pick<Opening, "description" | "failures" | "socket">
) =>
  open(site, {
    ...opening,
    endpoint,
    bind: (server) => server.listen(inetListenOptions(endpoint)),
    bound: (address) => ({ address })
  })

const portProblem = ({ port }: Endpoint.TcpServer) => (isPort(port) ? undefined : invalidPort(port))
