/**
 * Certificates made on the spot by the `openssl` command, so that none is stored and none expires. Where the
 * command is missing, `available` is false: skip what needs them, visibly.
 */
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"

export interface Identity {
  /** The leaf in PEM, without its authority. */
  readonly certificate: string
  /** PKCS #8 in PEM, without a passphrase. */
  readonly privateKey: string
}

export interface LeafOptions {
  /** Host names and IP addresses it is good for; the first one is its common name. */
  readonly names: ReadonlyArray<string>
  /** Default: good for servers and clients. */
  readonly usage?: "server" | "client" | undefined
  /** How long it lasts; less than 0: it is over already. Default 2. */
  readonly days?: number | undefined
  /** In how many days it begins. Default 0. */
  readonly inDays?: number | undefined
  /** Default: the first of the names. */
  readonly commonName?: string | undefined
  /** Names exactly as they are, whatever they are. */
  readonly rawNames?: ReadonlyArray<string> | undefined
}

export interface Authority extends Identity {
  readonly issue: (options: LeafOptions) => Identity
  /** An authority that this one vouches for. */
  readonly intermediate: (name: string) => Authority
}

/** No argument has a space in it. */
const openssl = (cwd: string, command: string): void => {
  execFileSync("openssl", command.split(" "), { cwd, timeout: 10_000, stdio: ["ignore", "ignore", "pipe"] })
}

const inTemporaryDirectory = <A>(f: (directory: string) => A): A => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "spindle-certificates-"))
  try {
    return f(directory)
  } finally {
    fs.rmSync(directory, { recursive: true, force: true })
  }
}

/** Whether there is an `openssl` command. */
export const available: boolean = (() => {
  try {
    openssl(os.tmpdir(), "version")
    return true
  } catch {
    return false
  }
})()

const newKey = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"

const read = (directory: string, name: string): string => fs.readFileSync(path.join(directory, name), "utf8")

// Without a configuration of the machine's: the same certificate everywhere.
const configuration = "[req]\ndistinguished_name = dn\nprompt = no\n[dn]\nCN = "

const makeAuthority = (name: string): Authority =>
  inTemporaryDirectory((directory) => {
    fs.writeFileSync(
      path.join(directory, "ca.cnf"),
      `${configuration}${name}\n[ext]\nbasicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign,cRLSign\nsubjectKeyIdentifier = hash\n`
    )
    openssl(
      directory,
      `req -x509 -config ca.cnf -extensions ext -days 2 ${newKey} -keyout ca.key -out ca.pem`
    )
    return authorityOf({ certificate: read(directory, "ca.pem"), privateKey: read(directory, "ca.key") })
  })

const authorityOf = (identity: Identity): Authority => ({
  ...identity,
  issue: (options) => issue(identity, options, leafExtensions(options)),
  intermediate: (name) => authorityOf(issue(identity, { names: [name] }, authorityExtensions))
})

/** What somebody makes with a key that is not for that. */
export const signedBy = (signer: Identity, options: LeafOptions): Identity =>
  issue(signer, options, leafExtensions(options))

/** A certificate for the same key, which begins a day later. */
export const renewed = (authority: Identity, old: Identity, name: string): string =>
  issue(authority, { names: [name], inDays: 1 }, leafExtensions({ names: [name] }), old.privateKey)
    .certificate

/** Another authority of that name each time. */
export const freshAuthority = (name: string): Authority => makeAuthority(name)

/** A server's certificate that nobody vouches for but itself. */
export const selfSigned = (name: string): Identity =>
  inTemporaryDirectory((directory) => {
    fs.writeFileSync(
      path.join(directory, "leaf.cnf"),
      `${configuration}${name}\n[ext]\nbasicConstraints = critical,CA:FALSE\nsubjectAltName = DNS:${name}\n`
    )
    openssl(
      directory,
      `req -x509 -config leaf.cnf -extensions ext -days 2 ${newKey} -keyout leaf.key -out leaf.pem`
    )
    return { certificate: read(directory, "leaf.pem"), privateKey: read(directory, "leaf.key") }
  })

const usages = { server: "serverAuth", client: "clientAuth", any: "serverAuth,clientAuth" } as const

const authorityExtensions = [
  "basicConstraints = critical,CA:TRUE",
  "keyUsage = critical,keyCertSign,cRLSign",
  "subjectKeyIdentifier = hash",
  "authorityKeyIdentifier = keyid"
]

const leafExtensions = (options: LeafOptions): ReadonlyArray<string> => {
  const names = options.names.map((name) => (/^[0-9.]+$|:/.test(name) ? `IP:${name}` : `DNS:${name}`))
  return [
    "basicConstraints = critical,CA:FALSE",
    "keyUsage = critical,digitalSignature",
    `extendedKeyUsage = ${usages[options.usage ?? "any"]}`,
    "authorityKeyIdentifier = keyid",
    options.rawNames !== undefined
      ? `subjectAltName = DER:${rawNames(options.rawNames)}`
      : names.length === 0
        ? ""
        : `subjectAltName = ${names.join(",")}`
  ]
}

/** GeneralNames (RFC 5280 §4.2.1.6) of dNSNames, in hexadecimal; together less than 128 bytes. */
const rawNames = (names: ReadonlyArray<string>): string => {
  const all = names.map((name) => {
    const bytes = Buffer.from(name)
    return Buffer.concat([Buffer.of(0x82, bytes.length), bytes])
  })
  const body = Buffer.concat(all)
  return Buffer.concat([Buffer.of(0x30, body.length), body]).toString("hex")
}

const day = 86_400_000

/** As `openssl ca` takes them. */
const time = (days: number): string =>
  new Date(Date.now() + days * day).toISOString().replace(/[-:T]|\.\d+/g, "")

const issue = (
  authority: Identity,
  options: LeafOptions,
  extensions: ReadonlyArray<string>,
  key?: string | undefined
): Identity =>
  inTemporaryDirectory((directory) => {
    const { commonName = options.names[0] ?? "nobody", days = 2, inDays = 0 } = options
    const write = (name: string, text: string) => fs.writeFileSync(path.join(directory, name), text)
    fs.writeFileSync(path.join(directory, "ca.key"), authority.privateKey, { mode: 0o600 })
    write("ca.pem", authority.certificate)
    write("leaf.cnf", `${configuration}${commonName}\n`)
    write("leaf.ext", extensions.join("\n"))
    if (key !== undefined) fs.writeFileSync(path.join(directory, "leaf.key"), key, { mode: 0o600 })
    const useKey = key === undefined ? `${newKey} -keyout leaf.key` : "-key leaf.key"
    openssl(directory, `req -new -config leaf.cnf ${useKey} -out leaf.csr`)
    if (inDays === 0) {
      openssl(
        directory,
        `x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days ${days} -extfile leaf.ext -out leaf.pem`
      )
    } else {
      write("index.txt", "")
      write(
        "ca.cnf",
        "[ca]\ndefault_ca = d\n[d]\nnew_certs_dir = .\ndatabase = index.txt\nrand_serial = yes\ndefault_md = sha256\npolicy = p\n[p]\ncommonName = supplied\n"
      )
      openssl(
        directory,
        `ca -batch -notext -config ca.cnf -cert ca.pem -keyfile ca.key -in leaf.csr -extfile leaf.ext -startdate ${time(inDays)} -enddate ${time(inDays + days)} -out leaf.pem`
      )
    }
    return { certificate: read(directory, "leaf.pem"), privateKey: read(directory, "leaf.key") }
  })

/** An identity that is none, where `openssl` is missing and nothing will use it. */
export const nobody: Authority = {
  certificate: "",
  privateKey: "",
  issue: () => nobody,
  intermediate: () => nobody
}

/** The first certificate of a PEM text, in base 64 without line ends. */
export const derOf = (pem: string): string =>
  pem.replace(/-----END[^]*/, "").replace(/-----[^-]+-----|\s/g, "")

const authorities = new Map<string, Authority>()

/** A certificate authority; the same one for the same name within a process. */
export const authority = (name = "Spindle test authority"): Authority => {
  const known = authorities.get(name)
  if (known !== undefined) return known
  const made = makeAuthority(name)
  authorities.set(name, made)
  return made
}

let local: { readonly authority: Authority; readonly server: Identity; readonly client: Identity } | undefined

/** An authority, a server's identity for `localhost` and `127.0.0.1`, and a client's: made once per process. */
export const localhost = () =>
  (local ??= {
    authority: authority(),
    server: authority().issue({ names: ["localhost", "127.0.0.1", "::1"], usage: "server" }),
    client: authority().issue({ names: ["a client"], usage: "client" })
  })
