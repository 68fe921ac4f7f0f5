/** Who may use a cache, by the name and the password that memcached's text authentication sends first. Twisted has none. */
import * as crypto from "node:crypto"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"

/** Whether that is the password of that user. */
export type Authenticate = (user: string, password: Redacted.Redacted) => Effect.Effect<boolean>

const digest = (text: string): Buffer => crypto.createHash("sha256").update(text).digest()

/** These users, in memory. A check takes the same time whatever is wrong. */
export const memory = (
  users: Iterable<readonly [user: string, password: Redacted.Redacted]>
): Authenticate => {
  const known = new Map([...users].map(([user, password]) => [user, digest(Redacted.value(password))]))
  const nobody = crypto.randomBytes(32)
  return (user, password) =>
    Effect.sync(() => {
      const expected = known.get(user)
      const isRight = crypto.timingSafeEqual(digest(Redacted.value(password)), expected ?? nobody)
      return isRight && expected !== undefined
    })
}
