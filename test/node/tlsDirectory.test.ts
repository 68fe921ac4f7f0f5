/** Identities from a directory of files, as certificates are renewed in one. */
import * as crypto from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type * as FileSystem from "effect/FileSystem"
import * as TestClock from "effect/testing/TestClock"
import * as NodeIdentities from "../../src/node/NodeIdentities.ts"
import type * as Tls from "../../src/reactor/Tls.ts"
import * as certificates from "../support/certificates.ts"
import { socketPath } from "../support/endpoints.ts"
import { authority, connect, echoes, live, logged, secured, serve } from "./tlsEcho.ts"

/** A new directory with these files in it; undone with the scope. */
const folder = Effect.fnUntraced(function* (files: Readonly<Record<string, string>> = {}) {
  const directory = path.join(path.dirname(yield* socketPath), "identities")
  fs.mkdirSync(directory)
  const write = (name: string, text: string) => fs.writeFileSync(path.join(directory, name), text)
  for (const [name, text] of Object.entries(files)) write(name, text)
  const remove = (name: string) => fs.rmSync(path.join(directory, name))
  return { directory, write, remove }
})

const both = ({ certificate, privateKey }: certificates.Identity): string => certificate + privateKey

const issue = (...names: ReadonlyArray<string>) => authority.issue({ names })

const chainsOf = (identities: ReadonlyArray<Tls.Identity>) =>
  identities.map(({ certificate }) => String(certificate))

const at = (name: string, test: Effect.Effect<void, unknown, FileSystem.FileSystem | Scope.Scope>) =>
  it.effect(name, () =>
    Effect.gen(function* () {
      // Certificates made during the test have begun.
      yield* TestClock.setTime(Date.now() + 60_000)
      yield* test
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))
  )

describe.skipIf(!certificates.available)("NodeIdentities.directory", () => {
  at(
    "keys go with their certificates and chains with their issuers, wherever they stand",
    Effect.gen(function* () {
      const between = authority.intermediate("Between")
      const below = between.intermediate("Below")
      const leaf = below.issue({ names: ["chained.example"] })
      const alone = issue("alone.example")
      const { directory } = yield* folder({
        "1-keys.pem": `some words\n${leaf.privateKey}and more\n${alone.privateKey.replaceAll("\n", "\r\n")}`,
        "2-alone.pem": alone.certificate,
        "3-leaf.pem": leaf.certificate,
        "4-authorities.pem": authority.certificate + between.certificate,
        "5-below.pem": below.certificate,
        "6.txt": "not looked at",
        ".hidden.pem": "nor this"
      })
      const lines: Array<string> = []
      const source = yield* NodeIdentities.directory(directory).pipe(logged(lines))
      const identities = yield* source.identities
      assert.deepStrictEqual(chainsOf(identities), [
        alone.certificate,
        leaf.certificate + below.certificate + between.certificate
      ])
      const keys = identities.map(({ privateKey }) => Redacted.value(privateKey as Redacted.Redacted<string>))
      assert.deepStrictEqual(keys, [alone.privateKey, leaf.privateKey])
      assert.notInclude(JSON.stringify(identities), "PRIVATE KEY")
      assert.deepStrictEqual(lines, [])
    })
  )

  at(
    "what is broken, over, not begun, or without its key is left out and told once; the rest stays",
    Effect.gen(function* () {
      const good = issue("good.example")
      const over = authority.issue({ names: ["over.example"], days: -1 })
      const later = authority.issue({ names: ["later.example"], inDays: 1 })
      const { directory, write } = yield* folder({
        "a-broken.pem": "-----BEGIN CERTIFICATE-----\nbGVhZg==\n-----END CERTIFICATE-----\n",
        "b-cut.pem": "-----BEGIN PRIVATE KEY-----\nbGVhZg==\n",
        "c-empty.pem": "",
        "d-over.pem": both(over),
        "e-later.pem": both(later),
        "f-keyless.pem": issue("keyless.example").certificate,
        "g-good.pem": `-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n${both(good)}`
      })
      fs.mkdirSync(path.join(directory, "h-directory.pem"))
      const lines: Array<string> = []
      const source = yield* NodeIdentities.directory(directory).pipe(logged(lines))
      assert.deepStrictEqual(chainsOf(yield* source.identities), [good.certificate])
      const told = lines.join("\n")
      for (const name of [
        "a-broken",
        "b-cut",
        "c-empty",
        "d-over",
        "e-later",
        "f-keyless",
        "g-good",
        "h-directory"
      ]) {
        assert.match(told, new RegExp(`^Warn .*${name}\\.pem`, "m"))
      }
      assert.notInclude(told, "bGVhZg")
      assert.strictEqual(lines.length, 8, told)
      yield* TestClock.adjust("11 seconds")
      yield* source.identities.pipe(logged(lines))
      assert.strictEqual(lines.length, 8, "told again")
      write("a-broken.pem", "broken otherwise")
      yield* TestClock.adjust("36 hours")
      const now = chainsOf(yield* source.identities.pipe(logged(lines)))
      assert.deepStrictEqual(now, [later.certificate, good.certificate])
      assert.strictEqual(lines.length, 9)
    })
  )

  at(
    "it is looked at again after rescanInterval, by one of those who ask; an unchanged identity stays the same",
    Effect.gen(function* () {
      const one = issue("one.example")
      const two = issue("two.example")
      const { directory, remove, write } = yield* folder({ "1.pem": both(one) })
      const source = yield* NodeIdentities.directory(directory, { rescanInterval: "1 minute" })
      const [first] = yield* source.identities
      write("2.pem", both(two))
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual((yield* source.identities).length, 1)
      yield* TestClock.adjust("1 seconds")
      const [a, b] = yield* Effect.all([source.identities, source.identities], { concurrency: 2 })
      assert.deepStrictEqual([a.length, b.length], [2, 1])
      assert.strictEqual(a[0], first)
      remove("1.pem")
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(chainsOf(yield* source.identities), [two.certificate])
      assert.strictEqual((yield* source.identities)[0], a[1])
    })
  )

  at(
    "the renewed certificate for the same key comes first",
    Effect.gen(function* () {
      const old = authority.issue({ names: ["a.example"] })
      const renewed = certificates.renewed(authority, old, "a.example")
      const { directory } = yield* folder({ "1.pem": old.certificate + renewed + old.privateKey })
      const source = yield* NodeIdentities.directory(directory)
      yield* TestClock.adjust("25 hours")
      assert.deepStrictEqual(chainsOf(yield* source.identities), [renewed, old.certificate])
    })
  )

  at(
    "nothing usable is an error at first; later what there was stays, and it is told until it is mended",
    Effect.gen(function* () {
      const { directory, remove, write } = yield* folder()
      const load = NodeIdentities.directory(directory)
      assert.match(String(yield* Effect.flip(load)), /no \.pem file/)
      assert.match(
        String(yield* Effect.flip(NodeIdentities.directory(`${directory}/nowhere`))),
        /cannot be read/
      )
      write("1.pem", both(authority.issue({ names: ["over.example"], days: -1 })))
      assert.match(String(yield* Effect.flip(load)), /1\.pem: .*ended on/)
      const good = issue("good.example")
      write("1.pem", both(good))
      const source = yield* load
      remove("1.pem")
      const lines: Array<string> = []
      for (let round = 0; round < 3; round++) {
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(chainsOf(yield* source.identities.pipe(logged(lines))), [good.certificate])
      }
      assert.strictEqual(lines.length, 1, lines.join("\n"))
      const other = issue("other.example")
      write("1.pem", both(other))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(chainsOf(yield* source.identities), [other.certificate])
    })
  )

  at(
    "encrypted keys need the passphrase",
    Effect.gen(function* () {
      const one = issue("one.example")
      const encrypted = crypto
        .createPrivateKey(one.privateKey)
        .export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "secret" })
      const { directory } = yield* folder({ "1.pem": one.certificate + String(encrypted) })
      const lines: Array<string> = []
      for (const passphrase of [undefined, Redacted.make("wrong")]) {
        const error = yield* Effect.flip(NodeIdentities.directory(directory, { passphrase })).pipe(
          logged(lines)
        )
        assert.notInclude(String(error) + lines.join(), "wrong")
      }
      const source = yield* NodeIdentities.directory(directory, { passphrase: Redacted.make("secret") })
      assert.deepStrictEqual(chainsOf(yield* source.identities), [one.certificate])
    })
  )

  live(
    "a server shows the new certificate to new clients, and drops nobody",
    Effect.gen(function* () {
      const first = issue("localhost")
      const { directory, write } = yield* folder({ "1.pem": both(first) })
      const source = yield* NodeIdentities.directory(directory, { rescanInterval: 0 })
      const { port } = yield* serve({ identity: source })
      const standing = yield* connect(port)
      const der = (bytes: Uint8Array | undefined) => Buffer.from(bytes!).toString("base64")
      assert.strictEqual(der((yield* echoes(port)).peerCertificate), certificates.derOf(first.certificate))
      assert.isTrue((yield* echoes(port)).resumed)
      const second = issue("localhost")
      write("1.pem", both(second))
      const security = yield* echoes(port)
      assert.isFalse(security.resumed)
      assert.strictEqual(der(security.peerCertificate), certificates.derOf(second.certificate))
      yield* standing.send("x")
      yield* standing.receive
      assert.strictEqual(der(secured(standing).peerCertificate), certificates.derOf(first.certificate))
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )
})
