/** Identities from files: certificates and keys in PEM, as they lie in a directory. */
import type * as crypto from "node:crypto"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Redacted from "effect/Redacted"
import * as Identities from "../reactor/Identities.ts"
import type * as Tls from "../reactor/Tls.ts"
import * as PemFile from "./PemFile.ts"
import { fileTrouble } from "../reactor/fileTrouble.ts"

export interface DirectoryOptions {
  /** Default 10 seconds. */
  readonly rescanInterval?: Duration.Input | undefined
  /** Of the private keys that are encrypted. */
  readonly passphrase?: Redacted.Redacted<string> | undefined
}

const rescanIntervalDefault = "10 seconds"
/** Files read at once. */
const readersMax = 8
/** RFC 5280 sets no limit; nobody has more. */
const chainMax = 10

/**
 * The certificates of a directory's `.pem` files (its own, not those of directories in it; files whose names begin with a
 * dot are left out). A key goes with the certificates made for it, and a chain is put together by issuers, in whatever
 * files they stand. The first of the files in the order of their names holds the identity for clients without SNI;
 * of several certificates for one key the one that began last comes first.
 *
 * What is broken, or not valid at the time, is left out, and told once at level Warning. Nothing usable is an error; later
 * what there was stays. Files are looked at when a handshake asks, at most every `rescanInterval`.
 *
 * Twisted: the `tls:` endpoint, which looks again only for names that it does not know.
 */
export const directory = Effect.fn("NodeIdentities.directory")(function* (
  path: string,
  options: DirectoryOptions = {}
): Effect.fn.Return<Tls.IdentitySource, Identities.IdentitiesError, FileSystem.FileSystem> {
  const files = yield* FileSystem.FileSystem
  const folder = new Folder(path, files, options.passphrase)
  const rescanned = yield* Identities.rescanned(folder.load, {
    rescanInterval: options.rescanInterval ?? rescanIntervalDefault
  })
  // A reload may have loaded later than the rescan did.
  const source = { identities: Effect.map(rescanned.identities, () => folder.latest) }
  reloads.set(source, folder.reload)
  return source
})

const reloads = new WeakMap<Tls.IdentitySource, Effect.Effect<void, Identities.IdentitiesError>>()

/**
 * Looks at the files of a source of `directory`'s now. Fails with all that is broken there, by file; what is not is in use then.
 * `undefined` for other sources.
 */
export const reloadOf = (
  source: Tls.IdentitySource
): Effect.Effect<void, Identities.IdentitiesError> | undefined => reloads.get(source)

interface Certified {
  readonly file: string
  readonly certificate: PemFile.Certificate
}

/** A directory, and what is remembered of it: only what has changed is read anew, and told. */
class Folder {
  private readonly path: string
  private readonly files: FileSystem.FileSystem
  private readonly passphrase: string | undefined
  private parsed = new Map<string, PemFile.PemFile>()
  private made = new Map<string, Tls.Identity>()
  private told = new Set<string>()
  /** What was loaded last, and what was left out then. */
  latest: ReadonlyArray<Tls.Identity> = []
  private problems: ReadonlyArray<string> = []

  constructor(path: string, files: FileSystem.FileSystem, passphrase: Redacted.Redacted<string> | undefined) {
    this.path = path
    this.files = files
    this.passphrase = passphrase === undefined ? undefined : Redacted.value(passphrase)
  }

  get load(): Effect.Effect<ReadonlyArray<Tls.Identity>, Identities.IdentitiesError> {
    return Effect.gen({ self: this }, function* () {
      const problems: Array<string> = []
      const read = yield* this.read(problems)
      const now = yield* Clock.currentTimeMillis
      const identities = this.identities(read, now, problems)
      yield* this.tell(problems)
      if (identities.length > 0) {
        this.latest = identities
        this.problems = problems
        return identities
      }
      const detail =
        problems.length === 0 ? "it has no .pem file with a certificate and its key" : problems.join("; ")
      return yield* new Identities.IdentitiesError({ place: this.path, detail })
    })
  }

  get reload(): Effect.Effect<void, Identities.IdentitiesError> {
    return Effect.flatMap(this.load, () =>
      this.problems.length === 0
        ? Effect.void
        : Effect.fail(new Identities.IdentitiesError({ place: this.path, detail: this.problems.join("; ") }))
    )
  }

  private read(problems: Array<string>) {
    return Effect.gen({ self: this }, function* () {
      const names = yield* Effect.mapError(
        this.files.readDirectory(this.path),
        (cause) =>
          new Identities.IdentitiesError({
            place: this.path,
            detail: `it cannot be read: ${fileTrouble(cause, "it is no directory")}`,
            cause
          })
      )
      const wanted = names.filter((name) => name.endsWith(".pem") && !name.startsWith(".")).toSorted()
      const texts = yield* Effect.forEach(
        wanted,
        (name) => Effect.result(this.files.readFileString(`${this.path}/${name}`)),
        { concurrency: readersMax }
      )
      const parsed = new Map<string, PemFile.PemFile>()
      for (const [index, name] of wanted.entries()) {
        const text = texts[index]!
        if (text._tag === "Failure") {
          problems.push(`${name} cannot be read: ${text.failure.message}`)
          continue
        }
        const known = this.parsed.get(name)
        const file = known?.text === text.success ? known : PemFile.parse(text.success, this.passphrase)
        parsed.set(name, file)
        for (const problem of file.problems) problems.push(`${name}: ${problem}`)
      }
      this.parsed = parsed
      return parsed
    })
  }

  private identities(
    files: ReadonlyMap<string, PemFile.PemFile>,
    now: number,
    problems: Array<string>
  ): ReadonlyArray<Tls.Identity> {
    const keys = new Map<string, PemFile.PrivateKey>()
    const valid: Array<Certified> = []
    for (const [file, { certificates, privateKeys }] of files) {
      for (const key of privateKeys) if (!keys.has(key.publicKey)) keys.set(key.publicKey, key)
      for (const certificate of certificates) {
        const problem = untimely(certificate.x509, now)
        if (problem === undefined) valid.push({ file, certificate })
        else problems.push(`${file}: the certificate of ${PemFile.title(certificate)} ${problem}`)
      }
    }
    const made = new Map<string, Tls.Identity>()
    const leaves = valid.filter(({ certificate }) => keys.has(certificate.publicKey))
    for (const leaf of leaves.toSorted(byFileThenAge)) {
      const chain = chainOf(leaf, valid).map(({ certificate }) => certificate.pem)
      const privateKey = keys.get(leaf.certificate.publicKey)!.pem
      const pem = chain.join("")
      // The same one as before, so that its sessions can still be resumed.
      const identity = this.made.get(pem + privateKey) ?? {
        certificate: pem,
        privateKey: Redacted.make(privateKey)
      }
      made.set(pem + privateKey, identity)
    }
    for (const { certificate, file } of valid) {
      if (certificate.x509.ca || keys.has(certificate.publicKey)) continue
      problems.push(`${file}: there is no key for the certificate of ${PemFile.title(certificate)}`)
    }
    if (made.size > 0) this.made = made
    return [...made.values()]
  }

  /** Each problem when it is new. */
  private tell(problems: ReadonlyArray<string>): Effect.Effect<void> {
    const news = problems.filter((problem) => !this.told.has(problem))
    this.told = new Set(problems)
    return Effect.forEach(
      news,
      (problem) =>
        Effect.annotateLogs(Effect.logWarning(`left out of the identities: ${problem}`), {
          directory: this.path
        }),
      { discard: true }
    )
  }
}

const untimely = (certificate: crypto.X509Certificate, now: number): string | undefined => {
  if (certificate.validToDate.getTime() < now) return `ended on ${certificate.validTo}`
  return certificate.validFromDate.getTime() > now ? `begins on ${certificate.validFrom}` : undefined
}

const byFileThenAge = (a: Certified, b: Certified): number =>
  a.file < b.file
    ? -1
    : a.file > b.file
      ? 1
      : b.certificate.x509.validFromDate.getTime() - a.certificate.x509.validFromDate.getTime()

/** The leaf and who vouches for it, up to but without the root: clients have that, or do not trust it. */
const chainOf = (leaf: Certified, all: ReadonlyArray<Certified>): ReadonlyArray<Certified> => {
  const chain = [leaf]
  for (;;) {
    const last = chain.at(-1)!
    const issuers = all.filter(
      (each) =>
        !chain.includes(each) &&
        !PemFile.isRoot(each.certificate) &&
        PemFile.issued(each.certificate, last.certificate)
    )
    const issuer = issuers.find(({ file }) => file === leaf.file) ?? issuers[0]
    if (issuer === undefined || chain.length >= chainMax) return chain
    chain.push(issuer)
  }
}
