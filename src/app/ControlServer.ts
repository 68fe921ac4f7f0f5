/** The daemon's side of `ControlProtocol`. Whoever may open the socket may stop the daemon: its mode is 0600. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Framed from "../framing/Framed.ts"
import type { FramingError } from "../framing/FramingError.ts"
import * as Protocol from "../protocol/Protocol.ts"
import * as Server from "../protocol/Server.ts"
import * as Endpoint from "../reactor/Endpoint.ts"
import type { Reactor } from "../reactor/Reactor.ts"
import type { ListenError, TransportError } from "../reactor/ReactorError.ts"
import { frameBytesMax, Reply, Request } from "./ControlProtocol.ts"

/** What a daemon does when it is asked to. A failure's message is told to who asked. */
export interface Operations {
  readonly status: Effect.Effect<unknown, { readonly message: string }>
  /** Begins to stop. */
  readonly stop: Effect.Effect<void>
  readonly reload: Effect.Effect<unknown, { readonly message: string }>
  readonly restart: Effect.Effect<unknown, { readonly message: string }>
  readonly logs: (request: { readonly lines: number; readonly follow: boolean }) => Stream.Stream<string>
  readonly service: (request: {
    readonly operation: "start" | "stop" | "restart"
    readonly path: string
  }) => Effect.Effect<unknown, { readonly message: string }>
}

type Conversation = Framed.Framed<Request, Reply>

const answer = (
  connection: Conversation,
  work: Effect.Effect<unknown, { readonly message: string }>
): Effect.Effect<void, FramingError | TransportError> =>
  work.pipe(
    Effect.matchEffect({
      onSuccess: (value) => connection.send(value === undefined ? { _tag: "Done" } : { _tag: "Done", value }),
      onFailure: (error) => connection.send({ _tag: "Refused", detail: error.message })
    })
  )

const serve = (operations: Operations) => (connection: Conversation) =>
  Effect.gen(function* () {
    const request = yield* connection.receive
    switch (request._tag) {
      case "Status":
        return yield* answer(connection, operations.status)
      case "Reload":
        return yield* answer(connection, operations.reload)
      case "Restart":
        return yield* answer(connection, operations.restart)
      case "Service":
        return yield* answer(connection, operations.service(request))
      case "Stop":
        // The answer is the end of the connection, which is among the last things that end.
        return yield* Effect.andThen(operations.stop, Protocol.stopping)
      case "Logs": {
        const lines = Stream.runForEach(operations.logs(request), (text) =>
          connection.send({ _tag: "Line", text })
        )
        yield* Effect.raceFirst(lines, Protocol.stopping)
        return yield* connection.send({ _tag: "Done" })
      }
    }
  }).pipe(
    Effect.catchIf(Cause.isDone, () => Effect.void),
    Effect.catchTag("FramingError", (error) => connection.send({ _tag: "Refused", detail: error.message }))
  )

/** Answers until the scope ends. */
export const make = (
  path: string,
  operations: Operations
): Effect.Effect<Server.Server, ListenError, Reactor | Scope.Scope> =>
  Server.make(
    // The pid file is the lock.
    Endpoint.unix({ path, mode: 0o600, lock: false }),
    Framed.over({ receive: Request, send: Reply }, { lineBytesMax: frameBytesMax })(serve(operations)),
    { name: "control", drainTimeout: "1 second", connectionsMax: 64 }
  )
