/**
 * SASL on the client's side: the strongest mechanism that the server offers and that will do, and the exchange. How messages
 * travel is the protocol's: it gives two functions that send and wait for the reply.
 */
import { SecureRandom } from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { KeyDerivation, KeyDerivationError } from "./KeyDerivation.ts"
import { passwordBytes, saltedPassword } from "./PasswordHash.ts"
import * as SaslAnonymous from "./SaslAnonymous.ts"
import { encodeBase64 } from "./SaslBase64.ts"
import * as SaslBearer from "./SaslBearer.ts"
import * as SaslCramMd5 from "./SaslCramMd5.ts"
import {
  Malformed,
  NoMechanism,
  NotAuthenticated,
  SaslError,
  type SaslReason,
  Unencodable
} from "./SaslError.ts"
import * as SaslExternal from "./SaslExternal.ts"
import * as SaslLogin from "./SaslLogin.ts"
import type { ChannelBinding, ClientMechanism, ClientState } from "./SaslMechanism.ts"
import * as SaslPlain from "./SaslPlain.ts"
import { prepareOrKeep } from "./SaslPrep.ts"
import * as SaslScram from "./SaslScram.ts"
import * as SaslStrength from "./SaslStrength.ts"

/** Who we are, and how we can show it. */
export type Identity =
  | {
      readonly _tag: "Password"
      readonly username: string
      readonly password: Redacted.Redacted<string>
      /** As whom to act. Default: as ourselves. */
      readonly authorizationId?: string | undefined
    }
  | {
      readonly _tag: "Bearer"
      readonly token: Redacted.Redacted<string>
      readonly username?: string | undefined
    }
  /** What the connection has shown already: our certificate. */
  | { readonly _tag: "External"; readonly authorizationId?: string | undefined }
  | { readonly _tag: "Anonymous"; readonly trace?: string | undefined }

export const password = (username: string, password: string, authorizationId?: string): Identity => ({
  _tag: "Password",
  username,
  password: Redacted.make(password),
  authorizationId
})

export interface Options {
  readonly identity: Identity
  /** Whether nobody can listen, and the server is who it should be. Without that, nothing is used that sends a secret. */
  readonly secured: boolean
  /** Sends secrets where everybody can listen, too. Default: false. */
  readonly allowUnsecuredSecrets?: boolean | undefined
  /** Only these. Default: all. */
  readonly mechanisms?: ReadonlyArray<string> | undefined
  readonly binding?: ChannelBinding | undefined
  /** Whether the first response can go with the mechanism's name. Default: true. */
  readonly initialResponse?: boolean | undefined
  /** Of SCRAM. Defaults: 4,096 and 1,000,000. */
  readonly iterationsMin?: number | undefined
  readonly iterationsMax?: number | undefined
}

/** What a server says. */
export type Reply =
  | { readonly _tag: "Challenge"; readonly bytes: Uint8Array }
  | { readonly _tag: "Success"; readonly data?: Uint8Array | undefined }
  | { readonly _tag: "Failure"; readonly detail?: string | undefined }

export interface Exchange<out E = never, out R = never> {
  readonly start: (mechanism: string, initial: Uint8Array | undefined) => Effect.Effect<Reply, E, R>
  readonly respond: (bytes: Uint8Array) => Effect.Effect<Reply, E, R>
  /** Gives up (`*`), and reads what the server says to that. Default: nothing is sent. */
  readonly cancel?: Effect.Effect<void, E, R> | undefined
}

const kinds: Readonly<Record<Identity["_tag"], ReadonlyArray<SaslStrength.Traits["kind"]>>> = {
  Password: ["ScramProof", "PasswordProof", "UsernamePassword"],
  Bearer: ["Bearer"],
  External: ["External"],
  Anonymous: ["Anonymous"]
}

/** The strongest that is offered and will do. */
export const choose = (
  offered: ReadonlyArray<string>,
  options: Options
): Result.Result<string, SaslError> => {
  const { allowUnsecuredSecrets = false, binding, identity, mechanisms, secured } = options
  const names = new Set(offered.map((name) => name.toUpperCase()))
  const wanted = mechanisms === undefined ? undefined : new Set(mechanisms.map((name) => name.toUpperCase()))
  const acting = "authorizationId" in identity && (identity.authorizationId ?? "") !== ""
  const able = SaslStrength.all.filter(
    (traits) =>
      kinds[identity._tag].includes(traits.kind) &&
      (!traits.needsSecrecy || secured || allowUnsecuredSecrets) &&
      (!traits.needsBinding || binding !== undefined) &&
      (!acting || traits.carriesAuthorization) &&
      wanted?.has(traits.name) !== false
  )
  const chosen = able.find(({ name }) => names.has(name))
  if (chosen !== undefined) return Result.succeed(chosen.name)
  const shown = offered.slice(0, 20).map((name) => name.slice(0, 20).replace(/[^A-Za-z0-9_-]/g, "?"))
  return Result.fail(
    new SaslError({
      mechanism: "",
      reason: new NoMechanism({ wanted: able.map(({ name }) => name), offered: shown })
    })
  )
}

/** Chooses, and goes through with it; gives the name of the mechanism. */
export const authenticate = Effect.fn("SaslClient.authenticate")(function* <E = never, R = never>(
  offered: ReadonlyArray<string>,
  options: Options,
  exchange: Exchange<E, R>
): Effect.fn.Return<string, SaslError | KeyDerivationError | E, R | KeyDerivation | SecureRandom> {
  const name = yield* Effect.fromResult(choose(offered, options))
  const fail = (reason: SaslReason) => Effect.fail(new SaslError({ mechanism: name, reason }))
  const random = yield* SecureRandom
  const nonce = encodeBase64(yield* random.randomBytes(18))
  // To say that one could bind means to say that the server did not offer it.
  const plus = name.endsWith("-PLUS") || !offered.some((name) => name.toUpperCase().endsWith("-PLUS"))
  const mechanism = mechanismOf(name, plus ? options : { ...options, binding: undefined }, nonce)
  if (Result.isFailure(mechanism)) return yield* fail(new Unencodable({ detail: mechanism.failure }))

  const first = mechanism.success.start
  let state: ClientState = first
  let reply: Reply | undefined
  for (;;) {
    if (state._tag === "Derive") {
      const { derived, hash, iterations, password, salt }: Extract<ClientState, { _tag: "Derive" }> = state
      state = derived(yield* saltedPassword(hash, password, salt, iterations))
    } else if (state._tag === "Failed") {
      if (reply?._tag === "Challenge" && exchange.cancel !== undefined) yield* exchange.cancel
      return yield* fail(state.reason)
    } else if (state._tag === "Completed") {
      return name
    } else {
      reply = yield* next(
        exchange,
        name,
        state.response,
        reply === undefined,
        options.initialResponse !== false
      )
      if (reply._tag === "Failure") return yield* fail(new NotAuthenticated({ detail: reply.detail }))
      if (reply._tag === "Challenge") state = state.challenge(reply.bytes)
      else state = state.success(reply.data)
    }
  }
})

/** Sends a response; the first one with the mechanism's name, or where that cannot be, when the server asks for it. */
const next = Effect.fnUntraced(function* <E, R>(
  exchange: Exchange<E, R>,
  name: string,
  response: Uint8Array | undefined,
  isFirst: boolean,
  initialResponse: boolean
): Effect.fn.Return<Reply, SaslError | E, R> {
  if (!isFirst) return yield* exchange.respond(response ?? new Uint8Array(0))
  if (response === undefined || initialResponse) return yield* exchange.start(name, response)
  const reply = yield* exchange.start(name, undefined)
  if (reply._tag === "Failure") return reply
  if (reply._tag === "Challenge" && reply.bytes.length === 0) return yield* exchange.respond(response)
  return yield* new SaslError({
    mechanism: name,
    reason: new Malformed({ detail: "the server should ask for the first response" })
  })
})

/** Or why what we are cannot be said. */
const mechanismOf = (
  name: string,
  { binding, identity, iterationsMax, iterationsMin }: Options,
  nonce: string
): Result.Result<ClientMechanism, string> => {
  switch (identity._tag) {
    case "External":
      return Result.succeed(SaslExternal.client(identity.authorizationId))
    case "Anonymous":
      return Result.succeed(SaslAnonymous.client(identity.trace))
    case "Bearer": {
      const token = Redacted.value(identity.token)
      const { username } = identity
      if (/[^\x21-\x7e]/.test(token) || ["\0", "\x01"].some((mark) => username?.includes(mark) === true)) {
        return Result.fail("the token or the name has characters that it cannot have")
      }
      if (name !== "XOAUTH2") return Result.succeed(SaslBearer.clientOauthBearer(token, username))
      return username === undefined
        ? Result.fail("this mechanism needs the name of the user")
        : Result.succeed(SaslBearer.clientXoauth2(token, username))
    }
    case "Password": {
      const { authorizationId, username } = identity
      const secret = Redacted.value(identity.password)
      if (username === "" || secret === "") return Result.fail("the name or the password is empty")
      if (`${username}${secret}${authorizationId ?? ""}`.includes("\0")) {
        return Result.fail("the name or the password has a NUL")
      }
      if (name === "PLAIN") return Result.succeed(SaslPlain.client(username, secret, authorizationId))
      if (name === "LOGIN") return Result.succeed(SaslLogin.client(username, secret))
      if (name === "CRAM-MD5") return Result.succeed(SaslCramMd5.client(username, secret))
      return Result.succeed(
        SaslScram.client({
          hash: name.startsWith("SCRAM-SHA-256") ? "SHA-256" : "SHA-1",
          username: prepareOrKeep(username),
          password: passwordBytes(secret),
          authorizationId: authorizationId === "" ? undefined : authorizationId,
          nonce,
          binding,
          plus: name.endsWith("-PLUS"),
          iterationsMin,
          iterationsMax
        })
      )
    }
  }
}
