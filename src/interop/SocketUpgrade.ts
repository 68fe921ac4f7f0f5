/** The options of `Reader.upgrade` as those of `startTls`. */
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Socket from "effect/socket/Socket"
import type * as Tls from "../reactor/Tls.ts"

/** A failure is a sentence that says what cannot be. */
export const upgradeOf = (
  role: "client" | "server",
  options: Socket.TlsUpgradeOptions
): Result.Result<Tls.Upgrade, string> => {
  const keys = listOf(options.key)
  const certificates = listOf(options.cert)
  if (keys.length !== certificates.length) {
    return Result.fail(
      `${keys.length} private keys and ${certificates.length} certificates do not make pairs`
    )
  }
  const identities = certificates.map((certificate, i): Tls.Identity => {
    const key = Redacted.value(keys[i]!)
    return {
      certificate,
      privateKey: Redacted.make(typeof key === "string" ? key : new TextDecoder().decode(key)),
      passphrase: options.passphrase
    }
  })
  const common = {
    authorities: options.ca === undefined ? undefined : listOf(options.ca),
    alpn: options.alpnProtocols
  }
  if (role === "client") {
    if (identities.length > 1) return Result.fail("a client shows one certificate at most")
    return Result.succeed({
      role,
      tls: {
        ...common,
        identity: identities[0],
        serverName: options.servername,
        insecurelyAcceptAnyCertificate: options.rejectUnauthorized === false
      }
    })
  }
  if (identities.length === 0) return Result.fail("a server needs a private key and a certificate")
  const verified = options.rejectUnauthorized === false ? "request" : "require"
  return Result.succeed({
    role,
    tls: {
      ...common,
      identity: identities.length === 1 ? identities[0]! : identities,
      clientCertificate: options.requestCert === true ? verified : "none"
    }
  })
}

const listOf = <A>(input: A | ReadonlyArray<A> | undefined): ReadonlyArray<A> =>
  input === undefined ? [] : Array.isArray(input) ? (input as ReadonlyArray<A>) : [input as A]
