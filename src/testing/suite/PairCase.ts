import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { StreamOptions } from "../../reactor/Endpoint.ts"
import type { Transport } from "../../reactor/Transport.ts"
import type { Resources } from "./Case.ts"

/** Two transports that talk to each other, and how to close the scope of each. */
export interface Pair {
  readonly left: Transport
  readonly right: Transport
  readonly closeLeft: Effect.Effect<void>
  readonly closeRight: Effect.Effect<void>
}

/** A fresh connected pair, both sides with these options; the scope's end closes both. */
export type MakePair = (options?: StreamOptions) => Effect.Effect<Pair, unknown, Scope.Scope>

/**
 * - `HalfClose`: one direction can end while the other goes on.
 * - `Reset`: the peer can tell an abort from a clean end (a UNIX socket has no reset).
 * - `Chunks`: what leaves in one write arrives in one piece while it is small.
 * - `Addresses`: each side's `local` is the other one's `peer`.
 */
export type Capability = "HalfClose" | "Reset" | "Chunks" | "Addresses"

export interface PairSubject {
  readonly name: string
  readonly pair: MakePair
  readonly capabilities: ReadonlyArray<Capability>
  /** Bytes that the system may hold in one direction, over and above both sides' high-water marks. Default 0. */
  readonly systemBytesMax?: number | undefined
  readonly security?: "Plain" | "Tls" | undefined
  readonly resources?: Resources | undefined
}

/** A check of a pair. */
export interface PairCase {
  readonly name: string
  readonly needs: ReadonlyArray<Capability>
  /** Both sides do the same, or it takes long: not repeated with the sides swapped. */
  readonly once: boolean
  readonly run: (pair: MakePair, subject: PairSubject) => Effect.Effect<void, unknown, Scope.Scope>
}

export const pairCase = (
  name: string,
  run: PairCase["run"],
  options?: { readonly needs?: ReadonlyArray<Capability>; readonly once?: boolean }
): PairCase => ({ name, run, needs: options?.needs ?? [], once: options?.once ?? false })
