/**
 * What somebody gets who was let in: an avatar, for one interface. An interface is a service's class, so that what a login gave
 * can be provided to the rest of the conversation. Twisted: `IRealm.requestAvatar`, of which one answers for all interfaces.
 *
 * ```ts check
 * import * as Context from "effect/Context"
 * import * as Effect from "effect/Effect"
 * import { Realm } from "spindle/auth"
 *
 * class Mailbox extends Context.Service<Mailbox, { readonly list: Effect.Effect<ReadonlyArray<string>> }>()("app/Mailbox") {}
 *
 * const mailboxes = Realm.make(Mailbox, (id) =>
 *   Effect.acquireRelease(
 *     Effect.succeed({ list: Effect.succeed([`a letter to ${String(id)}`]) }),
 *     () => Effect.log("logged out")
 *   )
 * )
 * ```
 */
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { AvatarId } from "./AvatarId.ts"
import type { LoginError } from "./LoginError.ts"

export interface Realm<I, S, R = never> {
  readonly interface: Context.Key<I, S>
  /**
   * The avatar; its scope is the login's, whose end is the logout. Fails as `Denied` for whom there is none. What it
   * requires besides is the login's to provide: what Twisted calls the mind.
   */
  readonly avatar: (id: AvatarId) => Effect.Effect<S, LoginError, R | Scope.Scope>
}

export const make = <I, S, R = never>(
  key: Context.Key<I, S>,
  avatar: (id: AvatarId) => Effect.Effect<S, LoginError, R>
): Realm<I, S, Exclude<R, Scope.Scope>> => ({
  interface: key,
  avatar: avatar as unknown as Realm<I, S, Exclude<R, Scope.Scope>>["avatar"]
})
