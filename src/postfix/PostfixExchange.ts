/**
 * Requests over a connection, one at a time, as Postfix sends them. When a reply is not waited for to its end (a timeout, an interruption),
 * nobody could tell any more which reply belongs to whom: the connection is aborted.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { Frames } from "../framing/Frames.ts"
import type { FramingError } from "../framing/FramingError.ts"
import type { TransportError } from "../reactor/ReactorError.ts"
import { NoReply, PostfixError } from "./PostfixError.ts"

export interface Options {
  /** From sending a request to its reply. Default 30 seconds. */
  readonly timeout?: Duration.Input | undefined
}

/** A request that came to nothing. */
export type Failure = PostfixError | FramingError | TransportError

export const make = <In, Out>(
  frames: Pick<Frames<In, Out>, "receive" | "send" | "transport">,
  options: Options = {}
) => {
  const { timeout = "30 seconds" } = options
  const turn = Semaphore.makeUnsafe(1)

  /** The reply to a request, read by `parse`. Before its turn nothing of it is under way: giving up then costs nobody anything. */
  return <A>(
    operation: PostfixError["operation"],
    request: Out,
    parse: (reply: In) => Effect.Effect<A, PostfixError>
  ): Effect.Effect<A, Failure> => {
    const failed = (detail: string) => new PostfixError({ operation, reason: new NoReply({ detail }) })
    const exchange = Effect.andThen(frames.send(request), Effect.flatMap(frames.receive, parse)).pipe(
      Effect.timeoutOrElse({
        duration: timeout,
        orElse: () =>
          Effect.fail(failed(`no reply within ${Duration.format(Duration.fromInputUnsafe(timeout))}`))
      }),
      Effect.catchIf(Cause.isDone, () => Effect.fail(failed("the connection ended before the reply"))),
      Effect.onError(() => frames.transport.abort)
    )
    return turn.withPermits(1)(exchange)
  }
}
