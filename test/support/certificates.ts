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
}

export interface Authority extends Identity {
  readonly issue: (options: LeafOptions) => Identity
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
    const identity = { certificate: read(directory, "ca.pem"), privateKey: read(directory, "ca.key") }
    return { ...identity, issue: (options) => issue(identity, options) }
  })

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

const issue = (authority: Identity, options: LeafOptions): Identity =>
  inTemporaryDirectory((directory) => {
    const names = options.names.map((name) => (/^[0-9.]+$|:/.test(name) ? `IP:${name}` : `DNS:${name}`))
    fs.writeFileSync(path.join(directory, "ca.pem"), authority.certificate)
    fs.writeFileSync(path.join(directory, "ca.key"), authority.privateKey, { mode: 0o600 })
    fs.writeFileSync(path.join(directory, "leaf.cnf"), `${configuration}${options.names[0] ?? "nobody"}\n`)
    fs.writeFileSync(
      path.join(directory, "leaf.ext"),
      [
        "basicConstraints = critical,CA:FALSE",
        "keyUsage = critical,digitalSignature",
        `extendedKeyUsage = ${usages[options.usage ?? "any"]}`,
        "authorityKeyIdentifier = keyid",
        names.length === 0 ? "" : `subjectAltName = ${names.join(",")}`
      ].join("\n")
    )
    openssl(directory, `req -new -config leaf.cnf ${newKey} -keyout leaf.key -out leaf.csr`)
    openssl(
      directory,
      `x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days ${options.days ?? 2} -extfile leaf.ext -out leaf.pem`
    )
    return { certificate: read(directory, "leaf.pem"), privateKey: read(directory, "leaf.key") }
  })

/** An identity that is none, where `openssl` is missing and nothing will use it. */
export const nobody: Authority = { certificate: "", privateKey: "", issue: () => nobody }

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
