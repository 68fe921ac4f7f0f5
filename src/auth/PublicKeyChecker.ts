/**
 * Public keys, as SSH logs in by them. Twisted: `SSHPublicKeyChecker`. Which keys a user has, and how a signature is checked,
 * is given: keys are compared here, and who asks with a key alone is told whether it would do (`SignatureMissing`).
 */
import * as Effect from "effect/Effect"
import * as Checker from "./Checker.ts"
import { equalBytes } from "./constantTime.ts"
import type { PublicKey } from "./Credentials.ts"
import { LoginError, SignatureMissing, unauthorized } from "./LoginError.ts"

export interface Options {
  /** The keys of a user, in SSH's wire format; none for who does not exist. Twisted: `IAuthorizedKeysDB`. */
  readonly keysOf: (username: string) => Effect.Effect<ReadonlyArray<Uint8Array>, LoginError>
  /** Whether the signature is that key's over what was signed. A platform's business: OpenSSL, an agent, hardware. */
  readonly verify: (key: {
    readonly algorithm: string
    readonly blob: Uint8Array
    readonly signed: Uint8Array
    readonly signature: Uint8Array
  }) => Effect.Effect<boolean, LoginError>
}

export const make = ({ keysOf, verify }: Options): Checker.Checker<PublicKey> =>
  Checker.make(
    ["PublicKey"],
    Effect.fnUntraced(function* ({ algorithm, blob, signature, username }: PublicKey) {
      const keys = yield* keysOf(username)
      if (!keys.some((key) => equalBytes(key, blob))) return yield* Effect.fail(unauthorized())
      if (signature === undefined) return yield* new LoginError({ reason: new SignatureMissing() })
      return (yield* verify({ algorithm, blob, ...signature }))
        ? username
        : yield* Effect.fail(unauthorized())
    })
  )
