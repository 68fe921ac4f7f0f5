import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import { SecureRandom } from "effect/crypto"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { Anonymous } from "../../src/auth/AvatarId.ts"
import * as Checker from "../../src/auth/Checker.ts"
import * as Credentials from "../../src/auth/Credentials.ts"
import { FailureTable } from "../../src/auth/FailureTable.ts"
import { checkerFailed, denied, type LoginError, unauthorized } from "../../src/auth/LoginError.ts"
import * as LoginLimit from "../../src/auth/LoginLimit.ts"
import * as MemoryUsers from "../../src/auth/MemoryUsers.ts"
import * as OneTimeCodeChecker from "../../src/auth/OneTimeCodeChecker.ts"
import * as OneTimeCodes from "../../src/auth/OneTimeCodes.ts"
import * as PasswordHash from "../../src/auth/PasswordHash.ts"
import * as Portal from "../../src/auth/Portal.ts"
import * as PublicKeyChecker from "../../src/auth/PublicKeyChecker.ts"
import * as Realm from "../../src/auth/Realm.ts"
import * as Visitor from "../../src/auth/Visitor.ts"
import { KeyDerivation } from "../../src/auth/KeyDerivation.ts"
import { hmac, md5 } from "../../src/auth/Hash.ts"
import * as UserStore from "../../src/auth/UserStore.ts"
import { bytes, pure } from "./sasl.ts"

class Mailbox extends Context.Service<Mailbox, { readonly owner: string }>()("test/Mailbox") {}
class Admin extends Context.Service<Admin, { readonly powers: number }>()("test/Admin") {}
class Terminal extends Context.Service<Terminal, { readonly columns: number }>()("test/Terminal") {}

const { usernamePassword } = Credentials
const reason = <A, R>(login: Effect.Effect<A, LoginError, R>) =>
  Effect.map(Effect.flip(login), (error) => error.reason._tag)

const withUsers = Effect.fnUntraced(function* (log: Array<string> = []) {
  const users = yield* MemoryUsers.checker({ alice: "secret", root: "toor" })
  return Portal.make({
    realms: [
      Realm.make(Mailbox, (id) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            log.push(`in ${String(id)}`)
            return { owner: id === Anonymous ? "nobody" : id }
          }),
          () => Effect.sync(() => log.push(`out ${String(id)}`))
        )
      ),
      Realm.make(Admin, (id) =>
        id === "root" ? Effect.succeed({ powers: 9 }) : Effect.fail(denied("only for root"))
      )
    ],
    checkers: [users, Checker.anonymous]
  })
})

describe("Portal", () => {
  it.effect("login gives an avatar, and the end of the scope is the logout", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const portal = yield* withUsers(log)
      const scope = yield* Scope.make()
      const mailbox = yield* Scope.provide(portal.login(usernamePassword("alice", "secret"), Mailbox), scope)
      assert.deepStrictEqual([mailbox.owner, ...log], ["alice", "in alice"])
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(log, ["in alice", "out alice"])
    }).pipe(Effect.provide(pure))
  )

  it.effect("one portal, several interfaces", () =>
    Effect.gen(function* () {
      const portal = yield* withUsers()
      assert.strictEqual((yield* portal.login(usernamePassword("root", "toor"), Admin)).powers, 9)
      assert.strictEqual(yield* reason(portal.login(usernamePassword("alice", "secret"), Admin)), "Denied")
      assert.strictEqual((yield* portal.login(Credentials.anonymous(), Mailbox)).owner, "nobody")

      const either = yield* portal.loginAny(usernamePassword("root", "toor"), [Admin, Mailbox])
      assert.strictEqual(either.interface.key, Admin.key)
      const lesser = yield* portal.loginAny(usernamePassword("alice", "secret"), [Admin, Mailbox])
      assert.deepStrictEqual([lesser.interface.key, lesser.avatar], [Mailbox.key, { owner: "alice" }])
      // What the credentials lack, no interface makes up for.
      assert.strictEqual(
        yield* reason(portal.loginAny(usernamePassword("alice", "x"), [Admin, Mailbox])),
        "Unauthorized"
      )
    }).pipe(Effect.scoped, Effect.provide(pure))
  )

  it.effect("what there is no checker or no realm for is a fault of ours", () =>
    Effect.gen(function* () {
      const portal = yield* withUsers()
      const key = new Credentials.External({ identity: "CN=x" })
      const unhandled = yield* Effect.flip(portal.login(key as never, Mailbox))
      assert.deepStrictEqual([unhandled.reason._tag, unhandled.fault], ["UnhandledCredentials", "Local"])
      assert.strictEqual(
        unhandled.message,
        "no checker for External (there are some for: UsernamePassword, PasswordProof, DigestProof, ScramProof, Anonymous)"
      )
      assert.strictEqual(yield* reason(portal.enter("alice", Terminal as never)), "NoRealm")
      assert.throws(() =>
        Portal.make({
          realms: [
            Realm.make(Admin, () => Effect.succeed({ powers: 1 })),
            Realm.make(Admin, () => Effect.succeed({ powers: 2 }))
          ],
          checkers: []
        })
      )
    }).pipe(Effect.scoped, Effect.provide(pure))
  )

  it.effect("checkers of one kind are asked in turn; one that is broken ends it", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const checker = (name: string, answer: Effect.Effect<string, LoginError>) =>
        Checker.make<Credentials.UsernamePassword>(["UsernamePassword"], () => {
          asked.push(name)
          return answer
        })
      const portal = (...checkers: Array<Checker.Checker<Credentials.UsernamePassword>>) =>
        Portal.make({ realms: [], checkers }).authenticate(usernamePassword("a", "b"))
      const no = checker("no", Effect.fail(unauthorized()))
      const yes = checker("yes", Effect.succeed("me"))
      const broken = checker("broken", Effect.fail(checkerFailed("the disk is gone")))
      assert.strictEqual(yield* portal(no, yes, broken), "me")
      assert.strictEqual(yield* reason(portal(no, broken, yes)), "CheckerFailed")
      assert.deepStrictEqual(asked, ["no", "yes", "no", "broken"])
    })
  )

  it.effect("nobody acts as another one, but who may", () =>
    Effect.gen(function* () {
      const users = yield* MemoryUsers.checker({ alice: "secret", root: "toor" })
      const plain = Portal.make({ realms: [], checkers: [users] })
      const portal = Portal.make({
        realms: [],
        checkers: [users],
        mayActAs: (id, wanted) => Effect.succeed(id === "root" && wanted !== "god")
      })
      assert.strictEqual(yield* plain.authenticate(usernamePassword("alice", "secret", "alice")), "alice")
      assert.strictEqual(
        yield* reason(plain.authenticate(usernamePassword("root", "toor", "alice"))),
        "Denied"
      )
      assert.strictEqual(yield* portal.authenticate(usernamePassword("root", "toor", "alice")), "alice")
      assert.strictEqual(
        yield* reason(portal.authenticate(usernamePassword("root", "toor", "god"))),
        "Denied"
      )
      // Before it is known who asks, nothing is said of that.
      assert.strictEqual(
        yield* reason(portal.authenticate(usernamePassword("root", "x", "god"))),
        "Unauthorized"
      )
    }).pipe(Effect.provide(pure))
  )

  it.effect("a realm may need something of who logs in (Twisted's mind)", () =>
    Effect.gen(function* () {
      const portal = Portal.make({
        realms: [Realm.make(Mailbox, () => Effect.map(Terminal, ({ columns }) => ({ owner: `${columns}` })))],
        checkers: [Checker.anonymous]
      })
      const { owner } = yield* portal
        .login(Credentials.anonymous(), Mailbox)
        .pipe(Effect.provideService(Terminal, { columns: 80 }))
      assert.strictEqual(owner, "80")
    }).pipe(Effect.scoped)
  )
})

describe("checkers", () => {
  it.effect("tokens", () =>
    Effect.gen(function* () {
      const checker = Checker.token(Redacted.make("abc"), "ali")
      const bearer = (token: string, username?: string) =>
        new Credentials.Bearer({ token: Redacted.make(token), username })
      assert.strictEqual(yield* checker.check(bearer("abc")), "ali")
      assert.strictEqual(yield* checker.check(bearer("abc", "ali")), "ali")
      assert.strictEqual(yield* reason(checker.check(bearer("abc", "baba"))), "Unauthorized")
      assert.strictEqual(yield* reason(checker.check(bearer("abd"))), "Unauthorized")
    })
  )

  it.effect("public keys: would it do, and is it signed", () =>
    Effect.gen(function* () {
      const checker = PublicKeyChecker.make({
        keysOf: (username) => Effect.succeed(username === "alice" ? [bytes("key 1"), bytes("key 2")] : []),
        verify: ({ signature }) => Effect.succeed(signature[0] === 1)
      })
      const key = (username: string, blob: string, signature?: number) =>
        new Credentials.PublicKey({
          username,
          algorithm: "ssh-ed25519",
          blob: bytes(blob),
          signature:
            signature === undefined ? undefined : { signed: bytes("x"), signature: Uint8Array.of(signature) }
        })
      assert.strictEqual(yield* checker.check(key("alice", "key 2", 1)), "alice")
      assert.strictEqual(yield* reason(checker.check(key("alice", "key 2"))), "SignatureMissing")
      assert.strictEqual(yield* reason(checker.check(key("alice", "key 2", 0))), "Unauthorized")
      assert.strictEqual(yield* reason(checker.check(key("alice", "key 3"))), "Unauthorized")
      assert.strictEqual(yield* reason(checker.check(key("bob", "key 1", 1))), "Unauthorized")
    })
  )

  it.effect("one-time codes are good once, and near their time", () =>
    Effect.gen(function* () {
      const secret = bytes("12345678901234567890")
      const checker = yield* OneTimeCodeChecker.make({
        secretOf: (username) => Effect.succeed(username === "alice" ? secret : undefined)
      })
      const at = (step: number, username = "alice") =>
        checker.check(
          new Credentials.OneTimeCode({ username, code: Redacted.make(OneTimeCodes.hotp(secret, step)) })
        )
      yield* TestClock.setTime(30_000 * 100)
      assert.strictEqual(yield* reason(at(98)), "Unauthorized")
      assert.strictEqual(yield* reason(at(102)), "Unauthorized")
      assert.strictEqual(yield* at(100), "alice")
      assert.strictEqual(yield* reason(at(100)), "Unauthorized")
      // One that is older than the last is as used up.
      assert.strictEqual(yield* reason(at(99)), "Unauthorized")
      assert.strictEqual(yield* at(101), "alice")
      assert.strictEqual(yield* reason(at(100, "bob")), "Unauthorized")
    })
  )

  it.effect("who does not exist costs the same work as who does", () =>
    Effect.gen(function* () {
      let derivations: Array<string> = []
      const counting = KeyDerivation.of({
        scrypt: (password, salt, { cost }) => {
          derivations.push(`scrypt ${cost}`)
          return Effect.succeed(hmac(md5, salt, password))
        },
        argon2: undefined,
        pbkdf2: (hash, _password, _salt, iterations) => {
          derivations.push(`${hash} ${iterations}`)
          return Effect.succeed(new Uint8Array(hash === "SHA-1" ? 20 : 32))
        }
      })
      const work = (effect: Effect.Effect<unknown, LoginError>) =>
        Effect.suspend(() => {
          derivations = []
          return Effect.map(Effect.result(effect), (result) => [Result.isSuccess(result), ...derivations])
        })
      const cost = { cost: 64, blockSize: 8, parallelization: 1 }
      const stored = {
        scrypt: yield* Effect.provideService(
          PasswordHash.make("secret", { kind: "scrypt", cost }),
          KeyDerivation,
          counting
        ),
        scram: yield* Effect.provideService(
          PasswordHash.make("secret", { kind: "scram-sha-256", iterations: 5000 }),
          KeyDerivation,
          counting
        ),
        plain: "secret"
      }
      for (const [kind, password] of Object.entries(stored)) {
        const checker = yield* Effect.provideService(
          MemoryUsers.checker({ alice: password }),
          KeyDerivation,
          counting
        )
        const wrong = yield* work(checker.check(usernamePassword("alice", "wrong")))
        const missing = yield* work(checker.check(usernamePassword("bob", "wrong")))
        if (kind === "scrypt") assert.deepStrictEqual(wrong, [false, "scrypt 64"])
        assert.strictEqual(wrong.length, missing.length, kind)
        for (const hash of ["SHA-1", "SHA-256"] as const) {
          const there = yield* work(checker.scram!("alice", hash))
          const notThere = yield* work(checker.scram!("bob", hash))
          assert.deepStrictEqual(there, notThere, `${kind} ${hash}`)
          const seen = yield* checker.scram!("alice", hash)
          const invented = yield* checker.scram!("bob", hash)
          assert.deepStrictEqual(
            [seen.iterations, seen.salt.length],
            [invented.iterations, invented.salt.length]
          )
          // The same each time, and another for another one.
          assert.deepStrictEqual((yield* checker.scram!("bob", hash)).salt, invented.salt)
          assert.notDeepEqual((yield* checker.scram!("carol", hash)).salt, invented.salt)
        }
      }
    }).pipe(Effect.provide(SecureRandom.layerWebCrypto))
  )

  it.effect("a proof is nobody's where the password is not known", () =>
    Effect.gen(function* () {
      const scram = yield* PasswordHash.make("secret", { kind: "scram-sha-256", iterations: 4096 })
      const checker = yield* MemoryUsers.checker({ alice: scram, bob: "builder" })
      const proof = (username: string) =>
        new Credentials.PasswordProof({ username, mechanism: "APOP", proves: () => true })
      assert.strictEqual(yield* reason(checker.check(proof("alice"))), "Unauthorized")
      assert.strictEqual(yield* reason(checker.check(proof("carol"))), "Unauthorized")
      assert.strictEqual(yield* checker.check(proof("bob")), "bob")
      assert.strictEqual(yield* checker.check(usernamePassword("alice", "secret")), "alice")
      assert.strictEqual(yield* reason(checker.check(usernamePassword("alice", "Secret"))), "Unauthorized")
      // Two spellings of one password.
      const angstrom = yield* MemoryUsers.checker({ alice: "\u212b" })
      assert.strictEqual(yield* angstrom.check(usernamePassword("alice", "A\u030a")), "alice")
      assert.deepStrictEqual(UserStore.only(checker, ["UsernamePassword"]).kinds, ["UsernamePassword"])
      assert.isUndefined(UserStore.only(checker, ["UsernamePassword"]).scram)
    }).pipe(Effect.provide(pure))
  )
})

describe("LoginLimit", () => {
  const from =
    (peer: string) =>
    <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      Effect.provideService(effect, Visitor.Current, { peer, secured: true })

  const limited = Effect.fnUntraced(function* (options: LoginLimit.Options) {
    let asked = 0
    const inner = Checker.make(["UsernamePassword"], ({ password, username }: Credentials.UsernamePassword) =>
      Effect.suspend(() => {
        asked++
        if (Redacted.value(password) === "broken") return Effect.fail(checkerFailed("broken"))
        return Redacted.value(password) === "right" ? Effect.succeed(username) : Effect.fail(unauthorized())
      })
    )
    const limit = yield* LoginLimit.make(options)
    const checker = limit.over(inner)
    return {
      asked: () => asked,
      login: (username: string, password: string) => checker.check(usernamePassword(username, password))
    }
  })

  it.effect("after so many failures nobody is asked any more, for a while", () =>
    Effect.gen(function* () {
      const { asked, login } = yield* limited({ perUserAndPeer: { failuresMax: 3, window: "3 minutes" } })
      for (let i = 0; i < 3; i++) assert.strictEqual(yield* reason(login("Alice", "wrong")), "Unauthorized")
      const error = yield* Effect.flip(login("alice", "right"))
      assert.strictEqual(error.message, "too many failed logins; again in 1m")
      assert.isTrue(
        error.reason._tag === "TooManyFailures" && Duration.toMillis(error.reason.retryAfter) === 60_000
      )
      assert.strictEqual(asked(), 3)
      assert.strictEqual(yield* from("elsewhere")(login("alice", "right")), "alice")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* login("alice", "right"), "alice")
      // Who has shown the secret begins anew.
      for (let i = 0; i < 3; i++) assert.strictEqual(yield* reason(login("alice", "wrong")), "Unauthorized")
    })
  )

  it.effect("a peer cannot go from name to name, nor make up for it by an account of its own", () =>
    Effect.gen(function* () {
      const { login } = yield* limited({ perPeer: { failuresMax: 4, window: "1 hour" } })
      for (let i = 0; i < 4; i++) {
        assert.strictEqual(yield* from("10.0.0.1")(reason(login(`user${i}`, "wrong"))), "Unauthorized")
        if (i < 3) assert.strictEqual(yield* from("10.0.0.1")(login("mallory", "right")), "mallory")
      }
      assert.strictEqual(yield* from("10.0.0.1")(reason(login("mallory", "right"))), "TooManyFailures")
      assert.strictEqual(yield* from("10.0.0.2")(login("mallory", "right")), "mallory")
    })
  )

  it.effect("many peers cannot share one name", () =>
    Effect.gen(function* () {
      const { login } = yield* limited({ perUser: { failuresMax: 10, window: "1 hour" } })
      for (let i = 0; i < 10; i++) yield* from(`10.0.0.${i}`)(reason(login("alice", "wrong")))
      assert.strictEqual(yield* from("10.0.1.1")(reason(login("alice", "wrong"))), "TooManyFailures")
    })
  )

  it.effect(
    "guesses at the same time count, and who hangs up has failed; a broken store counts for nobody",
    () =>
      Effect.gen(function* () {
        let asked = 0
        const slow = Checker.make<Credentials.UsernamePassword>(["UsernamePassword"], () =>
          Effect.andThen(
            Effect.sync(() => asked++),
            Effect.never
          )
        )
        const limit = yield* LoginLimit.make({ perUserAndPeer: { failuresMax: 3, window: "1 hour" } })
        const fibers: Array<Fiber.Fiber<unknown, LoginError>> = []
        for (let i = 0; i < 20; i++) {
          fibers.push(
            yield* Effect.forkChild(limit.over(slow).check(usernamePassword("alice", `${i}`)), {
              startImmediately: true
            })
          )
        }
        assert.strictEqual(asked, 3)
        yield* Fiber.interruptAll(fibers)
        assert.strictEqual(
          yield* reason(limit.over(slow).check(usernamePassword("alice", "x"))),
          "TooManyFailures"
        )
        const { login } = yield* limited({ perUserAndPeer: { failuresMax: 1, window: "1 hour" } })
        for (let i = 0; i < 5; i++) assert.strictEqual(yield* reason(login("a", "broken")), "CheckerFailed")
        assert.strictEqual(yield* login("a", "right"), "a")
      })
  )

  it("the memory of failures is bounded, and forgets what is long ago first", () => {
    const table = new FailureTable({ failuresMax: 2, windowMillis: 1000 }, 3)
    for (let i = 0; i < 1000; i++) table.add(`key ${i}`, i)
    assert.strictEqual(table.size, 3)
    table.add("key 997", 1000)
    table.add("key 1000", 1001)
    // 998 failed longest ago.
    assert.isAbove(table.wait("key 997", 1001), 0)
    assert.strictEqual(table.wait("key 998", 1001), 0)
    for (const { failuresMax, window } of [
      { failuresMax: 0, window: "1 minute" as const },
      { failuresMax: 1, window: 0 }
    ]) {
      assert.throws(() => Effect.runSync(LoginLimit.make({ perUser: { failuresMax, window } })))
    }
  })
})
