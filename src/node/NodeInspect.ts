/** Letting a debugger in. */
import * as inspector from "node:inspector"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export class InspectError extends Data.TaggedError("InspectError")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

const hostDefault = "127.0.0.1"

/** `9229`, `127.0.0.1:9229`, `[::1]:9229`. Whoever reaches it can run any code in this process. Until the scope ends. */
export const open = (at: string): Effect.Effect<void, InspectError, Scope.Scope> =>
  Effect.suspend(() => {
    const [, bracketed, plain, port] = /^(?:(?:\[([^\]]+)\]|([^:]+)):)?([0-9]{1,5})$/.exec(at) ?? []
    if (port === undefined || Number(port) > 65_535) {
      return Effect.fail(new InspectError({ detail: `"${at}" is no place: say 9229, or 127.0.0.1:9229` }))
    }
    return Effect.acquireRelease(
      Effect.try({
        try: () => inspector.open(Number(port), bracketed ?? plain ?? hostDefault),
        catch: (error) => new InspectError({ detail: error instanceof Error ? error.message : String(error) })
      }),
      () => Effect.sync(() => inspector.close())
    )
  })
