/** The program's last word on a certificate: `verifyPeer`. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Reason from "../reactor/Reason.ts"
import type * as Tls from "../reactor/Tls.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as NodeTls from "./NodeTls.ts"

type Hook = NonNullable<Tls.ServerOptions["verifyPeer"]>

/**
 * Asks `verifyPeer`, on resumed connections too. Whatever it does but succeed rejects the certificate; a peer that
 * leaves meanwhile ends the question.
 */
export const verify = (
  verifyPeer: Hook | undefined,
  transport: Transport
): Effect.Effect<void, Reason.CertificateRejected | Reason.HandshakeFailed> => {
  const { security } = transport
  if (verifyPeer === undefined || security._tag === "Plain" || security.peerCertificate === undefined) {
    return Effect.void
  }
  const { peerCertificate: certificate, peerVerified: verified, serverName } = security
  return Effect.suspend(() => verifyPeer({ certificate, verified, serverName })).pipe(
    Effect.asVoid,
    Effect.catchCause((cause) => Effect.fail(rejected(cause))),
    Effect.raceFirst(Effect.andThen(Effect.exit(transport.closed), Effect.fail(NodeTls.closedEarly())))
  )
}

const rejected = (cause: Cause.Cause<unknown>) =>
  new Reason.CertificateRejected({
    detail: "verifyPeer did not accept the peer's certificate",
    cause: Cause.squash(cause)
  })
