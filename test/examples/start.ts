/** Runs the examples as a person would, each in a process of its own. */
import * as net from "node:net"
import * as path from "node:path"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Child from "../support/child.ts"

export const examples = path.join(import.meta.dirname, "../../examples")

/** The arguments for `node` that run the example from its sources. */
export const argumentsOf = (file: string): ReadonlyArray<string> => [
  "--conditions=source",
  path.join(examples, file)
]

/** Starts an example on a free port, and waits until it says which. */
export const start = Effect.fnUntraced(function* (file: string, options: Child.Options = {}) {
  const child = yield* Child.spawn(process.execPath, argumentsOf(file), {
    ...options,
    env: { PORT: "0", ...options.env }
  })
  const [, port = ""] = yield* child.says(/^listening on 127\.0\.0\.1:(\d+)$/m)
  return { child, port }
})

/** What Ctrl-C does: it ends by itself, with code 0, in time, and without a complaint. */
export const stops = (child: Child.Child, within: number) =>
  Effect.gen(function* () {
    const begin = performance.now()
    yield* child.signal("SIGINT")
    const { code, stderr } = yield* child.ended
    assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
    assert.isBelow(performance.now() - begin, within)
  })

/** A bare connection, for what no client program does. Destroyed with the scope; its errors are its end. */
export const connect = (port: string) =>
  Effect.acquireRelease(
    Effect.callback<net.Socket>((resume) => {
      const socket = net.connect(Number(port), "127.0.0.1", () => resume(Effect.succeed(socket)))
      // A reset may come with the connection, or be all that comes: `socket.errored` tells.
      socket.on("error", () => resume(Effect.succeed(socket)))
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

/** All that comes until the peer closes. */
export const readAll = (socket: net.Socket) =>
  Effect.callback<string>((resume) => {
    let text = ""
    socket.on("data", (bytes) => {
      text += bytes.toString()
    })
    socket.once("close", () => resume(Effect.succeed(text)))
  })

/** Waits until what came on a socket matches. */
export const reads = (socket: net.Socket, pattern: RegExp) =>
  Effect.callback<RegExpExecArray>((resume) => {
    let text = ""
    const look = (bytes: Buffer) => {
      text += bytes.toString()
      const found = pattern.exec(text)
      if (found === null) return
      socket.off("data", look)
      resume(Effect.succeed(found))
    }
    socket.on("data", look)
    return Effect.sync(() => socket.off("data", look))
  })
