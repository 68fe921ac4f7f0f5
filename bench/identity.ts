/** A certificate for the TLS servers, made once. */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync } from "node:fs"
import { fileURLToPath } from "node:url"

const folder = fileURLToPath(new URL("../node_modules/.cache/bench/", import.meta.url))

/** Where its files are, as the environment of a server; undefined without an `openssl` command. ECDSA P-256, as most have. */
export const identityFiles = (): Readonly<Record<string, string>> | undefined => {
  const [CERTIFICATE, PRIVATE_KEY] = [`${folder}certificate.pem`, `${folder}key.pem`]
  if (!existsSync(CERTIFICATE)) {
    mkdirSync(folder, { recursive: true })
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", PRIVATE_KEY]
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "3650"]
    const made = spawnSync("openssl", ["req", "-x509", ...key, ...subject, "-out", CERTIFICATE])
    if (made.status !== 0) return undefined
  }
  return { CERTIFICATE, PRIVATE_KEY }
}
