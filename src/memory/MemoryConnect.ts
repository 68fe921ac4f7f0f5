import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as EndpointFormat from "../reactor/EndpointFormat.ts"
import { ConnectError, type ConnectReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import type { Transport } from "../reactor/Transport.ts"
import { MemoryCall, type Target } from "./MemoryCall.ts"
import { destination, type MemorySite, pathProblem, portProblem, unknownHost } from "./MemorySite.ts"
import * as MemoryTls from "./MemoryTls.ts"
import { limitsOf, MemoryTransport } from "./MemoryTransport.ts"

type Built = Exclude<Endpoint.Client, Endpoint.CustomClient>

const timeoutDefault = 30_000

/** Connects; the scope's end closes the connection. */
export const connect = Effect.fn("MemoryReactor.connect")(function* (
  site: MemorySite,
  endpoint: Built
): Effect.fn.Return<Transport, ConnectError, Scope.Scope> {
  const scope = yield* Effect.scope
  let made: MemoryTransport | undefined
  return yield* Effect.uninterruptibleMask((restore) =>
    restore(
      open(site, endpoint, (transport) => {
        made = transport
      })
    ).pipe(
      // Given up in the very turn it succeeded: nobody else knows the connection.
      Effect.onError(() => made?.abort ?? Effect.void),
      Effect.mapError((reason) => new ConnectError({ endpoint: EndpointFormat.format(endpoint), reason })),
      Effect.tap((transport) => Scope.addFinalizer(scope, transport.close))
    )
  )
})

const open = (site: MemorySite, endpoint: Built, onMade: (transport: MemoryTransport) => void) =>
  Effect.callback<MemoryTransport, ConnectReason>((resume) => {
    const targets = targetsOf(site, endpoint)
    if (!Array.isArray(targets)) return resume(Effect.fail(targets))
    const call = new MemoryCall({
      site,
      targets,
      hello: endpoint._tag === "TlsClient" ? MemoryTls.clientHello(endpoint.tls, endpoint.host) : undefined,
      timeout: endpoint.timeout === undefined ? timeoutDefault : Duration.toMillis(endpoint.timeout),
      onFailed: (reason) => resume(Effect.fail(reason)),
      onConnected: (stream, security) => {
        const transport = new MemoryTransport(stream, limitsOf(endpoint), security)
        onMade(transport)
        resume(Effect.succeed(transport))
      }
    })
    call.start()
    return Effect.sync(() => call.giveUp())
  })

/** Where to try, in order. */
const targetsOf = (site: MemorySite, endpoint: Built): Array<Target> | ConnectReason => {
  if (endpoint._tag === "UnixClient") {
    return pathProblem(endpoint.path) ?? [{ _tag: "Unix", path: endpoint.path }]
  }
  const { host, port, bindAddress } = endpoint
  const problem = portProblem(port) ?? portProblem(bindAddress?.port ?? 0)
  if (problem !== undefined) return problem
  const addresses = site.network.lookUp(host)
  if (addresses === undefined) return unknownHost(host)
  let from: NetAddress.IpAddress | undefined
  if (bindAddress !== undefined) {
    const found = site.network.lookUp(bindAddress.address)
    if (found === undefined) {
      return new Reason.InvalidAddress({ detail: `"${bindAddress.address}" is no address to come from` })
    }
    from = found[0]
  }
  return addresses.map((address) => ({
    _tag: "Inet",
    to: NetAddress.inetAddressUnsafe(destination(address), port),
    from,
    fromPort: bindAddress?.port ?? 0
  }))
}
