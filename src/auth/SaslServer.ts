/**
 * SASL on the server's side: which mechanisms to offer, and an exchange from the client's choice to an avatar. How challenges
 * travel is the protocol's: it gives a function that sends one and waits for the response.
 */
import { SecureRandom } from "effect/crypto/SecureRandom"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import type * as Scope from "effect/Scope"
import type { AvatarId } from "./AvatarId.ts"
import type { Credentials } from "./Credentials.ts"
import { LoginError } from "./LoginError.ts"
import type { Portal } from "./Portal.ts"
import * as SaslAnonymous from "./SaslAnonymous.ts"
import { encodeBase64, type Line } from "./SaslBase64.ts"
import * as SaslBearer from "./SaslBearer.ts"
import * as SaslCramMd5 from "./SaslCramMd5.ts"
import { Cancelled, Malformed, NoMechanism, SaslError, type SaslReason } from "./SaslError.ts"
import * as SaslExternal from "./SaslExternal.ts"
import * as SaslLogin from "./SaslLogin.ts"
import type { ChannelBinding, ServerMechanism, ServerState } from "./SaslMechanism.ts"
import * as SaslPlain from "./SaslPlain.ts"
import * as SaslScram from "./SaslScram.ts"
import * as SaslStrength from "./SaslStrength.ts"

/** What a connection is like, and what it may be logged in by. */
export interface Options<in I = never, out R = unknown> {
  readonly portal: Portal<never, I, R>
  /** Whether nobody can listen: `Visitor.of(transport).secured`. Without that, nothing is offered that sends a secret. */
  readonly secured: boolean
  /** Only these, of those that would do. Default: all. */
  readonly mechanisms?: ReadonlyArray<string> | undefined
  /** Offers PLAIN and its like where everybody can listen, too. Default: false. */
  readonly allowUnsecuredSecrets?: boolean | undefined
  /** What the connection itself proved, for EXTERNAL. */
  readonly identity?: string | undefined
  /** What there is to bind to, for `-PLUS`. */
  readonly binding?: ChannelBinding | undefined
  /** The server's name, in the challenges of CRAM-MD5. Default: `localhost`. */
  readonly hostName?: string | undefined
  /** Whether the protocol's success can carry data. If not, the last word is sent as a challenge. Default: false. */
  readonly successData?: boolean | undefined
}

/** What a client asks for. */
export interface Request<E = never, R = never> {
  /** In any case. */
  readonly mechanism: string
  /** `undefined`: none was sent. */
  readonly initial: Uint8Array | undefined
  /** Sends a challenge, and waits for what the client says to it. */
  readonly challenge: (bytes: Uint8Array) => Effect.Effect<Line, E, R>
}

/** Who was let in, and what must go with the good news (only with `successData`). */
export interface Success<out A> {
  readonly mechanism: string
  readonly avatar: A
  readonly data: Uint8Array | undefined
}

/** The names to offer, from strong to weak. */
export const offers = (options: Options): ReadonlyArray<string> => offered(options).map(({ name }) => name)

const offered = ({
  allowUnsecuredSecrets = false,
  binding,
  identity,
  mechanisms,
  portal,
  secured
}: Options): ReadonlyArray<SaslStrength.Traits> => {
  const wanted = mechanisms === undefined ? undefined : new Set(mechanisms.map((name) => name.toUpperCase()))
  return SaslStrength.all.filter(
    ({ kind, name, needsBinding, needsSecrecy }) =>
      portal.kinds.includes(kind) &&
      (kind !== "ScramProof" || portal.scram !== undefined) &&
      (kind !== "External" || identity !== undefined) &&
      (!needsBinding || binding !== undefined) &&
      (!needsSecrecy || secured || allowUnsecuredSecrets) &&
      wanted?.has(name) !== false
  )
}

/** As `login`, up to who it is: a second step follows, or several interfaces. */
export const authenticate = <E = never, R = never>(
  options: Options,
  request: Request<E, R>
): Effect.Effect<Success<AvatarId>, LoginError | SaslError | E, R | SecureRandom> =>
  run(options, request, (credentials) => options.portal.authenticate(credentials as never))

/**
 * An exchange, to its avatar. Fails as `SaslError` where it came to no end, as `LoginError` where it came to a bad one; in
 * either case nothing was said to the client of it.
 */
export const login = <K extends I, S, I, RP, E = never, R = never>(
  options: Options<I, RP>,
  request: Request<E, R>,
  avatarInterface: Context.Key<K, S>
): Effect.Effect<Success<S>, LoginError | SaslError | E, R | RP | SecureRandom | Scope.Scope> =>
  run(options, request, (credentials) => options.portal.login(credentials as never, avatarInterface))

const run = Effect.fn("SaslServer.exchange")(function* <A, EL, RL, E, R>(
  options: Options,
  request: Request<E, R>,
  grant: (credentials: Credentials) => Effect.Effect<A, LoginError | EL, RL>
) {
  const name = request.mechanism.toUpperCase()
  const failed = (reason: SaslReason) => new SaslError({ mechanism: name, reason })
  const mechanisms = offered(options).map(({ name }) => name)
  if (!mechanisms.includes(name)) {
    // What a client writes as the name of a mechanism may be anything.
    return yield* new SaslError({
      mechanism: "",
      reason: new NoMechanism({
        wanted: [name.slice(0, 20).replace(/[^A-Z0-9_-]/g, "?")],
        offered: mechanisms
      })
    })
  }
  let granted: { readonly avatar: A } | undefined
  let refusal: LoginError | EL | undefined
  let state: ServerState = (yield* mechanismOf(options, name, mechanisms)).start(request.initial)
  const ask = Effect.fnUntraced(function* (challenge: Uint8Array) {
    const line = yield* request.challenge(challenge)
    if (line === "cancel") return yield* failed(new Cancelled())
    if (line === "malformed") return yield* failed(new Malformed({ detail: "the response is no base64" }))
    return line
  })
  for (;;) {
    switch (state._tag) {
      case "Challenge": {
        state = state.response(yield* ask(state.challenge))
        break
      }
      case "AskScramKeys": {
        state = state.answer(yield* options.portal.scram!(state.username, state.hash))
        break
      }
      case "AskLogin": {
        const asking: typeof state = state
        const answer = yield* Effect.result(grant(asking.credentials))
        if (answer._tag === "Success") {
          granted = { avatar: answer.success }
          state = asking.granted
          break
        }
        refusal = answer.failure
        if (refusal instanceof LoginError && refusal.fault === "Local") return yield* Effect.fail(refusal)
        state = asking.refused
        break
      }
      case "Succeeded": {
        if (granted === undefined) return yield* Effect.die(new Error(`${name} succeeds without a login`))
        if (state.data === undefined || options.successData === true) {
          return { mechanism: name, avatar: granted.avatar, data: state.data }
        }
        const { length } = yield* ask(state.data)
        if (length > 0) return yield* failed(new Malformed({ detail: "a response to the last word" }))
        return { mechanism: name, avatar: granted.avatar, data: undefined }
      }
      case "Failed":
        return yield* refusal === undefined ? Effect.fail(failed(state.reason)) : Effect.fail(refusal)
    }
  }
})

const mechanismOf = Effect.fnUntraced(function* (
  { binding, hostName = "localhost", identity }: Options,
  name: string,
  offered: ReadonlyArray<string>
): Effect.fn.Return<ServerMechanism, never, SecureRandom> {
  const random = yield* SecureRandom
  switch (name) {
    case "PLAIN":
      return SaslPlain.server
    case "LOGIN":
      return SaslLogin.server
    case "ANONYMOUS":
      return SaslAnonymous.server
    case "OAUTHBEARER":
      return SaslBearer.serverOauthBearer
    case "XOAUTH2":
      return SaslBearer.serverXoauth2
    case "EXTERNAL":
      return SaslExternal.server(identity ?? "")
    case "CRAM-MD5":
      return SaslCramMd5.server(`<${Hex.encode(yield* random.randomBytes(16))}@${hostName}>`)
    default:
      return SaslScram.server({
        hash: name.startsWith("SCRAM-SHA-256") ? "SHA-256" : "SHA-1",
        nonce: encodeBase64(yield* random.randomBytes(18)),
        binding,
        plus: name.endsWith("-PLUS"),
        plusOffered: offered.some((name) => name.endsWith("-PLUS"))
      })
  }
})
