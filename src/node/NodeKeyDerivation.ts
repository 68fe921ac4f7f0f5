/**
 * Node's slow functions for passwords, in its thread pool: what `KeyDerivation` of `auth` asks of a platform. `argon2` is there
 * since Node 24.7.
 */
import * as crypto from "node:crypto"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"

type Done = (error: Error | null, key: Uint8Array) => void

/** Node cannot stop what has begun: whoever counts how many run must not lose sight of one. It takes a tenth of a second. */
const derive = (start: (done: Done) => void): Effect.Effect<Uint8Array, Cause.UnknownError> =>
  Effect.uninterruptible(running(start))

const running = (start: (done: Done) => void): Effect.Effect<Uint8Array, Cause.UnknownError> =>
  Effect.callback((resume) => {
    const done: Done = (error, key) =>
      resume(
        error === null ? Effect.succeed(new Uint8Array(key)) : Effect.fail(new Cause.UnknownError(error))
      )
    try {
      start(done)
    } catch (cause) {
      resume(Effect.fail(new Cause.UnknownError(cause)))
    }
  })

const scrypt = (
  password: Uint8Array,
  salt: Uint8Array,
  {
    blockSize,
    cost,
    parallelization
  }: { readonly cost: number; readonly blockSize: number; readonly parallelization: number },
  keyBytes: number
) =>
  derive((done) =>
    crypto.scrypt(
      password,
      salt,
      keyBytes,
      // Node's own limit of 32 MiB is below what is advised today.
      { cost, blockSize, parallelization, maxmem: 128 * blockSize * (cost + parallelization + 2) + 1024 },
      done
    )
  )

const argon2 = (
  variant: "argon2d" | "argon2i" | "argon2id",
  message: Uint8Array,
  nonce: Uint8Array,
  cost: { readonly memoryKibibytes: number; readonly passes: number; readonly parallelism: number },
  tagLength: number
) =>
  derive((done) =>
    crypto.argon2(
      variant,
      {
        message,
        nonce,
        tagLength,
        memory: cost.memoryKibibytes,
        passes: cost.passes,
        parallelism: cost.parallelism
      },
      done
    )
  )

/** To be given to `KeyDerivation.layer`. */
export const functions = {
  scrypt,
  argon2: typeof (crypto as { argon2?: unknown }).argon2 === "function" ? argon2 : undefined,
  pbkdf2: (hash: "SHA-1" | "SHA-256", password: Uint8Array, salt: Uint8Array, iterations: number) =>
    derive((done) => {
      const digest = hash === "SHA-1" ? "sha1" : "sha256"
      crypto.pbkdf2(password, salt, iterations, digest === "sha1" ? 20 : 32, digest, done)
    })
}
