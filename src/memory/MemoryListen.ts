import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import type { Listener } from "../reactor/Listener.ts"
import { ListenError, type ListenReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import { MemoryListener } from "./MemoryListener.ts"
import { isAbstract, localAddress, lock, type MemorySite, pathProblem, portProblem } from "./MemorySite.ts"
import { limitsOf } from "./MemoryTransport.ts"

type Built = Endpoint.TcpServer | Endpoint.TlsServer | Endpoint.UnixServer

const backlogDefault = 511

/** Opens the port; the scope's end stops it. */
export const listen = Effect.fn("MemoryReactor.listen")(
  (site: MemorySite, endpoint: Built): Effect.Effect<Listener, ListenError, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.suspend(() => {
        const description = EndpointFormat.format(endpoint)
        const listener = new MemoryListener({
          endpoint: description,
          network: site.network,
          host: site.host,
          loop: site.loop,
          limits: limitsOf(endpoint),
          tls: endpoint._tag === "TlsServer" ? endpoint.tls : undefined,
          backlog: endpoint.backlog ?? backlogDefault
        })
        const problem =
          endpoint._tag === "UnixServer"
            ? openUnix(site, endpoint, listener)
            : openInet(site, endpoint, listener)
        return problem === undefined
          ? Effect.succeed(listener)
          : Effect.fail(new ListenError({ endpoint: description, reason: problem }))
      }),
      (listener) => listener.stop
    )
)

const openUnix = (
  site: MemorySite,
  endpoint: Endpoint.UnixServer,
  listener: MemoryListener
): ListenReason | undefined => {
  const { path } = endpoint
  const { unix } = site.host
  // An abstract name has no file, and no lock.
  const isLocked = endpoint.lock !== false && !isAbstract(path)
  const problem = pathProblem(path)
  if (problem !== undefined) return problem
  if (unix.has(path)) return inUse()
  if (site.network.isStale(path)) {
    if (!isLocked) return inUse()
    site.network.removeStale(path)
  }
  if (isLocked) lock(listener)
  unix.set(path, listener)
  listener.open(NetAddress.unixPathAddress(path), () => unix.delete(path))
  return undefined
}

const openInet = (
  site: MemorySite,
  endpoint: Endpoint.TcpServer | Endpoint.TlsServer,
  listener: MemoryListener
): ListenReason | undefined => {
  const { port, ipv6Only } = endpoint
  const { tcp } = site.host
  const problem = portProblem(port)
  if (problem !== undefined) return problem
  const address = localAddress(site, endpoint.interface)
  if (Result.isFailure(address)) return address.failure
  const binding = tcp.bind({ address: address.success, port, ipv6Only }, listener)
  if (binding === undefined) return inUse()
  listener.open(NetAddress.inetAddressUnsafe(binding.address, binding.port), () => tcp.release(binding))
  return undefined
}

const inUse = () => new Reason.AddressInUse({ detail: "somebody already listens there", errno: "EADDRINUSE" })
