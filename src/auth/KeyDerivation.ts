/**
 * What a platform owes us to keep passwords: functions that are slow on purpose, off the event loop. Node's are
 * `NodeKeyDerivation.functions`, in `node`:
 *
 * ```ts check
 * import { KeyDerivation } from "spindle/auth"
 * import { NodeKeyDerivation } from "spindle/node"
 *
 * const live = KeyDerivation.layer(NodeKeyDerivation.functions)
 * ```
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import type { Fault } from "../reactor/Reason.ts"
import { Pbkdf2 } from "./Pbkdf2.ts"

/** A slow function is not there, or failed. */
export class KeyDerivationError extends Data.TaggedError("KeyDerivationError")<{
  readonly detail: string
  readonly cause?: unknown
}> {
  readonly fault: Fault = "Local"
  override get message(): string {
    return this.detail
  }
}

export interface ScryptCost {
  /** N, a power of two. Memory is `128 * cost * blockSize` bytes. */
  readonly cost: number
  /** r. */
  readonly blockSize: number
  /** p. */
  readonly parallelization: number
}

export type Argon2Variant = "argon2d" | "argon2i" | "argon2id"

export interface Argon2Cost {
  readonly memoryKibibytes: number
  readonly passes: number
  readonly parallelism: number
}

type Derived = Effect.Effect<Uint8Array, Cause.UnknownError>

/** `undefined` is what a platform does not have. */
export interface Functions {
  /** RFC 7914. */
  readonly scrypt:
    | ((password: Uint8Array, salt: Uint8Array, cost: ScryptCost, keyBytes: number) => Derived)
    | undefined
  /** RFC 9106, version 1.3. */
  readonly argon2:
    | ((
        variant: Argon2Variant,
        password: Uint8Array,
        salt: Uint8Array,
        cost: Argon2Cost,
        keyBytes: number
      ) => Derived)
    | undefined
  /** RFC 8018, over HMAC, as long as the hash. */
  readonly pbkdf2: (
    hash: "SHA-1" | "SHA-256",
    password: Uint8Array,
    salt: Uint8Array,
    iterations: number
  ) => Derived
}

export class KeyDerivation extends Context.Service<KeyDerivation, Functions>()(
  "spindle/auth/KeyDerivation"
) {}

export interface Options {
  /** How many run at once; the others wait. Bounds memory and threads under a flood of logins. Default: 4. */
  readonly concurrencyMax?: number | undefined
}

export const layer = (functions: Functions, options: Options = {}): Layer.Layer<KeyDerivation> =>
  Layer.sync(KeyDerivation, () => {
    const turn = Semaphore.makeUnsafe(options.concurrencyMax ?? 4).withPermits(1)
    const { argon2, pbkdf2, scrypt } = functions
    return {
      scrypt: scrypt && ((...args) => turn(scrypt(...args))),
      argon2: argon2 && ((...args) => turn(argon2(...args))),
      pbkdf2: (...args) => turn(pbkdf2(...args))
    }
  })

/** Rounds between two chances for others: about a millisecond. */
const roundsAtOnce = 500

/** PBKDF2 alone, in slices on the event loop: for clients of SCRAM anywhere, and for tests. */
export const pure: Functions = {
  scrypt: undefined,
  argon2: undefined,
  pbkdf2: Effect.fnUntraced(function* (hash, password, salt, iterations) {
    const work = new Pbkdf2(hash, password, salt, iterations)
    while (!work.advance(roundsAtOnce)) yield* Effect.yieldNow
    return work.key
  })
}

export const layerPure: Layer.Layer<KeyDerivation> = layer(pure)
