/** GNU SASL as the other side, over a pipe: its client against our server, and ours against its server. */
import { assert, it } from "@effect/vitest"
import * as Context from "effect/Context"
import { SecureRandom } from "effect/crypto"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Checker from "../../src/auth/Checker.ts"
import * as KeyDerivation from "../../src/auth/KeyDerivation.ts"
import * as MemoryUsers from "../../src/auth/MemoryUsers.ts"
import * as Portal from "../../src/auth/Portal.ts"
import * as Realm from "../../src/auth/Realm.ts"
import { decodeBase64, encodeBase64 } from "../../src/auth/SaslBase64.ts"
import * as SaslClient from "../../src/auth/SaslClient.ts"
import type { ChannelBinding } from "../../src/auth/SaslMechanism.ts"
import * as SaslServer from "../../src/auth/SaslServer.ts"
import { functions } from "../../src/node/NodeKeyDerivation.ts"
import * as Child from "../support/child.ts"
import { describePeer, gsasl } from "../support/peers.ts"

class Who extends Context.Service<Who, string>()("test/Who") {}

const live = Layer.mergeAll(KeyDerivation.layer(functions), SecureRandom.layerWebCrypto)
const binding: ChannelBinding = { type: "tls-exporter", data: Uint8Array.from({ length: 32 }, (_, i) => i) }
const otherBinding: ChannelBinding = { ...binding, data: new Uint8Array(32) }

/** How gsasl says that it is done; it goes on with a security layer that there is not, then. */
const outcome = /authentication finished|gsasl: .*error/

/** Talks to it in lines of base64. */
class Pipe {
  private lines = 1
  private readonly child: Child.Child

  constructor(child: Child.Child) {
    this.child = child
  }

  /** What it asks for besides is answered before. */
  say(...lines: ReadonlyArray<string>): Effect.Effect<void> {
    return Effect.forEach(lines, (line) => this.child.write(`${line}\n`), { discard: true })
  }

  /** The next message, or `undefined` when it is done. */
  get hear(): Effect.Effect<Uint8Array | undefined> {
    const next = Effect.sync(() => {
      const lines = this.child.stdout().split("\n")
      if (lines.length - 1 > this.lines) return decodeBase64(lines[this.lines++]!.replace(/^.*: /, ""))
      return outcome.test(this.child.stderr()) ? ("done" as const) : undefined
    })
    return next.pipe(
      Effect.tap((found) => (found === undefined ? Effect.sleep("5 millis") : Effect.void)),
      Effect.repeat({ while: (found) => found === undefined }),
      Effect.map((found) => (found === "done" ? undefined : found))
    )
  }

  get trusts(): Effect.Effect<boolean, Child.ChildError> {
    return Effect.map(this.child.says(outcome), ([text]) => text === "authentication finished")
  }
}

const pipe = (path: string, ...args: ReadonlyArray<string>) =>
  Effect.map(Child.spawn(path, args, { env: { LC_ALL: "C.UTF-8" } }), (child) => new Pipe(child))

const name = "alice,=ß"
/** Of a soft hyphen and a Roman numeral SASLprep makes `s€cretIX`. CRAM-MD5 is not prepared here (RFC 2195), but there (by a draft). */
const passwordOf = (mechanism: string) => (mechanism === "CRAM-MD5" ? "s€cret" : "s€cret\u00ad\u2168")

const portal = (password: string) =>
  Effect.map(MemoryUsers.checker({ [name]: password, bob: "builder" }), (users) =>
    Portal.make({
      realms: [Realm.make(Who, (id) => Effect.succeed(String(id)))],
      checkers: [users, Checker.external]
    })
  )

const promptsOf = (mechanism: string, bound: ChannelBinding): ReadonlyArray<string> =>
  mechanism.endsWith("-PLUS") ? [encodeBase64(bound.data)] : mechanism.startsWith("SCRAM") ? ["", ""] : []

/** Its client logs in here, with that password; whom we let in, and whether it is content. */
const theirs = Effect.fnUntraced(function* (
  path: string,
  mechanism: string,
  password: string,
  bound = binding
) {
  const its = yield* pipe(path, "--client", "--mechanism", mechanism, "-a", name, "-p", password)
  yield* its.say(...promptsOf(mechanism, bound))
  const options: SaslServer.Options<Who, never> = {
    portal: yield* portal(passwordOf(mechanism)),
    secured: true,
    mechanisms: [mechanism],
    identity: "CN=alice",
    binding: mechanism.endsWith("-PLUS") ? binding : undefined,
    successData: true
  }
  // Of CRAM-MD5 it has an empty line to say first.
  const begins = mechanism === "LOGIN" ? undefined : yield* its.hear
  const initial = mechanism === "CRAM-MD5" ? undefined : begins
  const request: SaslServer.Request = {
    mechanism,
    initial,
    challenge: (bytes) =>
      Effect.andThen(
        its.say(encodeBase64(bytes)),
        Effect.map(its.hear, (heard) => heard ?? ("cancel" as const))
      )
  }
  const login = yield* Effect.result(SaslServer.login(options, request, Who))
  if (Result.isFailure(login)) return { who: undefined, why: String(login.failure.message), trusts: false }
  // It waits for a line in any case.
  yield* its.say(encodeBase64(login.success.data ?? new Uint8Array(0)), "")
  return { who: login.success.avatar, why: undefined, trusts: yield* its.trusts }
})

/** Our client logs in there; whether we are content, and it. */
const ours = Effect.fnUntraced(function* (
  path: string,
  mechanism: string,
  password: string,
  bound = binding
) {
  const its = yield* pipe(path, "--server", "--mechanism", mechanism, "-p", passwordOf(mechanism))
  // Before it hears anything, it asks for nothing with an empty line, or has its challenge.
  const beginning = yield* its.hear
  const prompts = mechanism.endsWith("-PLUS") ? promptsOf(mechanism, bound) : []
  const reply = Effect.map(its.hear, (bytes): SaslClient.Reply => {
    if (bytes === undefined) return { _tag: "Failure" }
    // Its last word goes with the success.
    return new TextDecoder().decode(bytes).startsWith("v=")
      ? { _tag: "Success", data: bytes }
      : { _tag: "Challenge", bytes }
  })
  // Its last word, of which there may be nothing, is to be answered by nothing.
  const settled = Effect.map(
    Effect.tap(reply, () => its.say("")),
    (last): SaslClient.Reply => (last._tag === "Challenge" ? { _tag: "Success" } : last)
  )
  let responses = 0
  // After so many responses there is nothing left to say but yes or no.
  const last = mechanism === "LOGIN" || mechanism.startsWith("SCRAM") ? 2 : 1
  const answer = (bytes: Uint8Array) =>
    Effect.suspend(() => {
      const isFirst = ++responses === 1
      const said = its.say(encodeBase64(bytes), ...(isFirst ? prompts : []))
      return Effect.andThen(said, responses < last ? reply : settled)
    })
  const result = yield* Effect.result(
    SaslClient.authenticate(
      [mechanism],
      {
        identity: SaslClient.password(name, password),
        secured: true,
        binding: mechanism.endsWith("-PLUS") ? binding : undefined
      },
      {
        start: (_, initial) =>
          initial === undefined ? Effect.succeed({ _tag: "Challenge", bytes: beginning! }) : answer(initial),
        respond: answer
      }
    )
  )
  return { content: Result.isSuccess(result), trusts: yield* its.trusts, result: String(result) }
})

describePeer(gsasl, (path) => {
  const mechanisms = [
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1",
    "PLAIN",
    "LOGIN",
    "CRAM-MD5"
  ]
  for (const mechanism of mechanisms) {
    const typed = passwordOf(mechanism)
    it.live(`its client, our server: ${mechanism}`, () =>
      Effect.gen(function* () {
        const good = yield* theirs(path, mechanism, typed)
        assert.deepStrictEqual(good, { who: name, why: undefined, trusts: true })
        assert.isUndefined((yield* theirs(path, mechanism, "wrong")).who)
        if (!mechanism.endsWith("-PLUS")) return
        const relayed = yield* theirs(path, mechanism, typed, otherBinding)
        assert.match(relayed.why!, /the channel is another one/)
      }).pipe(Effect.scoped, Effect.provide(live))
    )
    it.live(`our client, its server: ${mechanism}`, () =>
      Effect.gen(function* () {
        const good = yield* ours(path, mechanism, typed)
        assert.deepInclude(good, { content: true, trusts: true }, good.result)
        const bad = yield* ours(path, mechanism, "wrong")
        assert.deepInclude(bad, { content: false, trusts: false })
        if (!mechanism.endsWith("-PLUS")) return
        assert.deepInclude(yield* ours(path, mechanism, typed, otherBinding), {
          content: false,
          trusts: false
        })
      }).pipe(Effect.scoped, Effect.provide(live))
    )
  }

  it.live("its client, our server: EXTERNAL", () =>
    Effect.gen(function* () {
      assert.deepInclude(yield* theirs(path, "EXTERNAL", ""), { who: "CN=alice", trusts: true })
    }).pipe(Effect.scoped, Effect.provide(live))
  )
})
