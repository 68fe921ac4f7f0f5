/** Which versions of HTTP a server offers. */
import type * as Endpoint from "../reactor/Endpoint.ts"
import type * as Tls from "../reactor/Tls.ts"

const versions = ["h2", "http/1.1", "http/1.0"]

/** The endpoint, with HTTP/2 and HTTP/1.1 offered by ALPN where it has TLS and does not choose itself (RFC 9113 §3.2, RFC 7301). */
export const offering = (
  endpoint: Endpoint.Server,
  { http2 = true }: { readonly http2?: boolean | undefined } = {}
): Endpoint.Server => {
  switch (endpoint._tag) {
    case "TlsServer":
    case "SecuredServer":
      return http2 ? { ...endpoint, tls: withAlpn(endpoint.tls) } : endpoint
    default:
      return endpoint
  }
}

const withAlpn = (tls: Tls.ServerOptions): Tls.ServerOptions =>
  tls.alpn === undefined && tls.selectAlpn === undefined ? { ...tls, alpn: versions } : tls
