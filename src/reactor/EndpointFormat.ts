/** Endpoints as the text that `EndpointDescription` reads. */
import * as Duration from "effect/Duration"
import type * as Endpoint from "./Endpoint.ts"
import { allAddressesFor, isIpv6 } from "./EndpointAddress.ts"
import { isBracketable, quoteArgument } from "./EndpointSyntax.ts"

/**
 * The canonical description of an endpoint, on one line: for messages, logs and configuration. What is at its
 * default by being left out stays out, durations are in seconds, IPv6 addresses in brackets.
 *
 * For TCP, UNIX and UDP endpoints, `EndpointDescription` gives the same endpoint back, provided that its values
 * are valid ones. For TLS it does not: keys, certificates and authorities, which an endpoint holds as contents
 * and not as files, are left out, and so is `insecurelyAcceptAnyCertificate`. A custom endpoint tells its
 * `description` itself.
 */
export const format = (endpoint: Endpoint.Server | Endpoint.Client | Endpoint.Udp): string => {
  switch (endpoint._tag) {
    case "TcpServer": {
      const is6 = isIpv6(endpoint.interface) || endpoint.ipv6Only !== undefined
      const all = is6 ? "::" : "0.0.0.0"
      const listen = `${endpoint.port}${localAddress("interface", endpoint.interface, all)}${option("backlog", endpoint.backlog)}`
      return `${is6 ? "tcp6" : "tcp"}:${listen}${option("ipv6Only", endpoint.ipv6Only)}${streamOptions(endpoint)}`
    }
    case "TlsServer": {
      const { clientCertificate } = endpoint.tls
      const listen = `${endpoint.port}${localAddress("interface", endpoint.interface, "0.0.0.0")}${option("backlog", endpoint.backlog)}`
      const options = `${option("ipv6Only", endpoint.ipv6Only)}${option("clientCertificate", clientCertificate)}`
      return `tls:${listen}${options}${tlsOptions(endpoint.tls)}${streamOptions(endpoint)}`
    }
    case "UnixServer": {
      const mode = endpoint.mode === undefined ? "" : `:mode=${endpoint.mode.toString(8).padStart(3, "0")}`
      return `unix:${quoteArgument(endpoint.path)}${mode}${option("backlog", endpoint.backlog)}${streamOptions(endpoint)}`
    }
    case "TcpClient":
      return `tcp:${connectOptions(endpoint)}${streamOptions(endpoint)}`
    case "TlsClient": {
      const { serverName } = endpoint.tls
      const hostname = serverName === undefined ? "" : `:hostname=${address(serverName)}`
      return `tls:${connectOptions(endpoint)}${hostname}${tlsOptions(endpoint.tls)}${streamOptions(endpoint)}`
    }
    case "UnixClient":
      return `unix:${quoteArgument(endpoint.path)}${seconds("timeout", endpoint.timeout)}${streamOptions(endpoint)}`
    case "CustomServer":
    case "CustomClient":
      return endpoint.description
    case "Udp":
      return `udp:${datagramPort(endpoint)}`
  }
}

const connectOptions = ({
  bindAddress,
  host,
  port,
  timeout
}: Endpoint.TcpClient | Endpoint.TlsClient): string => {
  const bind =
    bindAddress && `:bindAddress=${address(bindAddress.address)}${option("bindPort", bindAddress.port)}`
  return `${address(host)}:${port}${seconds("timeout", timeout)}${bind ?? ""}`
}

const datagramPort = (endpoint: Endpoint.Udp): string => {
  const { connect, port } = endpoint
  const bindPort = port === 0 ? "" : `:bindPort=${port}`
  const places = connect === undefined ? port : `${address(connect.host)}:${connect.port}${bindPort}`
  const all = connect === undefined ? "0.0.0.0" : allAddressesFor(connect.host)
  return [
    places,
    localAddress("interface", endpoint.interface, all),
    option("broadcast", endpoint.broadcast),
    option("reuseAddress", endpoint.reuseAddress),
    option("datagramBytesMax", endpoint.datagramBytesMax),
    option("receiveMax", endpoint.receiveMax),
    option("receiveBufferBytes", endpoint.receiveBufferBytes),
    option("sendBufferBytes", endpoint.sendBufferBytes)
  ].join("")
}

const streamOptions = (options: Endpoint.StreamOptions): string => {
  const { closeTimeout, keepAlive, noDelay, receiveBytesMax, sendBytesMax } = options
  const probe =
    typeof keepAlive === "boolean" ? option("keepAlive", keepAlive) : seconds("keepAlive", keepAlive)
  const sizes = `${option("receiveBytesMax", receiveBytesMax)}${option("sendBytesMax", sendBytesMax)}`
  return `${option("noDelay", noDelay)}${probe}${sizes}${seconds("closeTimeout", closeTimeout)}`
}

const tlsOptions = (tls: Endpoint.TlsServer["tls"] | Endpoint.TlsClient["tls"]): string =>
  [
    option("alpn", tls.alpn?.join(",")),
    option("versionMin", tls.versionMin),
    option("ciphers", tls.ciphers),
    seconds("handshakeTimeout", tls.handshakeTimeout)
  ].join("")

const option = (name: string, value: string | number | boolean | undefined): string => {
  if (value === undefined) return ""
  return `:${name}=${typeof value === "boolean" ? (value ? "yes" : "no") : quoteArgument(String(value))}`
}

const localAddress = (name: string, value: string, usual: string): string =>
  value === usual ? "" : `:${name}=${address(value)}`

const address = (host: string): string =>
  isIpv6(host) && isBracketable(host) ? `[${host}]` : quoteArgument(host)

/** In seconds, by nanoseconds as exact as they were, never in scientific notation. */
const seconds = (name: string, duration: Duration.Input | undefined): string => {
  if (duration === undefined) return ""
  const number = Duration.toSeconds(duration)
  const text = Number.isFinite(number) ? number.toFixed(9).replace(/\.?0+$/, "") : "infinity"
  return `:${name}=${text}`
}
