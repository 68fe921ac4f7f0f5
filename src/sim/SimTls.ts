/** What a simulated handshake checks: the memory network's stand-in for TLS, and certificates where there are stand-ins of them. */
import * as Result from "effect/Result"
import * as MemoryTls from "../memory/MemoryTls.ts"
import type * as Reason from "../reactor/Reason.ts"
import type * as Tls from "../reactor/Tls.ts"
import * as SimCertificate from "./SimCertificate.ts"

/** What a server makes of a client's hello, and the client of the server's certificate. `millis`: since the world began. */
export const negotiate =
  (millis: () => number): typeof MemoryTls.negotiate =>
  (hello, options) => {
    const agreed = MemoryTls.negotiate(hello, options)
    if (Result.isFailure(agreed)) return agreed
    const name = hello.options.serverName ?? hello.host
    const shown = certificateFor(options, hello.serverName)
    const problem =
      shown === undefined || hello.options.insecurelyAcceptAnyCertificate === true
        ? undefined
        : (unfit(shown, hello.options, millis()) ??
          (name === undefined || SimCertificate.isFor(shown, name)
            ? undefined
            : `the certificate is for ${shown.names.join(", ")}, not for ${name}`))
    if (problem !== undefined) return refused(problem)
    const clients = hello.options.identity && SimCertificate.parse(hello.options.identity.certificate)
    const theirs =
      clients === undefined || options.clientCertificate !== "require"
        ? undefined
        : unfit(clients, options, millis())
    return theirs === undefined ? agreed : refused(`the client's certificate: ${theirs}`)
  }

const certificateFor = ({ identity }: Tls.ServerOptions, name: string | undefined) => {
  if ("identities" in identity || "directory" in identity) return undefined
  const all = [identity].flat().flatMap(({ certificate }) => SimCertificate.parse(certificate) ?? [])
  return all.find((each) => name !== undefined && SimCertificate.isFor(each, name)) ?? all[0]
}

const unfit = (
  { authority, endsMillis }: SimCertificate.Certificate,
  { authorities }: { readonly authorities?: Tls.Pem | ReadonlyArray<Tls.Pem> | undefined },
  millis: number
): string | undefined => {
  if (endsMillis !== undefined && millis > endsMillis) return "the certificate has expired"
  const given = authorities ?? []
  const trusted = Array.isArray(given) ? (given as ReadonlyArray<Tls.Pem>) : [given as Tls.Pem]
  return trusted.some((each) => SimCertificate.parse(each)?.authority === authority)
    ? undefined
    : `nobody who is trusted vouches for the certificate of ${authority}`
}

const refused = (detail: string): Result.Result<Tls.Security, Reason.HandshakeFailed> =>
  Result.fail(MemoryTls.failed(detail))
