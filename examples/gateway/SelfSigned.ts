/** A certificate for trying things out: made once, kept beside the data, for this machine's own names only. */
import "reflect-metadata"
import * as path from "node:path"
import * as x509 from "@peculiar/x509"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const

const generate = Effect.gen(function* () {
  const now = yield* DateTime.now
  return yield* Effect.promise(async () => {
    const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"])
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      name: "CN=localhost",
      notBefore: DateTime.toDate(now),
      notAfter: DateTime.toDate(DateTime.add(now, { days: 365 })),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.SubjectAlternativeNameExtension([
          { type: "dns", value: "localhost" },
          { type: "ip", value: "127.0.0.1" },
          { type: "ip", value: "::1" }
        ])
      ]
    })
    const key = x509.PemConverter.encode(
      await crypto.subtle.exportKey("pkcs8", keys.privateKey),
      "PRIVATE KEY"
    )
    return { certificate: certificate.toString("pem"), key }
  })
})

/** Where the certificate and its key are, in one PEM file. */
export const fileIn = (directory: string): string => path.join(directory, "self-signed.pem")

/** That file; makes it if there is none, or if it is of another year. */
export const ensure = Effect.fn("SelfSigned.ensure")(function* (
  directory: string
): Effect.fn.Return<string, PlatformError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const file = fileIn(directory)
  yield* fs.makeDirectory(directory, { recursive: true })
  if (yield* fs.exists(file)) {
    const known = new x509.X509Certificate(yield* fs.readFileString(file))
    const now = yield* DateTime.nowAsDate
    if (known.notAfter > now) return file
  }
  const { certificate, key } = yield* generate
  yield* fs.writeFileString(file, `${certificate}\n${key}\n`, { mode: 0o600 })
  return file
})
