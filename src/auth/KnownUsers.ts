/** A few users and their passwords, in memory: for protocols whose passwords are compared as they are. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { equalSecrets } from "./constantTime.ts"

export type Users = Iterable<readonly [user: string, password: Redacted.Redacted]>

/** Whether that is the password of that user. It takes the same time whatever is wrong. */
export const check = (
  users: Users
): ((user: string, password: Redacted.Redacted) => Effect.Effect<boolean>) => {
  const known = new Map([...users].map(([user, password]) => [user, encoded(password)]))
  const nobody = new Uint8Array(32)
  return (user, password) =>
    Effect.sync(() => {
      const expected = known.get(user)
      const isRight = equalSecrets(encoded(password), expected ?? nobody)
      return isRight && expected !== undefined
    })
}

const encoded = (password: Redacted.Redacted): Uint8Array =>
  new TextEncoder().encode(Redacted.value(password))
