/** What is in a PEM file (RFC 7468): certificates and private keys, among whatever else. */
import * as crypto from "node:crypto"

export interface Certificate {
  readonly pem: string
  readonly x509: crypto.X509Certificate
  /** To be compared: SubjectPublicKeyInfo. */
  readonly publicKey: string
}

export interface PrivateKey {
  /** As it stands in the file; PKCS #8 without a passphrase if it was encrypted. */
  readonly pem: string
  readonly publicKey: string
}

export interface PemFile {
  readonly text: string
  readonly certificates: ReadonlyArray<Certificate>
  readonly privateKeys: ReadonlyArray<PrivateKey>
  /** What could not be understood. */
  readonly problems: ReadonlyArray<string>
}

const begin = /^-----BEGIN ([^\n-]+)-----[^\S\n]*$/gm

/** Never throws: what is good is kept, what is not is among the problems. */
export const parse = (text: string, passphrase?: string | undefined): PemFile => {
  const certificates: Array<Certificate> = []
  const privateKeys: Array<PrivateKey> = []
  const problems: Array<string> = []
  for (const match of text.matchAll(begin)) {
    const label = match[1]!
    const line = `-----END ${label}-----`
    const end = text.indexOf(line, match.index)
    const block =
      end < 0 ? undefined : `${text.slice(match.index, end + line.length).replaceAll("\r\n", "\n")}\n`
    try {
      if (label === "CERTIFICATE") certificates.push(certificateIn(block))
      else if (label.endsWith("PRIVATE KEY")) privateKeys.push(privateKeyIn(block, passphrase))
    } catch (error) {
      problems.push(`a ${label} cannot be used: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  if (certificates.length + privateKeys.length + problems.length === 0) {
    problems.push("it holds no certificate and no private key")
  }
  return { text, certificates, privateKeys, problems }
}

const whole = (block: string | undefined): string => {
  if (block === undefined) throw new Error("it does not end")
  return block
}

const certificateIn = (block: string | undefined): Certificate => {
  const pem = whole(block)
  const x509 = new crypto.X509Certificate(pem)
  return { pem, x509, publicKey: textOf(x509.publicKey) }
}

const privateKeyIn = (block: string | undefined, passphrase: string | undefined): PrivateKey => {
  const pem = whole(block)
  const isEncrypted = pem.includes("ENCRYPTED")
  if (isEncrypted && passphrase === undefined) throw new Error("it is encrypted, and there is no passphrase")
  const key = crypto.createPrivateKey(isEncrypted ? { key: pem, passphrase } : pem)
  return {
    pem: isEncrypted ? String(key.export({ type: "pkcs8", format: "pem" })) : pem,
    publicKey: textOf(crypto.createPublicKey(key))
  }
}

const textOf = (publicKey: crypto.KeyObject): string =>
  publicKey.export({ type: "spki", format: "der" }).toString("base64")

/** Whom it is for, in one line. */
export const title = ({ x509 }: Certificate): string =>
  JSON.stringify(x509.subjectAltName ?? x509.subject?.replaceAll("\n", ", ") ?? "nobody")

export const issued = (issuer: Certificate, certificate: Certificate): boolean =>
  certificate.x509.checkIssued(issuer.x509) && certificate.x509.verify(issuer.x509.publicKey)

export const isRoot = (certificate: Certificate): boolean => issued(certificate, certificate)
