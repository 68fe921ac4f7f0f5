/** Who may use a proxy: what the application supplies. The ready defaults ask for no password, or know a few in memory. */
import * as crypto from "node:crypto"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"

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

const digest = (text: string): Buffer => crypto.createHash("sha256").update(text).digest()

/** These users. A check takes the same time whatever is wrong. */
export const memory = (
  users: Iterable<readonly [user: string, password: Redacted.Redacted]>
): SocksUsers["Service"] => {
  const known = new Map([...users].map(([user, password]) => [user, digest(Redacted.value(password))]))
  const nobody = crypto.randomBytes(32)
  return {
    check: (user, password) =>
      Effect.sync(() => {
        const expected = known.get(user)
        const isRight = crypto.timingSafeEqual(digest(Redacted.value(password)), expected ?? nobody)
        return isRight && expected !== undefined
      })
  }
}

/** The users with their passwords; without any, nobody is asked. */
export const layer = (
  users?: Iterable<readonly [user: string, password: Redacted.Redacted]>
): Layer.Layer<SocksUsers> => Layer.succeed(SocksUsers, users === undefined ? nobodyAsked : memory(users))
