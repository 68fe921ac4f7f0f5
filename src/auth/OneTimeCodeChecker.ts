/** One-time codes by the clock (TOTP, RFC 6238), each good once. Usually the second step, after a password. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Checker from "./Checker.ts"
import { utf8 } from "./bytesOf.ts"
import { equalBytes } from "./constantTime.ts"
import type { OneTimeCode } from "./Credentials.ts"
import { type LoginError, unauthorized } from "./LoginError.ts"
import * as OneTimeCodes from "./OneTimeCodes.ts"

export interface Options extends OneTimeCodes.Options {
  /** The secret of a user; `undefined` for who has none. */
  readonly secretOf: (username: string) => Effect.Effect<Uint8Array | undefined, LoginError>
  /** Default 30. */
  readonly stepSeconds?: number | undefined
  /** How many steps a clock may be off, before and behind. Default 1. */
  readonly driftSteps?: number | undefined
  /** How many users are remembered by their last code, so that it is good once; then the oldest is forgotten. Default: 100,000. */
  readonly usersMax?: number | undefined
}

const nobody = new Uint8Array(20)

export const make = (options: Options): Effect.Effect<Checker.Checker<OneTimeCode>> =>
  Effect.map(Clock.Clock, (clock) => {
    const { driftSteps = 1, secretOf, stepSeconds = 30, usersMax = 100_000 } = options
    /** The step of the last code that was good: neither it nor one before is good again. RFC 6238 §5.2. */
    const last = new Map<string, number>()
    return Checker.make(
      ["OneTimeCode"],
      Effect.fnUntraced(function* ({ code, username }: OneTimeCode) {
        const secret = yield* secretOf(username)
        const now = OneTimeCodes.stepOf(clock.currentTimeMillisUnsafe(), stepSeconds)
        const given = utf8(Redacted.value(code).replaceAll(" ", ""))
        let found: number | undefined
        for (let step = Math.max(0, now - driftSteps); step <= now + driftSteps; step++) {
          const right = equalBytes(given, utf8(OneTimeCodes.hotp(secret ?? nobody, step, options)))
          if (right && found === undefined && step > (last.get(username) ?? -1)) found = step
        }
        if (found === undefined || secret === undefined) return yield* Effect.fail(unauthorized())
        last.delete(username)
        if (last.size >= usersMax) last.delete(last.keys().next().value!)
        last.set(username, found)
        return username
      })
    )
  })
