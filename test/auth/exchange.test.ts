/** Whole exchanges: a client and a server of SASL, as a line protocol carries them, in memory. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import { SecureRandom } from "effect/crypto"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { Anonymous } from "../../src/auth/AvatarId.ts"
import * as Checker from "../../src/auth/Checker.ts"
import type { Bearer } from "../../src/auth/Credentials.ts"
import { checkerFailed, denied } from "../../src/auth/LoginError.ts"
import * as LoginLimit from "../../src/auth/LoginLimit.ts"
import * as MemoryUsers from "../../src/auth/MemoryUsers.ts"
import * as PasswordHash from "../../src/auth/PasswordHash.ts"
import * as Portal from "../../src/auth/Portal.ts"
import * as Realm from "../../src/auth/Realm.ts"
import { encodeBase64, type Line, parseLine } from "../../src/auth/SaslBase64.ts"
import * as SaslClient from "../../src/auth/SaslClient.ts"
import type { ChannelBinding } from "../../src/auth/SaslMechanism.ts"
import * as SaslServer from "../../src/auth/SaslServer.ts"
import * as SaslStrength from "../../src/auth/SaslStrength.ts"
import * as Deferred from "effect/Deferred"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import { functions } from "../../src/node/NodeKeyDerivation.ts"
import * as KeyDerivation from "../../src/auth/KeyDerivation.ts"
import { bytes, text } from "./sasl.ts"

const quick = Layer.mergeAll(KeyDerivation.layer(functions), SecureRandom.layerWebCrypto)

class Mailbox extends Context.Service<Mailbox, { readonly owner: string }>()("test/Mailbox") {}

const binding: ChannelBinding = { type: "tls-exporter", data: new Uint8Array(32).fill(5) }

const makePortal = Effect.gen(function* () {
  const users = yield* MemoryUsers.checker({
    alice: "secret",
    root: "toor",
    bob: yield* PasswordHash.make("builder", { kind: "scram-sha-256", iterations: 4096 })
  })
  const limit = yield* LoginLimit.make()
  return Portal.make({
    realms: [
      Realm.make(Mailbox, (id) =>
        id === "banned"
          ? Effect.fail(denied("banned"))
          : Effect.succeed({ owner: id === Anonymous ? "nobody" : id })
      )
    ],
    checkers: [
      limit.over(users),
      Checker.anonymous,
      Checker.external,
      Checker.token(Redacted.make("t0ken"), "alice"),
      Checker.make<Bearer>(["Bearer"], () => Effect.fail(checkerFailed("nobody is there")))
    ],
    mayActAs: (id) => Effect.succeed(id === "root")
  })
})

type ServerOptions = Partial<SaslServer.Options<Mailbox, never>>

/** A client against a server; what each of them makes of it, and what went over the wire. */
const meet = Effect.fnUntraced(function* (
  identity: SaslClient.Identity,
  serverOptions: ServerOptions = {},
  clientOptions: Partial<SaslClient.Options> = {}
) {
  const portal = yield* makePortal
  const options = { portal, secured: true, ...serverOptions }
  const wire: Array<string> = []
  const responses = yield* Queue.unbounded<Line>()
  const replies = yield* Queue.unbounded<SaslClient.Reply>()
  const started = yield* Deferred.make<readonly [string, Uint8Array | undefined]>()

  const server = Effect.gen(function* () {
    const [mechanism, initial] = yield* Deferred.await(started)
    const result = yield* Effect.result(
      SaslServer.login(
        options,
        {
          mechanism,
          initial,
          challenge: (bytes) => {
            wire.push(`S ${text(bytes)}`)
            return Effect.andThen(Queue.offer(replies, { _tag: "Challenge", bytes }), Queue.take(responses))
          }
        },
        Mailbox
      )
    )
    yield* Queue.offer(
      replies,
      Result.isSuccess(result) ? { _tag: "Success", data: result.success.data } : { _tag: "Failure" }
    )
    return Result.isSuccess(result) ? result.success.avatar.owner : result.failure.message
  })

  const client = SaslClient.authenticate(
    SaslServer.offers(options),
    { identity, secured: true, ...clientOptions },
    {
      start: (mechanism, initial) => {
        wire.push(`C ${mechanism}${initial === undefined ? "" : ` ${text(initial)}`}`)
        return Effect.andThen(Deferred.succeed(started, [mechanism, initial]), Queue.take(replies))
      },
      respond: (bytes) => {
        wire.push(`C ${text(bytes)}`)
        return Effect.andThen(Queue.offer(responses, parseLine(encodeBase64(bytes))), Queue.take(replies))
      },
      cancel: Effect.suspend(() => {
        wire.push("C *")
        return Effect.andThen(Queue.offer(responses, parseLine("*")), Effect.asVoid(Queue.take(replies)))
      })
    }
  )
  const serving = yield* Effect.forkChild(server)
  const ended = yield* Effect.result(client)
  const served = (yield* Deferred.isDone(started)) ? yield* Fiber.join(serving) : undefined
  yield* Fiber.interrupt(serving)
  return { client: Result.isSuccess(ended) ? ended.success : ended.failure.message, served, wire }
})

const { password } = SaslClient

describe("every mechanism, from offer to avatar", () => {
  const identities: Readonly<Record<string, readonly [SaslClient.Identity, owner: string]>> = {
    ScramProof: [password("alice", "secret"), "alice"],
    PasswordProof: [password("alice", "secret"), "alice"],
    UsernamePassword: [password("alice", "secret"), "alice"],
    External: [{ _tag: "External" }, "CN=alice"],
    Bearer: [{ _tag: "Bearer", token: Redacted.make("t0ken"), username: "alice" }, "alice"],
    Anonymous: [{ _tag: "Anonymous", trace: "me" }, "nobody"]
  }
  for (const { kind, name } of SaslStrength.all) {
    for (const initialResponse of [true, false]) {
      for (const successData of [true, false]) {
        it.effect(
          `${name}, ${initialResponse ? "a" : "no"} first response, ${successData ? "" : "no "}data with success`,
          () =>
            Effect.gen(function* () {
              const [identity, owner] = identities[kind]!
              const shared = { mechanisms: [name.toLowerCase()], binding }
              const { client, served, wire } = yield* meet(
                identity,
                { ...shared, identity: "CN=alice", successData },
                { ...shared, initialResponse }
              )
              assert.deepStrictEqual([client, served], [name, owner], wire.join("\n"))
              const clear = wire.some((line) => line.includes("secret"))
              assert.strictEqual(clear, kind === "UsernamePassword")
            }).pipe(Effect.scoped, Effect.provide(quick))
        )
      }
    }
  }

  it.effect("the wrong secret, by each of them: the same answer", () =>
    Effect.gen(function* () {
      for (const name of [
        "SCRAM-SHA-256-PLUS",
        "SCRAM-SHA-256",
        "SCRAM-SHA-1",
        "CRAM-MD5",
        "PLAIN",
        "LOGIN"
      ]) {
        for (const username of ["alice", "nobody"]) {
          const { client, served } = yield* meet(
            password(username, "wrong"),
            { binding },
            { binding, mechanisms: [name] }
          )
          assert.strictEqual(served, "wrong name or wrong secret", name)
          assert.strictEqual(client, `${name}: not authenticated`)
        }
      }
      const bearer = { _tag: "Bearer", token: Redacted.make("x") } as const
      const { served } = yield* meet(bearer)
      // The second checker of tokens is out of order, which is ours to mend.
      assert.strictEqual(served, "nobody is there")
    }).pipe(Effect.scoped, Effect.provide(quick))
  )

  it.effect("keys without the password do for SCRAM, and for PLAIN", () =>
    Effect.gen(function* () {
      for (const [name, owner] of [
        ["SCRAM-SHA-256", "bob"],
        ["PLAIN", "bob"],
        ["SCRAM-SHA-1", "wrong name or wrong secret"],
        ["CRAM-MD5", "wrong name or wrong secret"]
      ] as const) {
        assert.strictEqual(
          (yield* meet(password("bob", "builder"), {}, { mechanisms: [name] })).served,
          owner
        )
      }
    }).pipe(Effect.scoped, Effect.provide(quick))
  )

  it.effect("as whom to act", () =>
    Effect.gen(function* () {
      for (const mechanisms of [["SCRAM-SHA-256"], ["PLAIN"]]) {
        const acting = (username: string, secret: string, as: string) =>
          Effect.map(meet(password(username, secret, as), {}, { mechanisms }), ({ served }) => served)
        assert.strictEqual(yield* acting("root", "toor", "alice"), "alice")
        assert.strictEqual(yield* acting("alice", "secret", "alice"), "alice")
        assert.strictEqual(yield* acting("alice", "secret", "root"), "this user may not act as another one")
        assert.strictEqual(yield* acting("root", "toor", "banned"), "banned")
      }
    }).pipe(Effect.scoped, Effect.provide(quick))
  )
})

describe("SaslServer", () => {
  const offers = (options: ServerOptions) =>
    Effect.map(makePortal, (portal) => SaslServer.offers({ portal, secured: true, ...options }))

  it.effect("offers what the portal, and the connection, can do; from strong to weak", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* offers({ secured: false }), [
        "SCRAM-SHA-256",
        "SCRAM-SHA-1",
        "CRAM-MD5",
        "ANONYMOUS"
      ])
      assert.deepStrictEqual(
        yield* offers({ binding, identity: "CN=x" }),
        SaslStrength.all.map(({ name }) => name)
      )
      assert.deepStrictEqual(
        yield* offers({ secured: false, allowUnsecuredSecrets: true, mechanisms: ["login", "plain", "x"] }),
        ["PLAIN", "LOGIN"]
      )
      const tokens = Portal.make({ realms: [], checkers: [Checker.token(Redacted.make("a"), "b")] })
      assert.deepStrictEqual(SaslServer.offers({ portal: tokens, secured: true }), ["OAUTHBEARER", "XOAUTH2"])
    }).pipe(Effect.provide(quick))
  )

  const ask = (mechanism: string, lines: ReadonlyArray<string>, options: ServerOptions = {}) =>
    Effect.gen(function* () {
      const portal = yield* makePortal
      const left = [...lines]
      const request = {
        mechanism,
        initial: undefined,
        challenge: () => Effect.sync(() => parseLine(left.shift() ?? "*"))
      }
      const error = yield* Effect.flip(
        SaslServer.login({ portal, secured: true, ...options }, request, Mailbox)
      )
      return [error._tag, error.message]
    })

  it.effect("a client that gives up, sends what is no base64, or asks for what is not offered", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* ask("plain", ["*"]), ["SaslError", "PLAIN: the exchange was cancelled"])
      assert.deepStrictEqual(yield* ask("PLAIN", ["é"]), ["SaslError", "PLAIN: the response is no base64"])
      assert.deepStrictEqual(yield* ask("PLAIN", ["="]), [
        "SaslError",
        "PLAIN: the response is not: authorization, NUL, name, NUL, password"
      ])
      const [, message] = yield* ask("PLAIN\r\n\x1b[31m", [], { secured: false })
      assert.strictEqual(
        message,
        "no mechanism will do: PLAIN????31M wanted, SCRAM-SHA-256, SCRAM-SHA-1, CRAM-MD5, ANONYMOUS offered"
      )
      assert.deepStrictEqual(yield* ask("EXTERNAL", [""]), [
        "SaslError",
        "no mechanism will do: EXTERNAL wanted, SCRAM-SHA-256, SCRAM-SHA-1, OAUTHBEARER, XOAUTH2, CRAM-MD5, PLAIN, LOGIN, ANONYMOUS offered"
      ])
    }).pipe(Effect.scoped, Effect.provide(quick))
  )

  it.effect("who guesses is stopped, by whichever mechanism", () =>
    Effect.gen(function* () {
      const portal = yield* makePortal
      const login = (mechanism: string) =>
        Effect.flip(
          SaslServer.login(
            { portal, secured: true },
            {
              mechanism,
              initial: bytes("\0alice\0wrong"),
              challenge: () => Effect.succeed("cancel" as const)
            },
            Mailbox
          )
        )
      for (let i = 0; i < 5; i++) assert.strictEqual((yield* login("PLAIN")).reason._tag, "Unauthorized")
      assert.strictEqual((yield* login("PLAIN")).reason._tag, "TooManyFailures")
    }).pipe(Effect.scoped, Effect.provide(quick))
  )
})

describe("SaslClient", () => {
  const all = SaslStrength.all.map(({ name }) => name)
  const choose = (offered: ReadonlyArray<string>, options: Partial<SaslClient.Options> = {}) => {
    const chosen = SaslClient.choose(offered, { identity: password("a", "b"), secured: true, ...options })
    return Result.isSuccess(chosen) ? chosen.success : chosen.failure.message
  }

  it("takes the strongest that is offered, and that will do", () => {
    assert.strictEqual(choose(all, { binding }), "SCRAM-SHA-256-PLUS")
    assert.strictEqual(choose(all), "SCRAM-SHA-256")
    assert.strictEqual(choose(["login", "plain", "cram-md5"]), "CRAM-MD5")
    assert.strictEqual(choose(["LOGIN", "PLAIN"]), "PLAIN")
    assert.strictEqual(
      choose(["LOGIN"], { identity: password("a", "b", "c") }),
      "no mechanism will do: SCRAM-SHA-256, SCRAM-SHA-1, PLAIN wanted, LOGIN offered"
    )
    assert.strictEqual(choose(all, { identity: { _tag: "Anonymous" } }), "ANONYMOUS")
    assert.strictEqual(choose(all, { identity: { _tag: "External" } }), "EXTERNAL")
    assert.strictEqual(choose(all, { mechanisms: ["plain"] }), "PLAIN")
  })

  it("never sends a password where everybody can listen, unless told to", () => {
    const shown = "no mechanism will do: SCRAM-SHA-256, SCRAM-SHA-1, CRAM-MD5 wanted, PLAIN, LOGIN offered"
    assert.strictEqual(choose(["PLAIN", "LOGIN"], { secured: false }), shown)
    assert.strictEqual(choose(["PLAIN", "LOGIN"], { secured: false, allowUnsecuredSecrets: true }), "PLAIN")
    const bearer = { _tag: "Bearer", token: Redacted.make("x") } as const
    assert.include(choose(all, { identity: bearer, secured: false }), "no mechanism will do")
  })

  it("anything may be offered", () => {
    assert.strictEqual(
      choose([`\x1b[31m${"X".repeat(100)}`]),
      "no mechanism will do: SCRAM-SHA-256, SCRAM-SHA-1, CRAM-MD5, PLAIN, LOGIN wanted, ??31mXXXXXXXXXXXXXXX offered"
    )
  })

  it.effect("what cannot be sent is not sent", () =>
    Effect.gen(function* () {
      for (const [identity, expected] of [
        [password("a\0b", "c"), "PLAIN: the name or the password has a NUL"],
        [password("a", ""), "PLAIN: the name or the password is empty"],
        [
          { _tag: "Bearer", token: Redacted.make("a b") },
          "OAUTHBEARER: the token or the name has characters that it cannot have"
        ]
      ] as const) {
        const { client, wire } = yield* meet(identity, { mechanisms: ["PLAIN", "OAUTHBEARER"] })
        assert.deepStrictEqual([client, wire], [expected, []])
      }
    }).pipe(Effect.scoped, Effect.provide(quick))
  )

  it.effect(
    "a server that says yes without knowing the password is not believed; one that goes on is left",
    () =>
      Effect.gen(function* () {
        const authenticate = (replies: ReadonlyArray<SaslClient.Reply>) => {
          const left = [...replies]
          let cancelled = false
          const reply = () => Effect.sync(() => left.shift()!)
          return Effect.map(
            Effect.flip(
              SaslClient.authenticate(
                ["SCRAM-SHA-256"],
                { identity: password("alice", "secret"), secured: false },
                { start: reply, respond: reply, cancel: Effect.sync(() => void (cancelled = true)) }
              )
            ),
            (error) => [error.message, cancelled]
          )
        }
        assert.deepStrictEqual(yield* authenticate([{ _tag: "Success" }]), [
          "SCRAM-SHA-256: the server accepts before it has seen a proof",
          false
        ])
        assert.deepStrictEqual(
          yield* authenticate([{ _tag: "Challenge", bytes: bytes("r=AAAA,s=AAAA,i=4096") }]),
          ["SCRAM-SHA-256: the server's nonce is not made of ours", true]
        )
      }).pipe(Effect.provide(quick))
  )

  it.effect("a nonce is new each time", () =>
    Effect.gen(function* () {
      const first = yield* meet(password("alice", "secret"))
      const second = yield* meet(password("alice", "secret"))
      assert.notStrictEqual(first.wire[0], second.wire[0])
      assert.notStrictEqual(first.wire[1], second.wire[1])
    }).pipe(Effect.scoped, Effect.provide(quick))
  )
})
