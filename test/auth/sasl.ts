/** What tests of SASL share: text as bytes, machines run against each other, layers. */
import { assert } from "@effect/vitest"
import { SecureRandom } from "effect/crypto"
import * as Layer from "effect/Layer"
import { Pbkdf2 } from "../../src/auth/Pbkdf2.ts"
import * as KeyDerivation from "../../src/auth/KeyDerivation.ts"
import type { ClientState, ServerState } from "../../src/auth/SaslMechanism.ts"

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : new TextDecoder().decode(bytes)

/** What a state has to be here. */
export const holds = <S extends { readonly _tag: string }, Tag extends S["_tag"]>(
  state: S,
  tag: Tag
): Extract<S, { readonly _tag: Tag }> => {
  const why =
    state._tag === "Failed" ? `: ${(state as { reason?: { message: string } }).reason?.message}` : ""
  assert.strictEqual(state._tag, tag, `${state._tag}${why}`)
  return state as Extract<S, { readonly _tag: Tag }>
}

/** PBKDF2, at once. */
export const derived = (state: ClientState): ClientState => {
  const { derived, hash, iterations, password, salt } = holds(state, "Derive")
  const work = new Pbkdf2(hash, password, salt, iterations)
  while (!work.advance(10_000)) continue
  return derived(work.key)
}

export const reasonOf = (state: ServerState | ClientState): string =>
  holds(state as { _tag: "Failed"; reason: { message: string } }, "Failed").reason.message

/** Everything that waits is pure, and random numbers are real. */
export const pure = Layer.mergeAll(KeyDerivation.layerPure, SecureRandom.layerWebCrypto)
