/** The command's side of `ControlProtocol`. */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { FramingError } from "../framing/FramingError.ts"
import * as Framed from "../framing/Framed.ts"
import * as Ndjson from "../framing/Ndjson.ts"
import * as Client from "../protocol/Client.ts"
import * as Endpoint from "../reactor/Endpoint.ts"
import type { Reactor } from "../reactor/Reactor.ts"
import type { ConnectError, TransportError } from "../reactor/ReactorError.ts"
import { frameBytesMax, Reply, Request } from "./ControlProtocol.ts"

/** The daemon would not, or could not. */
export class ControlRefused extends Data.TaggedError("ControlRefused")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

export type ControlError = ControlRefused | ConnectError | TransportError | FramingError

/**
 * Asks, hears lines as they come, and gives the value of the answer; undefined if there is none, or the daemon ended the
 * connection without one, as it does when it was asked to stop.
 */
export const ask = Effect.fnUntraced(function* (
  path: string,
  request: Request,
  onLine: (text: string) => Effect.Effect<void> = () => Effect.void
): Effect.fn.Return<unknown, ControlError, Reactor> {
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const transport = yield* Client.connect(Endpoint.unixClient({ path }))
      const connection = Framed.make(Ndjson.make(transport, { lineBytesMax: frameBytesMax }), {
        receive: Reply,
        send: Request
      })
      yield* connection.send(request)
      while (true) {
        const reply = yield* connection.receive
        if (reply._tag === "Done") return reply.value
        if (reply._tag === "Refused") return yield* new ControlRefused({ detail: reply.detail })
        yield* onLine(reply.text)
      }
    }).pipe(Effect.catchIf(Cause.isDone, () => Effect.void))
  )
})
