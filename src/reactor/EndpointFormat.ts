/** Endpoints as the text that `EndpointDescription` reads. */
import * as Duration from "effect/Duration"
import type * as Endpoint from "./Endpoint.ts"
import { allAddressesFor, isIpv6 } from "./EndpointAddress.ts"
import { isBracketable, quoteArgument } from "./EndpointSyntax.ts"
import type * as Tls from "./Tls.ts"

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
      const shared = option("reusePort", endpoint.reusePort)
      return `${is6 ? "tcp6" : "tcp"}:${listen}${option("ipv6Only", endpoint.ipv6Only)}${shared}${streamOptions(endpoint)}`
    }
    case "TlsServer": {
      const listen = `${endpoint.port}${localAddress("interface", endpoint.interface, "0.0.0.0")}${option("backlog", endpoint.backlog)}`
      const shared = `${option("ipv6Only", endpoint.ipv6Only)}${option("reusePort", endpoint.reusePort)}`
      return `tls:${listen}${shared}${serverTlsOptions(endpoint.tls)}${streamOptions(endpoint)}`
    }
    case "UnixServer": {
      const mode = endpoint.mode === undefined ? "" : `:mode=${endpoint.mode.toString(8).padStart(3, "0")}`
      const lock = option("lock", endpoint.lock)
      return `unix:${unixPath(endpoint.path)}${mode}${lock}${option("backlog", endpoint.backlog)}${streamOptions(endpoint)}`
    }
    case "FdServer":
      return `fd:${endpoint.fd}${option("backlog", endpoint.backlog)}${streamOptions(endpoint)}`
    case "SystemdServer": {
      const { descriptor, domain } = endpoint
      const which =
        "index" in descriptor ? option("index", descriptor.index) : option("name", descriptor.name)
      return `systemd${option("domain", domain)}${which}${option("backlog", endpoint.backlog)}${streamOptions(endpoint)}`
    }
    case "StdioServer":
    case "StdioClient":
      return `stdio:${streamOptions(endpoint).slice(1)}`
    case "SecuredServer":
      return `secured${serverTlsOptions(endpoint.tls)}:${format(endpoint.inner)}`
    case "SecuredClient":
      return `secured${clientTlsOptions(endpoint.tls)}:${format(endpoint.inner)}`
    case "ProxiedServer":
      return `haproxy${proxyOptions(endpoint.proxy)}:${format(endpoint.inner)}`
    case "ProxiedClient":
      return `haproxy${proxiedClientOptions(endpoint)}:${format(endpoint.inner)}`
    case "FdClient":
      return `fd:${endpoint.fd}${seconds("timeout", endpoint.timeout)}${streamOptions(endpoint)}`
    case "TcpClient":
      return `tcp:${connectOptions(endpoint)}${streamOptions(endpoint)}`
    case "TlsClient":
      return `tls:${connectOptions(endpoint)}${clientTlsOptions(endpoint.tls)}${streamOptions(endpoint)}`
    case "UnixClient":
      return `unix:${unixPath(endpoint.path)}${seconds("timeout", endpoint.timeout)}${option("lock", endpoint.lock)}${streamOptions(endpoint)}`
    case "CustomServer":
    case "CustomClient":
      return endpoint.description
    case "Udp":
      return `udp:${datagramPort(endpoint)}`
  }
}

/** An abstract name begins with a NUL. */
const unixPath = (path: string): string =>
  path.startsWith("\0") ? `${quoteArgument(path.slice(1))}:abstract=yes` : quoteArgument(path)

const proxyOptions = ({ headerBytesMax, headerTimeout, trusted }: Endpoint.ProxyOptions): string =>
  `${option("trusted", trusted.join(","))}${seconds("headerTimeout", headerTimeout)}${option("headerBytesMax", headerBytesMax)}`

/** A header of other contents has no text. */
const proxiedClientOptions = ({ header, version }: Endpoint.ProxiedClient): string =>
  `${option("version", version)}${header === "local" ? option("local", true) : ""}`

const connectOptions = ({
  attemptDelay,
  bindAddress,
  host,
  port,
  timeout
}: Endpoint.TcpClient | Endpoint.TlsClient): string => {
  const bind =
    bindAddress && `:bindAddress=${address(bindAddress.address)}${option("bindPort", bindAddress.port)}`
  const times = `${seconds("timeout", timeout)}${seconds("attemptDelay", attemptDelay)}`
  return `${address(host)}:${port}${times}${bind ?? ""}`
}

const datagramPort = (endpoint: Endpoint.Udp): string => {
  const { connect, port } = endpoint
  const bindPort = port === 0 ? "" : `:bindPort=${port}`
  const places = connect === undefined ? port : `${address(connect.host)}:${connect.port}${bindPort}`
  const all = connect === undefined ? "0.0.0.0" : allAddressesFor(connect.host)
  return [
    places,
    localAddress("interface", endpoint.interface, all),
    option("ipv6Only", endpoint.ipv6Only),
    option("broadcast", endpoint.broadcast),
    option("reuseAddress", endpoint.reuseAddress),
    option("reusePort", endpoint.reusePort),
    option("datagramBytesMax", endpoint.datagramBytesMax),
    option("receiveMax", endpoint.receiveMax),
    multicastOptions(endpoint.multicast),
    option("receiveBufferBytes", endpoint.receiveBufferBytes),
    option("sendBufferBytes", endpoint.sendBufferBytes)
  ].join("")
}

const multicastOptions = (multicast: Endpoint.MulticastOptions | undefined): string =>
  multicast === undefined
    ? ""
    : [
        option("groups", multicast.groups?.map(({ group }) => group).join(",")),
        option("multicastInterface", multicast.interface),
        option("multicastTtl", multicast.ttl),
        option("multicastLoopback", multicast.loopback)
      ].join("")

const streamOptions = (options: Endpoint.StreamOptions): string => {
  const {
    closeTimeout,
    keepAlive,
    keepAliveCount,
    keepAliveInterval,
    noDelay,
    receiveBytesMax,
    sendBytesMax
  } = options
  const probe =
    typeof keepAlive === "boolean" ? option("keepAlive", keepAlive) : seconds("keepAlive", keepAlive)
  const sizes = `${option("receiveBytesMax", receiveBytesMax)}${option("sendBytesMax", sendBytesMax)}`
  const probes = `${probe}${seconds("keepAliveInterval", keepAliveInterval)}${option("keepAliveCount", keepAliveCount)}`
  return `${option("noDelay", noDelay)}${probes}${sizes}${seconds("closeTimeout", closeTimeout)}`
}

const serverTlsOptions = (tls: Tls.ServerOptions): string =>
  [
    "directory" in tls.identity ? option("certificates", tls.identity.directory) : "",
    option("clientCertificate", tls.clientCertificate),
    tlsOptions(tls),
    option("handshakesMax", tls.handshakesMax)
  ].join("")

const clientTlsOptions = (tls: Tls.ClientOptions): string => {
  const hostname = tls.serverName === undefined ? "" : `:hostname=${address(tls.serverName)}`
  return `${hostname}${tlsOptions(tls)}${option("resume", tls.resume)}`
}

const tlsOptions = (tls: Tls.ServerOptions | Tls.ClientOptions): string =>
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
