/**
 * The door: checkers find out who somebody is, realms what that one gets. Twisted: `Portal`.
 *
 * ```ts check
 * import * as Context from "effect/Context"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 * import { Checker, Portal, Realm } from "spindle/auth"
 *
 * class Greeting extends Context.Service<Greeting, string>()("app/Greeting") {}
 *
 * const portal = Portal.make({
 *   realms: [Realm.make(Greeting, (id) => Effect.succeed(`hello, ${String(id)}`))],
 *   checkers: [Checker.token(Redacted.make("open sesame"), "ali")]
 * })
 * ```
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { AvatarId } from "./AvatarId.ts"
import type * as Checker from "./Checker.ts"
import type { Credentials } from "./Credentials.ts"
import { denied, LoginError, NoRealm, type LoginReason, UnhandledCredentials } from "./LoginError.ts"

/** Takes credentials `C`, gives avatars of the interfaces `I`. `R` is what realms need of whoever logs in. */
export interface Portal<in C extends Credentials, in I, out R = never> {
  /** The avatar, until the scope ends. Fails as `Unauthorized`, `Denied`, ... */
  readonly login: <K extends I, S>(
    credentials: C,
    avatarInterface: Context.Key<K, S>
  ) => Effect.Effect<S, LoginError, R | Scope.Scope>
  /** The first of several avatars that there is for this one: a realm that denies leaves it to the next interface. */
  readonly loginAny: <
    const Keys extends readonly [Context.Key<I, unknown>, ...Array<Context.Key<I, unknown>>]
  >(
    credentials: C,
    interfaces: Keys
  ) => Effect.Effect<AvatarOf<Keys[number]>, LoginError, R | Scope.Scope>
  /** The first half: whose credentials these are. */
  readonly authenticate: (credentials: C) => Effect.Effect<AvatarId, LoginError>
  /** The second half, for who is known already. */
  readonly enter: <K extends I, S>(
    id: AvatarId,
    avatarInterface: Context.Key<K, S>
  ) => Effect.Effect<S, LoginError, R | Scope.Scope>
  /** The tags of credentials that there is a checker for. Twisted: `listCredentialsInterfaces`. */
  readonly kinds: ReadonlyArray<string>
  /** Where `ScramProof` is among them. */
  readonly scram: Checker.ScramLookup | undefined
}

/** Which of several interfaces it was, and the avatar. */
export type AvatarOf<K> =
  K extends Context.Key<infer I, infer S>
    ? { readonly interface: Context.Key<I, S>; readonly avatar: S }
    : never

// A realm's types are in no common place but `unknown`'s: `make` takes them apart.
type AnyRealm = {
  readonly interface: Context.Key<unknown, unknown>
  readonly avatar: (id: AvatarId) => Effect.Effect<unknown, LoginError, unknown>
}
type InterfaceOf<T> = T extends { readonly interface: Context.Key<infer I, unknown> } ? I : never
type NeedOf<T> = T extends { readonly avatar: (id: AvatarId) => Effect.Effect<unknown, LoginError, infer R> }
  ? Exclude<R, Scope.Scope>
  : never

export interface Options<
  Realms extends ReadonlyArray<AnyRealm>,
  Checkers extends ReadonlyArray<Checker.Any>
> {
  /** One for each interface. */
  readonly realms: Realms
  /** Of several for one kind of credentials each is asked, in this order, until one knows whose they are. */
  readonly checkers: Checkers
  /**
   * Whether somebody may act as another one (SASL's authorization identity: `root` for `operator`). Nobody is asked about
   * whoever wants to be himself. Default: nobody may.
   */
  readonly mayActAs?: ((id: AvatarId, wanted: string) => Effect.Effect<boolean, LoginError>) | undefined
}

/** Throws a `TypeError` if two realms have one interface. */
export const make = <
  const Realms extends ReadonlyArray<AnyRealm>,
  const Checkers extends ReadonlyArray<Checker.Any>
>({
  checkers,
  mayActAs = () => Effect.succeed(false),
  realms
}: Options<Realms, Checkers>): Portal<
  Checker.CredentialsOf<Checkers[number]>,
  InterfaceOf<Realms[number]>,
  NeedOf<Realms[number]>
> => {
  type C = Checker.CredentialsOf<Checkers[number]>
  type R = NeedOf<Realms[number]>
  const byKey = new Map<string, AnyRealm>()
  for (const realm of realms) {
    const { key } = realm.interface
    if (byKey.has(key)) throw new TypeError(`two realms for ${key}`)
    byKey.set(key, realm)
  }
  const kinds = [...new Set(checkers.flatMap((checker) => checker.kinds))]

  const check = (credentials: C): Effect.Effect<AvatarId, LoginError> => {
    const asked = checkers.filter(({ kinds }) =>
      kinds.includes(credentials._tag)
    ) as ReadonlyArray<unknown> as ReadonlyArray<Checker.Checker<C>>
    const [first, ...others] = asked
    if (first === undefined) {
      return Effect.fail(
        new LoginError({ reason: new UnhandledCredentials({ kind: credentials._tag, handled: kinds }) })
      )
    }
    return others.reduce(
      (before, checker) =>
        Effect.catchIf(
          before,
          ({ reason }) => reason._tag === "Unauthorized",
          () => checker.check(credentials)
        ),
      first.check(credentials)
    )
  }

  const authenticate = Effect.fn("Portal.authenticate")(function* (credentials: C) {
    const id = yield* check(credentials)
    const wanted = credentials.authorizationId
    if (wanted === undefined || wanted === "" || wanted === id) return id
    if (yield* mayActAs(id, wanted)) return wanted
    return yield* Effect.fail(denied("this user may not act as another one"))
  })

  const enter = (id: AvatarId, { key }: Context.Key<unknown, unknown>) => {
    const realm = byKey.get(key)
    return realm === undefined
      ? Effect.fail(new LoginError({ reason: new NoRealm({ interface: key }) }))
      : (realm.avatar(id) as Effect.Effect<never, LoginError, R | Scope.Scope>)
  }

  return {
    kinds,
    scram: scramOf(checkers),
    authenticate,
    enter,
    login: (credentials, key) => Effect.flatMap(authenticate(credentials), (id) => enter(id, key)),
    loginAny: (credentials, interfaces) =>
      Effect.flatMap(authenticate(credentials), (id) => {
        const [first, ...others] = interfaces.map((key) =>
          Effect.map(enter(id, key), (avatar) => ({ interface: key, avatar }))
        )
        return others.reduce(
          (before, next) =>
            Effect.catchIf(
              before,
              ({ reason }) => mayGoOn(reason),
              () => next
            ),
          first!
        ) as Effect.Effect<never, LoginError, R | Scope.Scope>
      })
  }
}

const mayGoOn = ({ _tag }: LoginReason): boolean => _tag === "Denied" || _tag === "NoRealm"

/**
 * SCRAM asks one checker for the salt, before it is known who will accept the proof: the first one. Several stores of SCRAM
 * are one store, which finds a user here or there.
 */
const scramOf = (checkers: ReadonlyArray<Checker.Any>): Checker.ScramLookup | undefined =>
  checkers.find(({ scram }) => scram !== undefined)?.scram
