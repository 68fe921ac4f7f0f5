import * as crypto from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Certificates from "../../src/testing/Certificates.ts"

const parse = ({ certificate }: Certificates.Identity) => new crypto.X509Certificate(certificate)
const days = (date: string) => (Date.parse(date) - Date.now()) / 86_400_000

describe("Certificates", () => {
  it.effect("an authority issues for names and addresses, good now, also where time is virtual", () =>
    Effect.gen(function* () {
      const authority = yield* Certificates.authority()
      const leaf = yield* authority.issue({ names: ["localhost", "*.example.org", "127.0.0.1", "::1"] })
      const [ca, certificate] = [parse(authority), parse(leaf)]
      assert.isTrue(certificate.checkIssued(ca))
      assert.isTrue(certificate.verify(ca.publicKey))
      assert.isTrue(certificate.checkPrivateKey(crypto.createPrivateKey(leaf.privateKey)))
      for (const host of ["localhost", "a.example.org"]) assert.isDefined(certificate.checkHost(host))
      for (const ip of ["127.0.0.1", "::1"]) assert.isDefined(certificate.checkIP(ip))
      assert.isUndefined(certificate.checkHost("example.com"))
      assert.deepStrictEqual([ca.ca, certificate.ca], [true, false])
      assert.isAtMost(days(certificate.validFrom), 0)
      assert.approximately(days(certificate.validTo), 2, 0.1)
    })
  )

  it.effect("an intermediate, one of another authority of that name, and what nobody vouches for", () =>
    Effect.gen(function* () {
      const [authority, other] = [yield* Certificates.authority("us"), yield* Certificates.authority("us")]
      const between = yield* authority.intermediate("between")
      const leaf = yield* between.issue({ names: ["localhost"] })
      assert.isTrue(parse(leaf).checkIssued(parse(between)))
      assert.isTrue(parse(between).verify(parse(authority).publicKey))
      assert.isFalse(parse(between).verify(parse(other).publicKey))
      const alone = yield* Certificates.selfSigned({ names: ["localhost"] })
      assert.isTrue(parse(alone).verify(parse(alone).publicKey))
      assert.isFalse(parse(alone).ca)
    })
  )

  it.effect("what is over, what has not begun, and what is for one side only", () =>
    Effect.gen(function* () {
      const { issue } = yield* Certificates.authority()
      const over = parse(yield* issue({ names: ["a"], days: -1 }))
      assert.isBelow(days(over.validTo), 0)
      assert.isBelow(Date.parse(over.validFrom), Date.parse(over.validTo))
      assert.isAbove(days(parse(yield* issue({ names: ["a"], inDays: 1 })).validFrom), 0.9)
      const client = parse(yield* issue({ names: ["a client"], usage: "client", commonName: "c" }))
      assert.deepStrictEqual([client.keyUsage, client.subject], [["1.3.6.1.5.5.7.3.2"], "CN=c"])
    })
  )

  it("says what to install where the library is not there", () => {
    const error = new Certificates.CertificatesUnavailable({ cause: new Error("not found") })
    assert.match(error.message, /npm install --save-dev @peculiar\/x509 reflect-metadata/)
  })
})
