/** What the tests of `Timeout` share: a server whose conversations tell how they ended. */
import { assert } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type * as Protocol from "../../src/protocol/Protocol.ts"
import * as Timeout from "../../src/protocol/Timeout.ts"
import type { Conversation } from "../../src/reactor/Conversation.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { serve, type ServeOptions } from "./serving.ts"

export type Ended = Exit.Exit<void, unknown> | undefined

/** A server whose conversations tell how they ended. */
export const watched = Effect.fnUntraced(function* <E, R extends Scope.Scope = never>(
  conversation: Conversation<Transport, E, R>,
  options?: ServeOptions
) {
  const seen: { ended: Ended } = { ended: undefined }
  const protocol: Protocol.Protocol<Transport, E, R> = (transport) =>
    Effect.onExit(conversation(transport), (exit) => Effect.sync(() => void (seen.ended = exit)))
  const server = yield* serve(protocol, options)
  return { ...server, seen }
})

export const errorOf = (ended: Ended): unknown => {
  if (ended === undefined) return assert.fail("the conversation goes on")
  return Exit.isSuccess(ended) ? "success" : Cause.squash(ended.cause)
}

export const phaseOf = (ended: Ended): string => {
  const error = errorOf(ended)
  if (!(error instanceof Timeout.PhaseTimeoutError)) return assert.fail(String(error))
  assert.strictEqual(error.reason._tag, "TimedOut")
  assert.strictEqual(error.reason.fault, "Remote")
  return error.phase
}
