/** Who may use a cache, by the name and the password that memcached's text authentication sends first. Twisted has none. */
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as KnownUsers from "../auth/KnownUsers.ts"

/** Whether that is the password of that user. */
export type Authenticate = (user: string, password: Redacted.Redacted) => Effect.Effect<boolean>

/** These users, in memory. A check takes the same time whatever is wrong. */
export const memory: (users: KnownUsers.Users) => Authenticate = KnownUsers.check
