/** Connections that are spread over threads: who is full waits his turn. */
import * as net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { bindTcp, type NativeHandle } from "../../src/node/nativeHandle.ts"
import type { NodeHeirHost } from "../../src/node/NodeHeirHost.ts"
import { NodeThreadFeed } from "../../src/node/NodeThreadFeed.ts"

/** A thread, as a feed sees it: sockets that are moved to it are closed here. */
const thread = () => {
  const got: Array<net.Socket> = []
  const move = (_message: unknown, socket: { _handle: NativeHandle | null } & net.Socket) => {
    got.push(socket)
    socket._handle!.close()
    socket._handle = null
  }
  return { got, host: { line: { move } } as unknown as NodeHeirHost }
}

const until = (holds: () => boolean) => Effect.repeat(Effect.sleep("5 millis"), { while: () => !holds() })

const opened = Effect.acquireRelease(
  Effect.sync(() => {
    const handle = bindTcp("127.0.0.1", 0, 0) as NativeHandle
    const feed = new NodeThreadFeed("k", [handle], 2)
    const clients: Array<net.Socket> = []
    const connect = (count: number) => {
      for (let i = 0; i < count; i++) {
        const client = net.connect(feed.address!.port, "127.0.0.1")
        clients.push(client.on("error", () => {}))
      }
    }
    return { feed, connect, clients }
  }),
  ({ clients, feed }) =>
    Effect.sync(() => {
      feed.close()
      for (const client of clients) client.destroy()
    })
)

describe("connections for threads", () => {
  it.live(
    "none gets more than it can take; what waits goes to who has taken one, and to the next thread",
    () =>
      Effect.gen(function* () {
        const { connect, feed } = yield* opened
        const [one, two] = [thread(), thread()]
        feed.enter(one.host, true)
        connect(6)
        yield* until(() => one.got.length === 2)
        yield* Effect.sleep("50 millis")
        assert.strictEqual(one.got.length, 2)
        feed.took(one.host)
        yield* until(() => one.got.length === 3)
        feed.enter(two.host, true)
        yield* until(() => two.got.length === 2)
        feed.leave(two.host)
        feed.took(one.host)
        yield* until(() => one.got.length === 4)
      }).pipe(Effect.scoped)
  )

  it.live("each goes to the one that has the fewest", () =>
    Effect.gen(function* () {
      const { connect, feed } = yield* opened
      const [one, two] = [thread(), thread()]
      feed.enter(one.host, true)
      feed.enter(two.host, true)
      connect(4)
      yield* until(() => one.got.length + two.got.length === 4)
      assert.deepStrictEqual([one.got.length, two.got.length], [2, 2])
    }).pipe(Effect.scoped)
  )
})
