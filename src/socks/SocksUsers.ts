/** Who may use a proxy: what the application supplies. The ready defaults ask for no password, or know a few in memory. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as KnownUsers from "../auth/KnownUsers.ts"

export class SocksUsers extends Context.Service<
  SocksUsers,
  {
    /**
     * Whether that is the password of that user (RFC 1929). `undefined`: nobody is asked. Where somebody is, SOCKS 4 is refused, for
     * it has no passwords.
     */
    readonly check: ((user: string, password: Redacted.Redacted) => Effect.Effect<boolean>) | undefined
  }
>()("spindle/socks/SocksUsers") {}

/** Nobody is asked who he is. */
export const nobodyAsked: SocksUsers["Service"] = { check: undefined }

/** These users. A check takes the same time whatever is wrong. */
export const memory = (users: KnownUsers.Users): SocksUsers["Service"] => ({ check: KnownUsers.check(users) })

/** The users with their passwords; without any, nobody is asked. */
export const layer = (users?: KnownUsers.Users): Layer.Layer<SocksUsers> =>
  Layer.succeed(SocksUsers, users === undefined ? nobodyAsked : memory(users))
