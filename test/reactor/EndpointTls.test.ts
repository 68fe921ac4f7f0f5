import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as PlatformError from "effect/PlatformError"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as EndpointDescription from "../../src/reactor/EndpointDescription.ts"
import type * as Tls from "../../src/reactor/Tls.ts"
import { errorOf, faultOf } from "./endpointFaults.ts"

const { client, parseClient, parseServer, parseServerSync, server } = EndpointDescription

const pem = (label: string, body: string): string =>
  `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----`

const leaf = pem("CERTIFICATE", "bGVhZg==")
const issuer = pem("CERTIFICATE", "aXNzdWVy")
const key = pem("PRIVATE KEY", "a2V5")

const contents: ReadonlyMap<string, string> = new Map([
  ["key.pem", `Bag Attributes\n${key}\n`],
  ["cert.pem", `# ours\n${leaf}\n`],
  ["chain.pem", `${issuer}`],
  ["both.pem", `${key}\n${leaf}\n${issuer}\n`],
  ["roots.pem", `${issuer}\r\n${leaf}\r\n`],
  ["encrypted.pem", pem("ENCRYPTED PRIVATE KEY", "eA==")],
  ["old-encrypted.pem", pem("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\neA==")],
  ["empty.pem", ""],
  ["cut.pem", "-----BEGIN PRIVATE KEY-----\na2V5"],
  ["C:\\a=b.pem", `${key}\n${leaf}`]
])

const reads: Array<string> = []

const failing: ReadonlyMap<string, PlatformError.SystemErrorTag> = new Map([
  ["secret.pem", "PermissionDenied"],
  ["directory", "BadResource"],
  ["odd.pem", "Unknown"]
])

const files = FileSystem.layerNoop({
  readFile: (path) =>
    Effect.suspend(() => {
      reads.push(path)
      const text = contents.get(path)
      if (text !== undefined) return Effect.succeed(new TextEncoder().encode(text))
      const _tag = failing.get(path) ?? "NotFound"
      const error = { _tag, module: "FileSystem", method: "readFile", pathOrDescriptor: path }
      return Effect.fail(PlatformError.systemError({ ...error, description: "the disk is on fire" }))
    })
})

it.layer(files)("TLS", (it) => {
  const serverAt = (text: string) =>
    Effect.map(parseServer(text), (endpoint) => {
      assert.strictEqual(endpoint._tag, "TlsServer")
      return endpoint as Endpoint.TlsServer
    })
  const clientAt = (text: string) =>
    Effect.map(parseClient(text), (endpoint) => {
      assert.strictEqual(endpoint._tag, "TlsClient")
      return endpoint as Endpoint.TlsClient
    })
  const keyOf = (identity: { readonly privateKey: unknown } | undefined): unknown => {
    assert.isTrue(Redacted.isRedacted(identity?.privateKey))
    return Redacted.value(identity?.privateKey as Redacted.Redacted<unknown>)
  }

  /** A description names one identity. */
  const identityOf = ({ identity }: Endpoint.TlsServer["tls"]): Tls.Identity =>
    "certificate" in identity ? identity : assert.fail("there is more than one identity")

  it.effect("loads the key, the certificate and the chain, leaf first", () =>
    Effect.gen(function* () {
      const endpoint = yield* serverAt(
        "tls:443:privateKey=key.pem:certKey=cert.pem:extraCertChain=chain.pem:interface=[::]:ipv6Only=yes:backlog=9"
      )
      assert.strictEqual(endpoint.port, 443)
      assert.strictEqual(endpoint.interface, "::")
      assert.strictEqual(endpoint.ipv6Only, true)
      assert.strictEqual(endpoint.backlog, 9)
      assert.strictEqual(identityOf(endpoint.tls).certificate, `${leaf}\n${issuer}\n`)
      assert.strictEqual(keyOf(identityOf(endpoint.tls)), `${key}\n`)
      assert.deepStrictEqual(Object.keys(endpoint.tls), ["identity"])
    })
  )

  it.effect(
    "takes the certificate from the file of privateKey, but never the key with it; each file once",
    () =>
      Effect.gen(function* () {
        reads.length = 0
        for (const scheme of ["tls", "ssl"]) {
          const { tls } = yield* serverAt(`${scheme}:443:privateKey=both.pem`)
          assert.strictEqual(identityOf(tls).certificate, `${leaf}\n${issuer}\n`)
          assert.strictEqual(keyOf(identityOf(tls)), `${key}\n`)
          assert.notInclude(JSON.stringify(tls), "a2V5")
        }
        assert.deepStrictEqual(reads, ["both.pem", "both.pem"])
      })
  )

  it.effect("loads authorities and options for client certificates", () =>
    Effect.gen(function* () {
      const { tls } = yield* serverAt(
        "tls:443:privateKey=both.pem:clientAuthorities=roots.pem:clientCertificate=require:alpn=h2:versionMin=TLSv1.2"
      )
      assert.strictEqual(tls.clientCertificate, "require")
      assert.strictEqual(tls.authorities, `${issuer}\n${leaf}\n`)
      assert.deepStrictEqual(tls.alpn, ["h2"])
      assert.strictEqual(tls.versionMin, "TLSv1.2")
    })
  )

  it.effect("loads a client's identity and roots; Twisted's certKey is certificate", () =>
    Effect.gen(function* () {
      for (const name of ["certificate", "certKey"]) {
        const { tls } = yield* clientAt(`tls:h:443:${name}=cert.pem:privateKey=key.pem:trustRoots=roots.pem`)
        assert.strictEqual(tls.identity?.certificate, `${leaf}\n`)
        assert.strictEqual(keyOf(tls.identity), `${key}\n`)
        assert.strictEqual(tls.authorities, `${issuer}\n${leaf}\n`)
      }
    })
  )

  it.effect("resolves escapes in the path, and leaves spaces alone", () =>
    Effect.gen(function* () {
      const quoted = EndpointDescription.quoteArgument("C:\\a=b.pem")
      const { tls } = yield* serverAt(`tls:443:privateKey=${quoted}`)
      assert.strictEqual(keyOf(identityOf(tls)), `${key}\n`)
    })
  )

  it.effect("endpoints without files touch none", () =>
    Effect.gen(function* () {
      reads.length = 0
      assert.deepStrictEqual(yield* parseServer("tcp:80"), Endpoint.tcp({ port: 80 }))
      assert.deepStrictEqual(yield* parseClient("tls:h:1"), Endpoint.tlsClient({ host: "h", port: 1 }))
      yield* Effect.flip(parseServer("tls:443:privateKey=both.pem:nonsense=1"))
      yield* Effect.flip(parseServer("tls:443:privateKey=both.pem:clientCertificate=require"))
      assert.deepStrictEqual(reads, [])
    })
  )

  it.effect.each<[text: string, argument: string, marked: string, detail: string]>([
    [
      "tls:443:privateKey=none.pem",
      "privateKey",
      "none.pem",
      `privateKey of tls names "none.pem", which does not exist`
    ],
    [
      "ssl:443:privateKey=key.pem:certKey=secret.pem",
      "certKey",
      "secret.pem",
      `certKey of ssl names "secret.pem", which this process may not read`
    ],
    [
      "tls:443:privateKey=directory",
      "privateKey",
      "directory",
      `privateKey of tls names "directory", which is not a file`
    ],
    [
      "tls:443:privateKey=odd.pem",
      "privateKey",
      "odd.pem",
      `privateKey of tls names "odd.pem", which cannot be read: the disk is on fire`
    ],
    [
      "tls:443:privateKey=cert.pem",
      "privateKey",
      "cert.pem",
      `privateKey of tls names "cert.pem", which holds no private key in PEM form`
    ],
    [
      "tls:443:privateKey=cut.pem",
      "privateKey",
      "cut.pem",
      `privateKey of tls names "cut.pem", which holds no private key in PEM form`
    ],
    [
      "tls:443:privateKey=key.pem",
      "certKey",
      "key.pem",
      `certKey, left out and so the same as privateKey, of tls names "key.pem", which holds no certificate in PEM form`
    ],
    [
      "tls:443:privateKey=encrypted.pem:certKey=cert.pem",
      "privateKey",
      "encrypted.pem",
      `privateKey of tls names "encrypted.pem", which holds no private key that can be used without a passphrase`
    ],
    [
      "tls:443:privateKey=old-encrypted.pem:certKey=cert.pem",
      "privateKey",
      "old-encrypted.pem",
      `privateKey of tls names "old-encrypted.pem", which holds no private key that can be used without a passphrase`
    ],
    [
      "tls:443:privateKey=key.pem:certKey=cert.pem:extraCertChain=empty.pem",
      "extraCertChain",
      "empty.pem",
      `extraCertChain of tls names "empty.pem", which holds no certificate in PEM form`
    ]
  ])("names the argument and the place of a file that is no good: %s", ([text, argument, marked, detail]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(parseServer(text))
      assert.deepStrictEqual(faultOf(Result.fail(error)), ["UnreadableFile", argument, marked])
      assert.strictEqual(error.reason.message, detail)
      const isReadable = contents.has(marked)
      assert.strictEqual(PlatformError.isPlatformError(error.cause), !isReadable)
      assert.strictEqual(error.reason._tag === "UnreadableFile" && error.reason.path, marked)
      assert.notInclude(error.message, "a2V5")
    })
  )

  it.effect("a reason can be caught by its tag", () =>
    Effect.gen(function* () {
      const path = yield* parseClient("tls:h:1:trustRoots=none.pem").pipe(
        Effect.catchReason("EndpointDescriptionError", "UnreadableFile", (reason) =>
          Effect.succeed(reason.path)
        )
      )
      assert.strictEqual(path, "none.pem")
    })
  )
})

describe("step by step", () => {
  it("server and client tell the files of a description, and where they stand", () => {
    const described = Result.getOrThrow(server("tls:1:privateKey=k:extraCertChain=c"))
    assert.deepStrictEqual(
      described.files.map(({ argument, path, position }) => [
        argument,
        path,
        position.offset,
        position.length
      ]),
      [
        ["privateKey", "k", 17, 1],
        ["extraCertChain", "c", 34, 1],
        ["certKey", "k", 17, 1]
      ]
    )
    assert.deepStrictEqual(Result.getOrThrow(client("tcp:h:1")).files, [])
  })

  it("what needs files cannot be had without them", () => {
    const error = errorOf(parseServerSync("tls:1:privateKey=k"))
    assert.deepStrictEqual(faultOf(Result.fail(error)), ["UnreadableFile", "privateKey", "k"])
    assert.include(error.message, "files are read by parseServer, parseClient and load only")
  })
})
