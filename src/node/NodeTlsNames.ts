/** Which names a certificate is good for, as a server that has to choose one asks. */
import * as crypto from "node:crypto"
import type * as Tls from "../reactor/Tls.ts"
import { pemOf } from "./NodeTls.ts"

interface Names {
  readonly exact: ReadonlySet<string>
  /** What follows the `*` of a wildcard, the dot included. */
  readonly wildcards: ReadonlySet<string>
}

const none: Names = { exact: new Set(), wildcards: new Set() }

const namesOf = new WeakMap<Tls.Identity, Names>()

/** Whether the identity's certificate is good for a name (in lower case). One that cannot be read is good for none. */
export const holds = (identity: Tls.Identity, name: string): boolean => {
  let names = namesOf.get(identity)
  if (names === undefined) {
    names = read(identity)
    namesOf.set(identity, names)
  }
  const host = name.endsWith(".") ? name.slice(0, -1) : name
  if (names.exact.has(host)) return true
  const dot = host.indexOf(".")
  return dot > 0 && names.wildcards.has(host.slice(dot))
}

const read = (identity: Tls.Identity): Names => {
  let certificate: crypto.X509Certificate
  try {
    certificate = new crypto.X509Certificate(pemOf(identity.certificate))
  } catch {
    return none
  }
  const exact = new Set<string>()
  const wildcards = new Set<string>()
  for (const each of hostNames(certificate)) {
    const name = each.toLowerCase()
    if (name.startsWith("*.")) wildcards.add(name.slice(1))
    else exact.add(name)
  }
  return { exact, wildcards }
}

// RFC 6125 §6.4.4: the common name counts only if there is no dNSName.
const hostNames = (certificate: crypto.X509Certificate): ReadonlyArray<string> => {
  const alternatives = dnsNames(certificate.subjectAltName ?? "")
  if (alternatives.length > 0) return alternatives
  // The typings know of one value only.
  const common: unknown = certificate.toLegacyObject().subject?.CN
  return [common].flat().filter((name): name is string => typeof name === "string" && isPlain(name))
}

/** Node puts a name with commas, quotes or control characters in quotes: it is none that a client can ask for. */
const dnsNames = (alternatives: string): ReadonlyArray<string> =>
  (alternatives.match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g) ?? [])
    .map((each) => each.trim())
    .filter((each) => each.startsWith("DNS:"))
    .map((each) => each.slice("DNS:".length))
    .filter(isPlain)

const isPlain = (name: string): boolean => /^[!-~]+$/.test(name) && !name.includes('"')
