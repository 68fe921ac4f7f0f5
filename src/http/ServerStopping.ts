/**
 * Tells what is being answered that the server begins to stop, so that answers without an end can end at once instead of being waited
 * for (`drainTimeout`). `ServerSentEvents` does so by itself.
 *
 * ```ts check
 * import * as Effect from "effect/Effect"
 * import * as HttpServerResponse from "effect/http/HttpServerResponse"
 * import * as Stream from "effect/Stream"
 * import { ServerStopping } from "spindle/http"
 *
 * const ticks = Stream.map(Stream.tick("1 second"), () => new TextEncoder().encode("tick\n"))
 *
 * export const clock = Effect.map(ServerStopping.ServerStopping, (stopping) =>
 *   HttpServerResponse.stream(Stream.interruptWhen(ticks, stopping))
 * )
 * ```
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** Waits until the server stops that has taken the request. Where nobody tells, it does not. */
export const ServerStopping: Context.Reference<Effect.Effect<void>> = Context.Reference<Effect.Effect<void>>(
  "spindle/http/ServerStopping",
  { defaultValue: () => Effect.never }
)
