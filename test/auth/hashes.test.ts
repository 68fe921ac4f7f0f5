import * as crypto from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as Hex from "effect/encoding/Hex"
import * as Schema from "effect/Schema"
import { equalBytes, equalSecrets } from "../../src/auth/constantTime.ts"
import * as Hash from "../../src/auth/Hash.ts"
import * as OneTimeCodes from "../../src/auth/OneTimeCodes.ts"
import { Pbkdf2 } from "../../src/auth/Pbkdf2.ts"
import { decodeBase64, encodeBase64, formatInitial, parseLine } from "../../src/auth/SaslBase64.ts"
import { bytes } from "./sasl.ts"

const hashes = [
  [Hash.md5, "md5"],
  [Hash.sha1, "sha1"],
  [Hash.sha256, "sha256"]
] as const

describe("hashes", () => {
  for (const [hash, node] of hashes) {
    it(`${hash.name} is OpenSSL's, at every length around its blocks`, () => {
      for (let length = 0; length < 200; length++) {
        const message = crypto.randomBytes(length)
        const key = crypto.randomBytes((length * 7) % 150)
        assert.strictEqual(
          Hex.encode(hash.digest(message)),
          crypto.createHash(node).update(message).digest("hex"),
          `${length} bytes`
        )
        assert.strictEqual(
          Hex.encode(Hash.hmac(hash, key, message)),
          crypto.createHmac(node, key).update(message).digest("hex"),
          `HMAC, ${length} bytes`
        )
      }
    })
  }

  it("a view into more bytes is hashed where it is; an HMAC can be used again", () => {
    const whole = crypto.randomBytes(300)
    const view = whole.subarray(7, 155)
    assert.deepStrictEqual(Hash.sha256.digest(view), Hash.sha256.digest(Uint8Array.from(view)))
    const mac = Hash.hmacOf(Hash.sha1, bytes("key"))
    const first = mac(bytes("one"))
    mac(bytes("two"))
    assert.deepStrictEqual(mac(bytes("one")), first)
  })

  it("RFC 6070: PBKDF2, in slices", () => {
    for (const [rounds, expected] of [
      [1, "0c60c80f961f0e71f3a9b524af6012062fe037a6"],
      [2, "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"],
      [4096, "4b007901b765489abead49d926f721d065a429c1"]
    ] as const) {
      const work = new Pbkdf2("SHA-1", bytes("password"), bytes("salt"), rounds)
      while (!work.advance(100)) continue
      const key = Hex.encode(work.key)
      assert.strictEqual(key, expected)
      assert.strictEqual(key, crypto.pbkdf2Sync("password", "salt", rounds, 20, "sha1").toString("hex"))
    }
  })

  it("equal is equal, and nothing else", () => {
    assert.isTrue(equalBytes(bytes("abc"), bytes("abc")))
    assert.isFalse(equalBytes(bytes("abc"), bytes("abd")))
    assert.isFalse(equalBytes(bytes("abc"), bytes("ab")))
    assert.isTrue(equalSecrets(bytes(""), bytes("")))
    assert.isFalse(equalSecrets(bytes("abc"), bytes("abcd")))
  })
})

describe("RFC 4226 and 6238: one-time codes", () => {
  const secret = bytes("12345678901234567890")

  it("HOTP, appendix D", () => {
    const expected = "755224 287082 359152 969429 338314 254676 287922 162583 399871 520489".split(" ")
    expected.forEach((code, counter) => assert.strictEqual(OneTimeCodes.hotp(secret, counter), code))
  })

  it("TOTP, appendix B", () => {
    for (const [seconds, sha1, sha256] of [
      [59, "94287082", "46119246"],
      [1_111_111_109, "07081804", "68084774"],
      [1_111_111_111, "14050471", "67062674"],
      [1_234_567_890, "89005924", "91819424"],
      [2_000_000_000, "69279037", "90698825"],
      [20_000_000_000, "65353130", "77737706"]
    ] as const) {
      const step = OneTimeCodes.stepOf(seconds * 1000)
      assert.strictEqual(OneTimeCodes.hotp(secret, step, { digits: 8 }), sha1)
      const long = bytes("12345678901234567890123456789012")
      assert.strictEqual(OneTimeCodes.hotp(long, step, { digits: 8, hash: "SHA-256" }), sha256)
    }
  })

  it("RFC 4648: base 32, as people copy it", () => {
    for (const [plain, encoded] of [
      ["", ""],
      ["f", "MY======"],
      ["fo", "MZXQ===="],
      ["foo", "MZXW6==="],
      ["foob", "MZXW6YQ="],
      ["fooba", "MZXW6YTB"],
      ["foobar", "MZXW6YTBOI======"]
    ] as const) {
      assert.deepStrictEqual(OneTimeCodes.fromBase32(encoded), bytes(plain))
    }
    assert.deepStrictEqual(OneTimeCodes.fromBase32("mzxw 6ytb oi"), bytes("foobar"))
    assert.isUndefined(OneTimeCodes.fromBase32("MZXW1"))
  })
})

describe("base64 in lines", () => {
  it.prop("whatever is written is read back", [Schema.Uint8Array], ([value]) => {
    assert.deepStrictEqual(decodeBase64(encodeBase64(value)), value)
    assert.deepStrictEqual(parseLine(formatInitial(value)), value)
  })

  it("what is no base64 is none: other characters, bits left over, wrong padding", () => {
    for (const wrong of [
      "A",
      "AA",
      "AAA",
      "AA=",
      "A===",
      "AB==",
      "AAB=",
      "AA==AA==",
      "AA A",
      "AAA\n",
      "-_-_",
      "é==="
    ]) {
      assert.isUndefined(decodeBase64(wrong), wrong)
      assert.strictEqual(parseLine(wrong), "malformed")
    }
    assert.deepStrictEqual(decodeBase64("AAA="), Uint8Array.of(0, 0))
    assert.strictEqual(parseLine("*"), "cancel")
    assert.deepStrictEqual(parseLine("="), new Uint8Array(0))
    assert.deepStrictEqual(parseLine(""), new Uint8Array(0))
  })
})
