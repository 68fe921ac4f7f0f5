/** Who can reach what a service listens on: for protocols that let in whoever comes. */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import type * as Endpoint from "../../reactor/Endpoint.ts"
import * as EndpointFormat from "../../reactor/EndpointFormat.ts"
import { UsageError } from "../cli/UsageError.ts"

/** Whether others than programs of this machine can connect, as far as the endpoint tells. What was inherited is its giver's to know. */
export const isExposed = (endpoint: Endpoint.Server | Endpoint.Udp): boolean => {
  switch (endpoint._tag) {
    case "TcpServer":
    case "Udp":
      return !isLoopback(endpoint.interface)
    case "TlsServer":
      return !isLoopback(endpoint.interface) && endpoint.tls.clientCertificate !== "require"
    case "SecuredServer":
      return endpoint.tls.clientCertificate !== "require" && isExposed(endpoint.inner)
    case "ProxiedServer":
      // A proxy brings whoever it lets in.
      return true
    case "UnixServer":
    case "FdServer":
    case "SystemdServer":
    case "StdioServer":
    case "CustomServer":
      return false
  }
}

const isLoopback = (address: string): boolean => {
  const ip = NetAddress.ipFromString(address)
  return Result.isSuccess(ip) ? NetAddress.isLoopback(ip.success) : address === "localhost"
}

/** Refuses endpoints that others can reach, for a protocol that asks nobody who he is. `flag` allows it in words. */
export const refuseExposed = (
  endpoints: ReadonlyArray<Endpoint.Server | Endpoint.Udp>,
  what: string,
  flag: string
): Effect.Effect<void, UsageError> => {
  const exposed = endpoints.find(isExposed)
  return exposed === undefined
    ? Effect.void
    : Effect.fail(
        new UsageError({
          detail: `${EndpointFormat.format(exposed)} can be reached by others, and ${what}`,
          hint: `listen on 127.0.0.1, ask for certificates of clients, or add --${flag}`
        })
      )
}

/** Whether passwords that are sent to it in plaintext can be read on their way. */
export const isPlaintextExposed = (endpoint: Endpoint.Server): boolean => {
  switch (endpoint._tag) {
    case "TlsServer":
    case "SecuredServer":
      return false
    case "ProxiedServer":
      return isPlaintextExposed(endpoint.inner)
    default:
      return isExposed(endpoint)
  }
}

/** Refuses endpoints over which passwords would go in plaintext. `flag` allows it in words. */
export const refusePlaintext = (
  endpoints: ReadonlyArray<Endpoint.Server>,
  flag: string
): Effect.Effect<void, UsageError> => {
  const exposed = endpoints.find(isPlaintextExposed)
  return exposed === undefined
    ? Effect.void
    : Effect.fail(
        new UsageError({
          detail: `${EndpointFormat.format(exposed)} can be reached by others, and passwords would go in plaintext`,
          hint: `listen on 127.0.0.1, use tls:, or add --${flag}`
        })
      )
}
