import * as net from "node:net"
import * as Effect from "effect/Effect"
import * as Errno from "../reactor/Errno.ts"

/** Who is behind a socket file. `Unknown` when we may not ask, or it is no stream socket: somebody, to be safe. */
export type Listening = "Somebody" | "Nobody" | "NoFile" | "Unknown"

/** Asks by connecting, and leaves at once. */
export const whoListens = (file: string): Effect.Effect<Listening> =>
  Effect.callback((resume) => {
    const socket = net.connect({ path: file })
    const say = (who: Listening) => {
      socket.destroy()
      resume(Effect.succeed(who))
    }
    socket.on("error", (error) => say(answerOf(error)))
    socket.once("connect", () => say("Somebody"))
    return Effect.sync(() => socket.destroy())
  })

const answerOf = (error: unknown): Listening => {
  switch (Errno.codeOf(error)) {
    case "ECONNREFUSED":
      return "Nobody"
    case "ENOENT":
      return "NoFile"
    case "EAGAIN": // its backlog is full
      return "Somebody"
    default:
      return "Unknown"
  }
}
