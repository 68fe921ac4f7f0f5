/** What a login is tied to, so that nobody who sits between two connections can pass it on: RFC 9266. */
import type { Transport } from "../reactor/Transport.ts"
import type { ChannelBinding } from "./SaslMechanism.ts"

/**
 * `binding` of `SaslServer.Options` and `SaslClient.Options`: `tls-exporter`, of a transport under TLS 1.3 on a platform that can
 * export keys (Node). `undefined` for all others, which then have the mechanisms without `-PLUS`.
 */
export const of = ({ security }: Transport): ChannelBinding | undefined => {
  const data = security._tag === "Tls" ? security.exportKey?.("EXPORTER-Channel-Binding", 32) : undefined
  return data && { type: "tls-exporter", data }
}
