/** The machines of SASL, step by step, with the RFCs' own examples. */
import { assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Credentials from "../../src/auth/Credentials.ts"
import { Pbkdf2 } from "../../src/auth/Pbkdf2.ts"
import * as SaslAnonymous from "../../src/auth/SaslAnonymous.ts"
import * as SaslBearer from "../../src/auth/SaslBearer.ts"
import * as SaslCramMd5 from "../../src/auth/SaslCramMd5.ts"
import * as SaslExternal from "../../src/auth/SaslExternal.ts"
import * as SaslLogin from "../../src/auth/SaslLogin.ts"
import type { ChannelBinding, ServerState } from "../../src/auth/SaslMechanism.ts"
import * as SaslPlain from "../../src/auth/SaslPlain.ts"
import * as SaslScram from "../../src/auth/SaslScram.ts"
import * as Wire from "../../src/auth/SaslScramWire.ts"
import * as ScramKeys from "../../src/auth/ScramKeys.ts"
import { decodeBase64 } from "../../src/auth/SaslBase64.ts"
import { bytes, derived, holds, reasonOf, text } from "./sasl.ts"

const asked = <C extends Credentials.Known>(state: ServerState): C =>
  holds(state, "AskLogin").credentials as C

describe("RFC 4616: PLAIN", () => {
  it("the examples of §4", () => {
    const tim = asked<Credentials.UsernamePassword>(SaslPlain.server.start(bytes("\0tim\0tanstaaftanstaaf")))
    assert.deepStrictEqual(
      [tim.username, Redacted.value(tim.password), tim.authorizationId],
      ["tim", "tanstaaftanstaaf", undefined]
    )
    const kurt = asked<Credentials.UsernamePassword>(SaslPlain.server.start(bytes("Ursel\0Kurt\0xipj3plmq")))
    assert.deepStrictEqual([kurt.username, kurt.authorizationId], ["Kurt", "Ursel"])
    assert.notInclude(JSON.stringify(kurt), "xipj3plmq")
  })

  it("asks where nothing was sent, and understands its own client", () => {
    const first = holds(SaslPlain.server.start(undefined), "Challenge")
    assert.strictEqual(first.challenge.length, 0)
    const { response, success } = holds(SaslPlain.client("tim", "secret", "ops").start, "Awaiting")
    const credentials = asked<Credentials.UsernamePassword>(first.response(response!))
    assert.deepStrictEqual(
      [credentials.username, Redacted.value(credentials.password), credentials.authorizationId],
      ["tim", "secret", "ops"]
    )
    holds(success(undefined), "Completed")
  })

  it("what is none is refused", () => {
    for (const wrong of ["", "tim", "\0tim", "\0tim\0", "\0\0secret", "a\0b\0c\0d", "tim\0secret"]) {
      holds(SaslPlain.server.start(bytes(wrong)), "Failed")
    }
    holds(SaslPlain.server.start(Uint8Array.of(0, 0xff, 0, 0x61)), "Failed")
    const { challenge } = holds(SaslPlain.client("a", "b").start, "Awaiting")
    holds(challenge(bytes("more?")), "Failed")
  })
})

describe("LOGIN", () => {
  it("asks twice; a name that comes at once is taken", () => {
    const name = holds(SaslLogin.server.start(undefined), "Challenge")
    assert.strictEqual(text(name.challenge), "Username:")
    const secret = holds(name.response(bytes("tim")), "Challenge")
    assert.strictEqual(text(secret.challenge), "Password:")
    const credentials = asked<Credentials.UsernamePassword>(secret.response(bytes("pw")))
    assert.deepStrictEqual([credentials.username, Redacted.value(credentials.password)], ["tim", "pw"])
    assert.strictEqual(text(holds(SaslLogin.server.start(bytes("tim")), "Challenge").challenge), "Password:")
    holds(name.response(bytes("")), "Failed")
    holds(secret.response(bytes("")), "Failed")
  })

  it("a client answers whatever is asked, twice", () => {
    const start = holds(SaslLogin.client("tim", "pw").start, "Awaiting")
    assert.isUndefined(start.response)
    const name = holds(start.challenge(bytes("User Name\0")), "Awaiting")
    const secret = holds(name.challenge(bytes("?")), "Awaiting")
    assert.deepStrictEqual([text(name.response), text(secret.response)], ["tim", "pw"])
    holds(secret.success(undefined), "Completed")
    holds(secret.challenge(bytes("?")), "Failed")
  })
})

describe("RFC 2195: CRAM-MD5", () => {
  const challenge = "<1896.697170952@postoffice.reston.mci.net>"
  const right = "tim b913a602c7eda7a495b4e6e7334d3890"

  it("the example of §2, on both sides", () => {
    const start = holds(SaslCramMd5.client("tim", "tanstaaftanstaaf").start, "Awaiting")
    assert.strictEqual(text(holds(start.challenge(bytes(challenge)), "Awaiting").response), right)
    const server = holds(SaslCramMd5.server(challenge).start(undefined), "Challenge")
    assert.strictEqual(text(server.challenge), challenge)
    const proof = asked<Credentials.PasswordProof>(server.response(bytes(right)))
    assert.deepStrictEqual([proof.username, proof.mechanism], ["tim", "CRAM-MD5"])
    assert.isTrue(proof.proves(bytes("tanstaaftanstaaf")))
    assert.isFalse(proof.proves(bytes("tanstaaftanstaag")))
  })

  it("names with spaces; what is no response", () => {
    const server = holds(SaslCramMd5.server("x").start(undefined), "Challenge")
    const proof = asked<Credentials.PasswordProof>(server.response(bytes(`tim the great ${"0".repeat(32)}`)))
    assert.strictEqual(proof.username, "tim the great")
    for (const wrong of ["", "tim", " ".concat("0".repeat(32)), "tim 00", `tim ${"g".repeat(32)}`]) {
      holds(server.response(bytes(wrong)), "Failed")
    }
    holds(SaslCramMd5.server("x").start(bytes(right)), "Failed")
  })
})

// --- SCRAM ----------------------------------------------------------------------------------------------

const keysOf = (hash: ScramKeys.ScramHash, password: string, salt: Uint8Array, iterations: number) => {
  const work = new Pbkdf2(hash, bytes(password), salt, iterations)
  while (!work.advance(10_000)) continue
  return ScramKeys.fromSalted(hash, work.key, salt, iterations)
}

interface Example {
  readonly name: string
  readonly hash: ScramKeys.ScramHash
  readonly clientNonce: string
  readonly serverNonce: string
  readonly salt: string
  readonly proof: string
  readonly verifier: string
}

const examples: ReadonlyArray<Example> = [
  {
    name: "RFC 5802 §5: SCRAM-SHA-1",
    hash: "SHA-1",
    clientNonce: "fyko+d2lbbFgONRv9qkxdawL",
    serverNonce: "3rfcNHYJY1ZVvWVs7j",
    salt: "QSXCR+Q6sek8bf92",
    proof: "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    verifier: "rmF9pqV8S7suAoZWja4dJRkFsKQ="
  },
  {
    name: "RFC 7677 §3: SCRAM-SHA-256",
    hash: "SHA-256",
    clientNonce: "rOprNGfwEbeRWgbNEkqO",
    serverNonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
    salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
    proof: "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    verifier: "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
  }
]

for (const { clientNonce, hash, name, proof, salt, serverNonce, verifier } of examples) {
  describe(name, () => {
    const keys = keysOf(hash, "pencil", decodeBase64(salt)!, 4096)
    const nonce = clientNonce + serverNonce
    const clientFirst = `n,,n=user,r=${clientNonce}`
    const serverFirst = `r=${nonce},s=${salt},i=4096`
    const clientFinal = `c=biws,r=${nonce},p=${proof}`

    const client = () =>
      SaslScram.client({ hash, username: "user", password: bytes("pencil"), nonce: clientNonce }).start
    const proven = () => holds(derived(holds(client(), "Awaiting").challenge(bytes(serverFirst))), "Awaiting")
    const server = SaslScram.server({ hash, nonce: serverNonce })
    const challenged = () => {
      const ask = holds(server.start(bytes(clientFirst)), "AskScramKeys")
      assert.deepStrictEqual([ask.username, ask.hash], ["user", hash])
      return holds(ask.answer(keys), "Challenge")
    }

    it("the client", () => {
      assert.strictEqual(text(holds(client(), "Awaiting").response), clientFirst)
      const final = proven()
      assert.strictEqual(text(final.response), clientFinal)
      holds(final.success(bytes(`v=${verifier}`)), "Completed")
      // Where success carries nothing, the last word is a challenge.
      const last = holds(final.challenge(bytes(`v=${verifier}`)), "Awaiting")
      assert.deepStrictEqual(last.response, new Uint8Array(0))
      holds(last.success(undefined), "Completed")
    })

    it("the client believes no server that does not prove itself", () => {
      const first = holds(client(), "Awaiting")
      holds(first.success(undefined), "Failed")
      const final = proven()
      holds(final.success(undefined), "Failed")
      const other = `v=${verifier.startsWith("A") ? "B" : "A"}${verifier.slice(1)}`
      assert.strictEqual(reasonOf(final.success(bytes(other))), "the server does not know the password")
      holds(final.challenge(bytes(other)), "Failed")
      holds(final.challenge(bytes("")), "Failed")
      assert.strictEqual(
        reasonOf(final.challenge(bytes("e=invalid-proof"))),
        "not authenticated: invalid-proof"
      )
    })

    it("the client refuses nonces of others, and too few or too many rounds", () => {
      const first = holds(client(), "Awaiting")
      for (const wrong of [
        `r=${clientNonce},s=${salt},i=4096`,
        `r=x${nonce},s=${salt},i=4096`,
        `r=${nonce},s=${salt},i=4095`,
        `r=${nonce},s=${salt},i=1000001`,
        `r=${nonce},s=${salt},i=0`,
        `r=${nonce},s=${salt},i=+4096`,
        `r=${nonce},s=,i=4096`,
        `m=x,r=${nonce},s=${salt},i=4096`,
        `r=${nonce},i=4096,s=${salt}`,
        ""
      ]) {
        holds(first.challenge(bytes(wrong)), "Failed")
      }
      // An extension at the end is let be.
      holds(first.challenge(bytes(`${serverFirst},x=y`)), "Derive")
    })

    it("the server", () => {
      const challenge = challenged()
      assert.strictEqual(text(challenge.challenge), serverFirst)
      const ask = holds(challenge.response(bytes(clientFinal)), "AskLogin")
      const credentials = ask.credentials as Credentials.ScramProof
      assert.strictEqual(credentials.username, "user")
      assert.isTrue(credentials.proves(keys))
      assert.isFalse(credentials.proves(keysOf(hash, "pencils", decodeBase64(salt)!, 4096)))
      assert.strictEqual(text(holds(ask.granted, "Succeeded").data), `v=${verifier}`)
    })

    it("the server refuses another nonce, another channel, another message", () => {
      const challenge = challenged()
      for (const wrong of [
        clientFinal.replace(serverNonce, "x"),
        clientFinal.replace("biws", "eSws"),
        clientFinal.replace(",p=", ",q="),
        clientFinal.replace(/p=..../, "p="),
        ""
      ]) {
        holds(challenge.response(bytes(wrong)), "Failed")
      }
      for (const wrong of [
        "",
        "n,,n=user",
        "x,,n=user,r=a",
        "n,,n=,r=a",
        "n,,n=us=er,r=a",
        "n,,m=1,n=user,r=a",
        "p=tls-exporter,,n=user,r=a",
        "n,,n=user,r=a b"
      ]) {
        holds(server.start(bytes(wrong)), "Failed")
      }
    })
  })
}

describe("RFC 5802 §6: channel binding", () => {
  const binding: ChannelBinding = { type: "tls-exporter", data: Uint8Array.of(1, 2, 3, 0xff) }
  const salt = bytes("0123456789abcdef")
  const keys = keysOf("SHA-256", "pencil", salt, 4096)
  const firstOf = (options: Partial<SaslScram.ClientOptions>) =>
    holds(
      SaslScram.client({
        hash: "SHA-256",
        username: "user",
        password: bytes("pencil"),
        nonce: "abc",
        ...options
      }).start,
      "Awaiting"
    )

  const meet = (
    client: Partial<SaslScram.ClientOptions>,
    server: Partial<SaslScram.ServerOptions>
  ): ServerState => {
    const first = firstOf(client)
    const start = SaslScram.server({ hash: "SHA-256", nonce: "def", ...server }).start(first.response)
    if (start._tag !== "AskScramKeys") return start
    const challenge = holds(start.answer(keys), "Challenge")
    const final = holds(derived(first.challenge(challenge.challenge)), "Awaiting")
    return challenge.response(final.response!)
  }

  it("both ends of one channel meet", () => {
    const state = meet({ binding, plus: true }, { binding, plus: true })
    assert.isTrue(asked<Credentials.ScramProof>(state).proves(keys))
  })

  it("somebody between has two channels", () => {
    const other = { ...binding, data: Uint8Array.of(1, 2, 3, 0xfe) }
    assert.strictEqual(
      reasonOf(meet({ binding, plus: true }, { binding: other, plus: true })),
      "the channel is another one"
    )
    const unique = { ...binding, type: "tls-unique" as const }
    holds(meet({ binding, plus: true }, { binding: unique, plus: true }), "Failed")
  })

  it("somebody between took the offer away", () => {
    assert.strictEqual(
      reasonOf(meet({ binding }, { binding })),
      "the offer of channel binding did not arrive"
    )
    // Where none was made, all is well.
    assert.isTrue(asked<Credentials.ScramProof>(meet({ binding }, { plusOffered: false })).proves(keys))
    assert.isTrue(asked<Credentials.ScramProof>(meet({}, { binding })).proves(keys))
  })

  it("the name of the mechanism and what is said go together", () => {
    holds(meet({}, { binding, plus: true }), "Failed")
    holds(meet({ binding, plus: true }, { binding, plus: false }), "Failed")
    assert.throws(() =>
      SaslScram.client({ hash: "SHA-1", username: "a", password: bytes("b"), nonce: "c", plus: true })
    )
  })
})

describe("the messages of SCRAM", () => {
  it.prop("names with anything in them", [Schema.String], ([name]) => {
    const encoded = Wire.encodeName(name)
    assert.strictEqual(Wire.decodeName(encoded), name === "" || name.includes("\0") ? undefined : name)
    if (name === "" || /[\0]/.test(name) || !name.isWellFormed()) return
    const parsed = Wire.parseClientFirst(`y,a=${encoded},n=${encoded},r=x`)
    assert.deepStrictEqual(
      [parsed?.username, parsed?.authorizationId, parsed?.header],
      [name, name, `y,a=${encoded},`]
    )
  })

  // What is expected is that these return.
  // oxlint-disable-next-line vitest/expect-expect
  it.prop("nothing throws, whatever comes", [Schema.String], ([message]) => {
    Wire.parseClientFirst(message)
    Wire.parseServerFirst(message)
    Wire.parseClientFinal(message)
    Wire.parseServerFinal(message)
    SaslScram.server({ hash: "SHA-256", nonce: "x" }).start(bytes(message))
    SaslBearer.serverOauthBearer.start(bytes(message))
    SaslPlain.server.start(bytes(message))
  })

  // oxlint-disable-next-line vitest/expect-expect
  it("a long message costs no more than its length", () => {
    for (const piece of ["n,,n=a,r=b", ",a=b", "=2C", "=", ",", "\x01a=b"]) {
      const long = piece.repeat(200_000)
      Wire.parseClientFirst(long)
      Wire.parseClientFirst(`n,,n=a,r=b${long}`)
      Wire.parseClientFinal(`c=biws,r=b${long}`)
      Wire.parseServerFirst(`r=b,s=biws,i=1${long}`)
      SaslBearer.serverXoauth2.start(bytes(`${long}\x01\x01`))
    }
  })
})

describe("EXTERNAL, ANONYMOUS", () => {
  it("RFC 4422 appendix A: the connection has said who it is", () => {
    const same = asked<Credentials.External>(SaslExternal.server("CN=tim").start(bytes("")))
    assert.deepStrictEqual([same.identity, same.authorizationId], ["CN=tim", undefined])
    const { response } = holds(SaslExternal.client("fred").start, "Awaiting")
    const other = asked<Credentials.External>(SaslExternal.server("CN=tim").start(response))
    assert.strictEqual(other.authorizationId, "fred")
    holds(SaslExternal.server("CN=tim").start(bytes("a\0b")), "Failed")
  })

  it("RFC 4505: a trace of at most 255 characters", () => {
    const { response } = holds(SaslAnonymous.client("sirhc").start, "Awaiting")
    assert.strictEqual(asked<Credentials.Anonymous>(SaslAnonymous.server.start(response)).trace, "sirhc")
    assert.isUndefined(asked<Credentials.Anonymous>(SaslAnonymous.server.start(bytes(""))).trace)
    holds(SaslAnonymous.server.start(bytes("é".repeat(255))), "AskLogin")
    holds(SaslAnonymous.server.start(bytes("é".repeat(256))), "Failed")
    holds(SaslAnonymous.server.start(bytes("a\r\nb")), "Failed")
  })
})

describe("OAUTHBEARER, XOAUTH2", () => {
  const token = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="

  it("RFC 7628 §4.1: the example", () => {
    const response = `n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer ${token}\x01\x01`
    const credentials = asked<Credentials.Bearer>(SaslBearer.serverOauthBearer.start(bytes(response)))
    assert.deepStrictEqual(
      [credentials.username, Redacted.value(credentials.token)],
      ["user@example.com", token]
    )
  })

  it("RFC 7628 §4.3: what is refused is told, and then refused", () => {
    const first = holds(SaslBearer.clientOauthBearer("bad", "u,=").start, "Awaiting")
    const ask = holds(SaslBearer.serverOauthBearer.start(first.response), "AskLogin")
    assert.strictEqual((ask.credentials as Credentials.Bearer).username, "u,=")
    const told = holds(ask.refused, "Challenge")
    assert.strictEqual(text(told.challenge), `{"status":"invalid_token"}`)
    const answer = holds(first.challenge(told.challenge), "Awaiting")
    assert.deepStrictEqual(answer.response, Uint8Array.of(1))
    holds(told.response(answer.response!), "Failed")
    // A server that says yes after that is not believed.
    holds(answer.success(undefined), "Failed")
  })

  it("what is none is refused", () => {
    for (const wrong of [
      "",
      "n,,\x01auth=Bearer a",
      "n,,\x01\x01",
      "n,,\x01auth=Basic abc\x01\x01",
      "n,,\x01auth=Bearer \x01\x01",
      "n,,\x01auth=Bearer a b\x01\x01",
      "p=tls-unique,,\x01auth=Bearer a\x01\x01",
      "n,a=x=y,\x01auth=Bearer a\x01\x01"
    ]) {
      holds(SaslBearer.serverOauthBearer.start(bytes(wrong)), "Failed")
    }
  })

  it("XOAUTH2, as Google describes it", () => {
    const { response } = holds(SaslBearer.clientXoauth2("ya29.vF9", "someuser@example.com").start, "Awaiting")
    assert.strictEqual(text(response), "user=someuser@example.com\x01auth=Bearer ya29.vF9\x01\x01")
    const credentials = asked<Credentials.Bearer>(SaslBearer.serverXoauth2.start(response))
    assert.deepStrictEqual(
      [credentials.username, Redacted.value(credentials.token)],
      ["someuser@example.com", "ya29.vF9"]
    )
  })
})
