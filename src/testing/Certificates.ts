/**
 * Certificates made in the test, so that none is stored and none expires: an authority, what it issues, and what is wrong with
 * a certificate on purpose. Made by `@peculiar/x509`, an optional peer dependency.
 *
 * ```ts
 * const authority = yield* Certificates.authority()
 * const identity = yield* authority.issue({ names: ["localhost", "127.0.0.1"] })
 * Endpoint.tls({ port: 0, identity })
 * ```
 */
import type { webcrypto } from "node:crypto"
import type * as Library from "@peculiar/x509"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Tls from "../reactor/Tls.ts"

/** `@peculiar/x509` is not installed, or not to be loaded. */
export class CertificatesUnavailable extends Data.TaggedError("CertificatesUnavailable")<{
  readonly cause: unknown
}> {
  override get message(): string {
    return "certificates for tests are made by two packages that are not there: npm install --save-dev @peculiar/x509 reflect-metadata"
  }
}

/** A certificate and its key in PEM; a `Tls.Identity`. */
export interface Identity extends Tls.Identity {
  readonly certificate: string
  /** PKCS #8, without a passphrase. */
  readonly privateKey: string
}

export interface LeafOptions {
  /** Host names and IP addresses it is good for. */
  readonly names: ReadonlyArray<string>
  /** Default: the first of the names. */
  readonly commonName?: string | undefined
  /** Default: good for servers and clients. */
  readonly usage?: "server" | "client" | undefined
  /** How long it lasts. Default 2; less than 0: it is over already. */
  readonly days?: number | undefined
  /** In how many days it begins. Default 0. */
  readonly inDays?: number | undefined
}

export interface Authority extends Identity {
  readonly issue: (options: LeafOptions) => Effect.Effect<Identity, CertificatesUnavailable>
  /** An authority that this one vouches for. */
  readonly intermediate: (name: string) => Effect.Effect<Authority, CertificatesUnavailable>
}

type X509 = typeof Library
type Extensions = (x509: X509) => ReadonlyArray<Library.Extension>

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const
const dayMillis = 86_400_000

const library: Effect.Effect<X509, CertificatesUnavailable> = Effect.tryPromise({
  try: async () => {
    // It asks for this one, and does not bring it.
    await import("reflect-metadata")
    return await import("@peculiar/x509")
  },
  catch: (cause) => new CertificatesUnavailable({ cause })
})

// Not the test's: who looks at a certificate goes by the real time.
const realTime = Context.get(Context.empty(), Clock.Clock)

interface Signer {
  readonly name: string
  readonly keys: webcrypto.CryptoKeyPair
}

interface Wanted {
  readonly name: string
  readonly signer: Signer | undefined
  readonly keys: webcrypto.CryptoKeyPair
  readonly extensions: Extensions
  readonly days?: number | undefined
  readonly inDays?: number | undefined
}

const newKeys = Effect.promise(() => crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]))

const serialNumber = (): string => Buffer.from(crypto.getRandomValues(new Uint8Array(8))).toString("hex")

const make = Effect.fn("Certificates.make")(function* (wanted: Wanted) {
  const x509 = yield* library
  const begin = realTime.currentTimeMillisUnsafe() + (wanted.inDays ?? 0) * dayMillis
  const days = wanted.days ?? 2
  const signer = wanted.signer ?? { name: wanted.name, keys: wanted.keys }
  return yield* Effect.promise(async (): Promise<Identity> => {
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: [{ CN: [wanted.name] }],
      issuer: [{ CN: [signer.name] }],
      // A minute for clocks that differ.
      notBefore: new Date(begin + (days < 0 ? 2 * days * dayMillis : 0) - 60_000),
      notAfter: new Date(begin + days * dayMillis),
      signingAlgorithm: algorithm,
      publicKey: wanted.keys.publicKey,
      signingKey: signer.keys.privateKey,
      extensions: [
        ...wanted.extensions(x509),
        await x509.SubjectKeyIdentifierExtension.create(wanted.keys.publicKey),
        await x509.AuthorityKeyIdentifierExtension.create(signer.keys.publicKey)
      ]
    })
    const key = await crypto.subtle.exportKey("pkcs8", wanted.keys.privateKey)
    return {
      certificate: `${certificate.toString("pem")}\n`,
      privateKey: `${x509.PemConverter.encode(key, "PRIVATE KEY")}\n`
    }
  })
})

const isAddress = (name: string): boolean => /^[0-9.]+$|:/.test(name)

const leafExtensions =
  ({ names, usage }: LeafOptions): Extensions =>
  (x509) => {
    const { clientAuth, serverAuth } = x509.ExtendedKeyUsage
    const usages = { server: [serverAuth], client: [clientAuth], any: [serverAuth, clientAuth] }
    return [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(usages[usage ?? "any"]),
      new x509.SubjectAlternativeNameExtension(
        names.map((name) => ({ type: isAddress(name) ? "ip" : "dns", value: name }) as const)
      )
    ]
  }

const authorityExtensions: Extensions = (x509) => [
  new x509.BasicConstraintsExtension(true, undefined, true),
  new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true)
]

const issue = (signer: Signer, options: LeafOptions) =>
  Effect.flatMap(newKeys, (keys) =>
    make({
      name: options.commonName ?? options.names[0] ?? "nobody",
      signer,
      keys,
      extensions: leafExtensions(options),
      days: options.days,
      inDays: options.inDays
    })
  )

const makeAuthority = (
  name: string,
  signer: Signer | undefined
): Effect.Effect<Authority, CertificatesUnavailable> =>
  Effect.gen(function* () {
    const keys = yield* newKeys
    const self: Signer = { name, keys }
    const identity = yield* make({ name, signer, keys, extensions: authorityExtensions })
    return {
      ...identity,
      issue: (options) => issue(self, options),
      intermediate: (name) => makeAuthority(name, self)
    }
  })

/** An authority, another one each time, also for the same name. Default name: `an authority for tests`. */
export const authority = (
  name = "an authority for tests"
): Effect.Effect<Authority, CertificatesUnavailable> => makeAuthority(name, undefined)

/** A certificate that nobody vouches for but itself. */
export const selfSigned = (options: LeafOptions): Effect.Effect<Identity, CertificatesUnavailable> =>
  Effect.flatMap(newKeys, (keys) =>
    make({
      name: options.commonName ?? options.names[0] ?? "nobody",
      signer: undefined,
      keys,
      extensions: leafExtensions(options),
      days: options.days,
      inDays: options.inDays
    })
  )
