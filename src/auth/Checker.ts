/**
 * Who finds out whether credentials are good, and whose they are. Twisted: `ICredentialsChecker`.
 *
 * ```ts check
 * import * as Effect from "effect/Effect"
 * import { Checker, Credentials, LoginError } from "spindle/auth"
 *
 * const badges = Checker.make(["External"], ({ identity }: Credentials.External) =>
 *   identity.startsWith("CN=") ? Effect.succeed(identity.slice(3)) : Effect.fail(LoginError.unauthorized())
 * )
 * ```
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { Anonymous, type AvatarId } from "./AvatarId.ts"
import { equalSecrets } from "./constantTime.ts"
import { utf8 } from "./bytesOf.ts"
import type * as Credentials from "./Credentials.ts"
import { type LoginError, unauthorized } from "./LoginError.ts"
import type { ScramHash, ScramKeys } from "./ScramKeys.ts"

/** A constructor of checkers marks them with it, so that those of another copy of this module are known, too. */
export const TypeId = "~spindle/auth/Checker"

/** What SCRAM has to know before it sees a proof. For who does not exist it looks the same, always the same. */
export type ScramLookup = (username: string, hash: ScramHash) => Effect.Effect<ScramKeys, LoginError>

export interface Checker<in C extends Credentials.Credentials> {
  readonly [TypeId]: typeof TypeId
  /** The tags of the credentials that it takes. Twisted: `credentialInterfaces`. */
  readonly kinds: ReadonlyArray<string>
  readonly check: (credentials: C) => Effect.Effect<AvatarId, LoginError>
  /** Where `ScramProof` is among the kinds. */
  readonly scram: ScramLookup | undefined
}

// A checker of nothing in particular: any one is assignable to it.
export type Any = Checker<never>

/** The credentials that a checker takes. */
export type CredentialsOf<T> = T extends Checker<infer C> ? C : never

export const make = <C extends Credentials.Credentials>(
  kinds: ReadonlyArray<C["_tag"]>,
  check: (credentials: C) => Effect.Effect<AvatarId, LoginError>,
  scram?: ScramLookup
): Checker<C> => ({ [TypeId]: TypeId, kinds, check, scram })

export const isChecker = (value: unknown): value is Any =>
  typeof value === "object" && value !== null && TypeId in value

/** For what is only known when it runs: a portal looks at `kinds`, and refuses what is not among them. */
export const widen = (checker: Any): Checker<Credentials.Known> =>
  checker as unknown as Checker<Credentials.Known>

/** Everybody may come in who asks. Twisted: `AllowAnonymousAccess`. */
export const anonymous: Checker<Credentials.Anonymous> = make(["Anonymous"], () => Effect.succeed(Anonymous))

/** Takes the word of whoever found out: for EXTERNAL, where the server says who the peer is. */
export const external: Checker<Credentials.External> = make(["External"], ({ identity }) =>
  Effect.succeed(identity)
)

/** Tokens that are asked for elsewhere: by introspection, a signature, a table. `undefined` is a token that is none. */
export const bearer = (
  owner: (token: string) => Effect.Effect<AvatarId | undefined, LoginError>
): Checker<Credentials.Bearer> =>
  make(["Bearer"], ({ token, username }) =>
    Effect.flatMap(owner(Redacted.value(token)), (id) => {
      const claimed = username === undefined || username === "" || id === username
      return id !== undefined && claimed ? Effect.succeed(id) : Effect.fail(unauthorized())
    })
  )

/** One token for all, compared in constant time. */
export const token = (secret: Redacted.Redacted<string>, id: AvatarId): Checker<Credentials.Bearer> =>
  bearer((given) =>
    Effect.sync(() => (equalSecrets(utf8(given), utf8(Redacted.value(secret))) ? id : undefined))
  )

/** The same checker under a condition, or with other names: `f` sees whom it let in. */
export const andThen = <C extends Credentials.Credentials>(
  checker: Checker<C>,
  f: (id: AvatarId, credentials: C) => Effect.Effect<AvatarId, LoginError>
): Checker<C> => ({
  ...checker,
  check: (credentials) => Effect.flatMap(checker.check(credentials), (id) => f(id, credentials))
})
