import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Tls from "../reactor/Tls.ts"
import { NodeTlsAcceptor } from "./NodeTlsAcceptor.ts"

/**
 * Has the identities of these options read again at each `Reloads.reload`, until the scope ends; `what` is said when that fails.
 * Endpoints with TLS do it themselves: this is for options that protocols begin TLS with later (STARTTLS).
 */
export const register = (tls: Tls.ServerOptions, what: string): Effect.Effect<void, never, Scope.Scope> =>
  NodeTlsAcceptor.of(tls).reloads(what)
