/** Basic, digest and bearer in front of routes. RFC 7617, 7616, 6750. */
import { execFile } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import { SecureRandom } from "effect/crypto"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Checker from "../../src/auth/Checker.ts"
import * as Digest from "../../src/auth/Digest.ts"
import * as DigestWire from "../../src/auth/DigestWire.ts"
import * as KeyDerivation from "../../src/auth/KeyDerivation.ts"
import * as LoginError from "../../src/auth/LoginError.ts"
import * as LoginLimit from "../../src/auth/LoginLimit.ts"
import * as MemoryUsers from "../../src/auth/MemoryUsers.ts"
import * as Portal from "../../src/auth/Portal.ts"
import * as Realm from "../../src/auth/Realm.ts"
import * as AccessLog from "../../src/http/AccessLog.ts"
import * as Guard from "../../src/http/Guard.ts"
import { functions } from "../../src/node/NodeKeyDerivation.ts"
import { curl, describePeer } from "../support/peers.ts"
import { asking } from "./staticKit.ts"
import type { Kind } from "./httpKit.ts"

class User extends Context.Service<User, { readonly name: string }>()("test/User") {}

const live = Layer.mergeAll(KeyDerivation.layer(functions), SecureRandom.layerWebCrypto)

const guarded = Effect.fnUntraced(function* (
  schemes: ReadonlyArray<Guard.Scheme>,
  kind?: Kind,
  algorithms?: ReadonlyArray<Digest.Algorithm>
) {
  const events: Array<string> = []
  const users = yield* MemoryUsers.checker({ alïce: "s€cret:with colon", bob: "builder", eve: "denied" })
  const limit = yield* LoginLimit.make()
  const portal = Portal.make({
    realms: [
      Realm.make(User, (id) =>
        id === "eve"
          ? Effect.fail(LoginError.denied("not for eve"))
          : Effect.acquireRelease(
              Effect.sync(() => ({ name: String(id) })),
              ({ name }) => Effect.sync(() => void events.push(`${name} out`))
            )
      )
    ],
    checkers: [limit.over(users), Checker.token(Redacted.make("t0ken"), "robot")]
  })
  const guard = yield* Guard.make({ portal, interface: User, realm: 'the "files"', schemes, algorithms })
  const log = AccessLog.layer({
    format: ({ status, user }) => `${user ?? "-"} ${status}`,
    write: (line) => Effect.sync(() => void events.push(line))
  })
  const route = HttpRouter.add(
    "*",
    "/*",
    guard(Effect.map(User, ({ name }) => HttpServerResponse.text(`hello, ${name}`)))
  )
  return { events, ...(yield* asking(Layer.mergeAll(log, route), kind)) }
})

const basic = (text: string) => ({
  authorization: `Basic ${Buffer.from(text, "utf8").toString("base64")}`
})

/** The answer of a client to the first challenge with this algorithm. */
const digest = (
  challenge: string,
  password: string,
  given: { nc?: string; uri?: string; algorithm?: "SHA-256" | "MD5"; method?: string } = {}
) => {
  const { algorithm = "SHA-256", method = "GET", nc = "00000001", uri = "/a?b=c" } = given
  const text = challenge.split(/(?:^|, )Digest /).find((one) => one.includes(`algorithm=${algorithm},`))!
  const parameters = DigestWire.parse(text.replace(/, Basic.*$/, ""))!
  const nonce = parameters.get("nonce")!
  const realm = parameters.get("realm")!.replace(/\\(.)/g, "$1")
  const ha1 = Digest.ha1Of(algorithm, "bob", realm, password)
  const response = Digest.responseOf({ algorithm, nonce, method, uri, qop: "auth", cnonce: "c", nc }, ha1)
  return {
    authorization: `Digest ${DigestWire.format({
      username: { quoted: "bob" },
      realm: { quoted: realm },
      nonce: { quoted: nonce },
      uri: { quoted: uri },
      response: { quoted: response },
      algorithm: { token: algorithm },
      qop: { token: "auth" },
      cnonce: { quoted: "c" },
      nc: { token: nc }
    })}`
  }
}

describe("Guard", () => {
  it.live("basic: a name and a password; the avatar lasts as long as the request", () =>
    Effect.gen(function* () {
      const { events, get } = yield* guarded(["basic"])
      const asked = yield* get("/")
      assert.deepStrictEqual(
        [asked.status, asked.headers["www-authenticate"], asked.headers["cache-control"]],
        [401, 'Basic realm="the \\"files\\"", charset="UTF-8"', "no-store"]
      )
      const answer = yield* get("/", basic("alïce:s€cret:with colon"))
      assert.deepStrictEqual([answer.status, answer.body], [200, "hello, al\u00c3\u00afce"])
      for (const [headers, status] of [
        [basic("alïce:wrong"), 401],
        [basic("nobody:x"), 401],
        [basic("eve:denied"), 403],
        [basic("no colon"), 400],
        [{ authorization: "Basic !!!" }, 400],
        [{ authorization: "Basic" }, 401],
        [{ authorization: "Bearer t0ken" }, 401],
        [{ authorization: "Negotiate abc" }, 401]
      ] as const) {
        assert.deepStrictEqual([headers, (yield* get("/", headers)).status], [headers, status])
      }
      assert.deepStrictEqual(events.slice(0, 3), ["- 401", "alïce out", "alïce 200"])
    }).pipe(Effect.provide(live))
  )

  it.live("bearer: a token", () =>
    Effect.gen(function* () {
      const { get } = yield* guarded(["bearer"])
      assert.strictEqual((yield* get("/", { authorization: "Bearer t0ken" })).body, "hello, robot")
      assert.strictEqual((yield* get("/", { authorization: "bearer other" })).status, 401)
      assert.strictEqual((yield* get("/", { authorization: "Bearer a b" })).status, 400)
    }).pipe(Effect.provide(live))
  )

  it.live("digest: each count once, this request only, and stale is told", () =>
    Effect.gen(function* () {
      const { get } = yield* guarded(["digest"])
      const challenge = (yield* get("/")).headers["www-authenticate"]!
      assert.match(
        challenge,
        /^Digest realm="the \\"files\\"", qop="auth", algorithm=SHA-256, nonce=".+", charset=UTF-8, Digest .*algorithm=MD5/
      )
      const good = digest(challenge, "builder")
      assert.strictEqual((yield* get("/a?b=c", good)).body, "hello, bob")
      const replayed = yield* get("/a?b=c", good)
      assert.strictEqual(replayed.status, 401)
      assert.include(replayed.headers["www-authenticate"]!, "stale=true")
      const next = (nc: string) => digest(challenge, "builder", { nc })
      assert.strictEqual((yield* get("/a?b=c", next("00000002"))).status, 200)
      // Signed for another path, or by another method.
      assert.strictEqual((yield* get("/other", next("00000003"))).status, 400)
      assert.strictEqual(
        (yield* get("/a?b=c", digest(challenge, "builder", { nc: "00000004", method: "POST" }))).status,
        401
      )
      // The whole body would have to be here before anybody knows whose it is.
      const integrity = digest(challenge, "builder", { nc: "00000009" })
      const { authorization } = integrity
      assert.strictEqual(
        (yield* get("/a?b=c", { authorization: authorization.replace("qop=auth", "qop=auth-int") })).status,
        400
      )
      const md5 = digest(challenge, "builder", { algorithm: "MD5", nc: "00000005" })
      assert.strictEqual((yield* get("/a?b=c", md5)).status, 200)
      const wrong = yield* get("/a?b=c", digest(challenge, "wrong", { nc: "00000006" }))
      assert.strictEqual(wrong.status, 401)
      assert.notInclude(wrong.headers["www-authenticate"]!, "stale")
      const forged = challenge.replaceAll(/nonce="(.)/g, 'nonce="z$1')
      assert.strictEqual((yield* get("/a?b=c", digest(forged, "builder"))).status, 401)
    }).pipe(Effect.provide(live))
  )

  it.live("who guesses is told to wait", () =>
    Effect.gen(function* () {
      const { get } = yield* guarded(["basic"])
      let last = yield* get("/", basic("bob:0"))
      for (let i = 1; i < 8 && last.status === 401; i++) last = yield* get("/", basic(`bob:${i}`))
      assert.strictEqual(last.status, 429)
      assert.match(last.headers["retry-after"]!, /^[1-9]\d*$/)
    }).pipe(Effect.provide(live))
  )

  it.live("what is ours to mend is 500, and tells nothing", () =>
    Effect.gen(function* () {
      const portal = Portal.make({
        realms: [Realm.make(User, (id) => Effect.succeed({ name: String(id) }))],
        checkers: [
          {
            ...(yield* MemoryUsers.checker({})),
            check: () => Effect.fail(LoginError.checkerFailed("the secret table is away"))
          }
        ]
      })
      const guard = yield* Guard.make({ portal, interface: User, realm: "a", schemes: ["basic"] })
      const { get } = yield* asking(
        HttpRouter.add("GET", "/", guard(Effect.succeed(HttpServerResponse.text("in"))))
      )
      const { body, status } = yield* get("/", basic("a:b"))
      assert.strictEqual(status, 500)
      assert.notInclude(body, "secret")
    }).pipe(Effect.provide(live))
  )
})

describePeer(curl, (path) => {
  const run = (...args: ReadonlyArray<string>) =>
    Effect.callback<string>((resume) => {
      execFile(path, ["-sS", "--max-time", "20", "-w", " %{http_code}", ...args], (_, out) =>
        resume(Effect.succeed(out.replace(/<[^]*>\s*/, "")))
      )
    })
  for (const [scheme, algorithm, flag] of [
    ["basic", undefined, "--basic"],
    ["digest", "MD5", "--digest"],
    ["digest", "SHA-256", "--digest"],
    ["digest", "MD5-sess", "--digest"],
    ["digest", "SHA-256-sess", "--digest"]
  ] as const) {
    it.live(`${scheme} ${algorithm ?? ""}`, () =>
      Effect.gen(function* () {
        const algorithms = algorithm === undefined ? undefined : [algorithm]
        const { bound } = yield* guarded([scheme], "tcp", algorithms)
        const url = `http://${String(bound.address)}/a?b=c`
        assert.strictEqual(yield* run(flag, "-u", "bob:builder", url), "hello, bob 200")
        assert.strictEqual(yield* run(flag, "-u", "bob:builder", url, url), "hello, bob 200hello, bob 200")
        assert.match(yield* run(flag, "-u", "bob:wrong", url), /401$/)
        assert.match(yield* run(flag, "-u", "bob:builder", "-X", "POST", "-d", "x=y", url), /^hello, bob 200/)
      }).pipe(Effect.provide(live))
    )
  }
})
