/** Bytes that nobody can guess: those of the `SecureRandom` that is provided, so that a test can say them; else the platform's. */
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

export const randomBytes = (count: number): Effect.Effect<Uint8Array> =>
  Effect.flatMap(Effect.serviceOption(SecureRandom.SecureRandom), (random) =>
    Option.isSome(random)
      ? random.value.randomBytes(count)
      : Effect.sync(() => SecureRandom.randomBytesUnsafe(count))
  )
