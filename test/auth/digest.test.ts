import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Digest from "../../src/auth/Digest.ts"
import { DigestNonces } from "../../src/auth/DigestNonces.ts"
import * as Wire from "../../src/auth/DigestWire.ts"
import * as MemoryUsers from "../../src/auth/MemoryUsers.ts"
import * as Child from "../support/child.ts"
import { describePeer, twisted } from "../support/peers.ts"
import * as SaslCramMd5 from "../../src/auth/SaslCramMd5.ts"
import { bytes, holds, pure, text } from "./sasl.ts"

const parsed = (text: string, method = "GET", bodyHash?: string) =>
  Result.getOrThrow(Digest.parseAuthorization(text, method, bodyHash))

/** RFC 7616 §3.9.1. */
const example = (algorithm: "MD5" | "SHA-256", response: string) =>
  `username="Mufasa",
   realm="http-auth@example.org",
   uri="/dir/index.html",
   algorithm=${algorithm},
   nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
   nc=00000001,
   cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
   qop=auth,
   response="${response}",
   opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`

const md5 = "8ca523f5e9506fed4657c9700eebdbec"
const sha256 = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"

describe("RFC 7616: digests", () => {
  it("the examples of §3.9.1", () => {
    for (const [algorithm, response] of [
      ["MD5", md5],
      ["SHA-256", sha256]
    ] as const) {
      const authorization = parsed(example(algorithm, response))
      const credentials = Digest.credentials(authorization)
      assert.deepStrictEqual(
        [credentials.username, credentials.realm, credentials.algorithm],
        ["Mufasa", "http-auth@example.org", algorithm]
      )
      assert.isTrue(credentials.proves(bytes("Circle of Life")))
      assert.isFalse(credentials.proves(bytes("Circle of life")))
      const ha1 = Digest.ha1Of(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life")
      assert.isTrue(credentials.provesHa1(ha1.toUpperCase()))
      assert.strictEqual(Digest.responseOf(authorization, ha1), response)
      // Another request is another answer.
      assert.isFalse(Digest.credentials({ ...authorization, uri: "/dir" }).proves(bytes("Circle of Life")))
      assert.isFalse(Digest.credentials({ ...authorization, method: "PUT" }).proves(bytes("Circle of Life")))
    }
  })

  it("RFC 2617 §3.5, and RFC 2069 without qop", () => {
    const ha1 = Digest.ha1Of("MD5", "Mufasa", "testrealm@host.com", "Circle Of Life")
    const answer = {
      algorithm: "MD5",
      nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
      method: "GET",
      uri: "/dir/index.html"
    } as const
    assert.strictEqual(
      Digest.responseOf({ ...answer, qop: "auth", nc: "00000001", cnonce: "0a4f113b" }, ha1),
      "6629fae49393a05397450978507c4ef1"
    )
    assert.strictEqual(Digest.responseOf(answer, ha1), "670fd8c2df070c60b045671b8b24ff02")
  })

  it("names beyond ASCII", () => {
    const text = example("MD5", md5).replace(`username="Mufasa"`, "username*=UTF-8''J%C3%A4s%C3%B8n%20Doe")
    assert.strictEqual(parsed(text).username, "Jäsøn Doe")
  })

  it("what cannot be used is told in a clause", () => {
    const good = example("MD5", md5)
    const cases: ReadonlyArray<readonly [string, string]> = [
      ["", "it has no realm"],
      ["=", "it is no list of parameters"],
      [`${good}, nc=00000001`, "it is no list of parameters"],
      [good.replace("MD5", "SHA-512-256"), "its algorithm is not supported"],
      [good.replace("MD5", "SHA-256"), "its response is none of this algorithm"],
      [good.replace("qop=auth", "qop=none"), "its qop is unknown"],
      [good.replace("qop=auth", "qop=auth-int"), "its qop needs the body"],
      [good.replace("nc=00000001,", ""), "it has no cnonce, or no count"],
      [good.replace("nc=00000001", "nc=1"), "it has no cnonce, or no count"],
      [good.replace(/nonce="7.*/, ""), "it has no nonce"],
      [good.replace("uri=", "url="), "it has no uri"],
      [good.replace("username=", "user="), "it has no name"],
      [`${good}, userhash=true`, "its name is hashed, which was not offered"],
      [`${good}, username*=UTF-8''x`, "it has no name"]
    ]
    for (const [text, expected] of cases) {
      const read = Digest.parseAuthorization(text, "GET")
      assert.strictEqual(Result.isFailure(read) ? read.failure : "", expected, text)
    }
  })

  it.effect("a store of passwords checks them", () =>
    Effect.gen(function* () {
      const checker = yield* MemoryUsers.checker({ Mufasa: "Circle of Life" })
      const right = Digest.credentials(parsed(example("SHA-256", sha256)))
      assert.strictEqual(yield* checker.check(right), "Mufasa")
      const wrong = Digest.credentials(parsed(example("SHA-256", sha256.replace("7", "8"))))
      assert.strictEqual((yield* Effect.flip(checker.check(wrong))).reason._tag, "Unauthorized")
    }).pipe(Effect.provide(pure))
  )
})

describe("parameters", () => {
  const value = Schema.String.check(Schema.isPattern(/^[\t\x20-\x7e]*$/))

  it.prop("quoted values are read back", [value, value], ([a, b]) => {
    const text = Wire.format({ a: { quoted: a }, b: { token: "x" }, c: { quoted: b }, d: undefined })
    assert.deepStrictEqual(
      [...(Wire.parse(text) ?? [])],
      [
        ["a", a],
        ["b", "x"],
        ["c", b]
      ]
    )
  })

  it.prop("nothing throws, and nothing is invented", [Schema.String], ([text]) => {
    Wire.parse(text)
    Digest.parseAuthorization(text, "GET")
  })

  it("no header is split", () => {
    for (const wrong of ["a\r\nb", "a\0b", "☂"]) assert.throws(() => Wire.format({ a: { quoted: wrong } }))
  })

  it("names of prototypes are names; many parameters, or long ones, are refused", () => {
    const read = Wire.parse(`__proto__="a", constructor=b`)
    assert.deepStrictEqual(
      [...read!],
      [
        ["__proto__", "a"],
        ["constructor", "b"]
      ]
    )
    assert.isUndefined(Wire.parse(Array.from({ length: 40 }, (_, i) => `p${i}=1`).join(",")))
    assert.isUndefined(Wire.parse(`a="${"x".repeat(20_000)}"`))
    for (const piece of [" ", ",", `a="\\`, `a="x" `, "a"]) Wire.parse(piece.repeat(16_000 / piece.length))
  })
})

describe("nonces", () => {
  const key = new Uint8Array(32).fill(7)
  const random = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)

  it("good for a while, for whom it was made, and each count once", () => {
    const nonces = new DigestNonces({ key, lifetimeMillis: 1000 })
    const nonce = nonces.issue(5000, random, "10.0.0.1")
    assert.match(nonce, /^[A-Za-z0-9+/.=]+$/)
    const use = (nc: string | undefined, now = 5500, peer = "10.0.0.1") => nonces.use(nonce, nc, now, peer)
    assert.deepStrictEqual(
      [use("00000001"), use("00000001"), use("00000003"), use("00000002"), use("00000002"), use("00000003")],
      ["good", "stale", "good", "good", "stale", "stale"]
    )
    assert.strictEqual(use("00000000"), "invalid")
    assert.strictEqual(use("00000100"), "good")
    assert.strictEqual(use("000000e0"), "good")
    assert.strictEqual(use("000000e0"), "stale")
    assert.strictEqual(use("000000df"), "stale")
    assert.strictEqual(use("00000101", 5500, "10.0.0.2"), "invalid")
    assert.strictEqual(use("00000101", 6001), "stale")
    assert.strictEqual(use("00000101", 4999), "stale")
    assert.strictEqual(nonces.use(nonce.replace(/^./, "z"), "00000001", 5500, "10.0.0.1"), "invalid")
    assert.strictEqual(nonces.use("x", "00000001", 5500), "invalid")
    assert.strictEqual(
      new DigestNonces({ key: key.map((b) => b + 1) }).use(nonce, "1", 5500, "10.0.0.1"),
      "invalid"
    )
    // Without a count, once.
    const old = nonces.issue(5001, random)
    assert.deepStrictEqual(
      [nonces.use(old, undefined, 5500), nonces.use(old, undefined, 5500)],
      ["good", "stale"]
    )
  })

  it("what was forgotten is stale, and never good again", () => {
    const nonces = new DigestNonces({ key, noncesMax: 2 })
    const all = [1, 2, 3].map((now) => nonces.issue(now, random))
    for (const nonce of all) assert.strictEqual(nonces.use(nonce, "00000001", 10), "good")
    assert.strictEqual(nonces.use(all[0]!, "00000001", 10), "stale")
    assert.strictEqual(nonces.use(all[0]!, "00000002", 10), "stale")
    assert.strictEqual(nonces.use(all[2]!, "00000002", 10), "good")
    assert.throws(() => new DigestNonces({ key: new Uint8Array(8) }))
  })

  it.prop(
    "every order of counts near each other is good once",
    [Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 30 })))],
    ([counts]) => {
      const nonces = new DigestNonces({ key })
      const nonce = nonces.issue(0, random)
      const seen = new Set<number>()
      for (const count of counts) {
        const verdict = nonces.use(nonce, count.toString(16).padStart(8, "0"), 1)
        assert.strictEqual(verdict, seen.has(count) ? "stale" : "good")
        seen.add(count)
      }
    }
  )
})

describePeer(twisted(), (python) => {
  it.live("Twisted computes the same: HA1 and responses, MD5 and MD5-sess, CRAM-MD5", () =>
    Effect.gen(function* () {
      const script = `
from twisted.cred._digest import calcHA1, calcHA2, calcResponse
from twisted.cred.credentials import CramMD5Credentials
import sys
for algo in [b"md5", b"md5-sess"]:
    ha1 = calcHA1(algo, b"u", b"r", b"p", b"nonce", b"cnonce")
    for qop in [b"auth", None]:
        print(calcResponse(ha1, calcHA2(algo, b"GET", b"/x", qop, None), algo, b"nonce", b"00000001" if qop else None, b"cnonce" if qop else None, qop).decode())
c = CramMD5Credentials()
c.challenge = b"<1@x>"
c.setResponse(sys.argv[1].encode())
print(c.username.decode(), c.checkPassword(b"pw"), c.checkPassword(b"pW"))
`
      const cram = text(
        holds(holds(SaslCramMd5.client("tim", "pw").start, "Awaiting").challenge(bytes("<1@x>")), "Awaiting")
          .response
      )
      const { code, stderr, stdout } = yield* Child.run(python, ["-c", script, cram!])
      assert.strictEqual(code, 0, stderr)
      const ours = (["MD5", "MD5-sess"] as const).flatMap((algorithm) =>
        (["auth", undefined] as const).map((qop) =>
          Digest.responseOf(
            { algorithm, nonce: "nonce", method: "GET", uri: "/x", qop, cnonce: "cnonce", nc: "00000001" },
            Digest.ha1Of(algorithm, "u", "r", "p")
          )
        )
      )
      assert.deepStrictEqual(stdout.trim().split("\n"), [...ours, "tim True False"])
    })
  )
})
