/** An echo on Effect's own sockets: a fiber per connection pulls batches and writes each back as one. */
import * as Effect from "effect/Effect"
import type * as Socket from "effect/socket/Socket"

// Each ending of a connection, a clean one too, is a SocketError of the pull.
export const echo = (socket: Socket.Socket) =>
  Effect.gen(function* () {
    const { pull } = yield* socket.reader
    const { writeAll } = yield* socket.writer
    return yield* Effect.forever(Effect.flatMap(pull, writeAll), { disableYield: true })
  }).pipe(
    Effect.scoped,
    Effect.catchTag("SocketError", () => Effect.void)
  )
