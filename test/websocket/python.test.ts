/** The `websockets` library of Python, both sides. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Child from "../support/child.ts"
import { inetOf } from "../support/endpoints.ts"
import { describePeer, pythonWith } from "../support/peers.ts"
import { echoedBy } from "./echoedBy.ts"
import { echo, serving } from "./webSocketKit.ts"

const client = `
import asyncio, sys, websockets
async def main():
    async with websockets.connect(sys.argv[1], compression=sys.argv[2] or None, subprotocols=["b"]) as socket:
        for message in ["", "grüße", "x" * 200000, bytes(range(256)) * 10]:
            await socket.send(message)
            assert await socket.recv() == message
        await socket.send(["in ", "frag", "ments"])
        assert await socket.recv() == "in fragments"
        await (await socket.ping())
        print(socket.subprotocol)
        await socket.close(4001, "done")
    print(socket.close_code)
asyncio.run(main())
`

const server = `
import asyncio, sys, websockets
async def echo(socket):
    async for message in socket:
        await socket.send(message)
async def main():
    async with websockets.serve(echo, "127.0.0.1", 0, compression=sys.argv[1] or None) as server:
        print("port", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()
asyncio.run(main())
`

describePeer(pythonWith("websockets", "python3-websockets"), (python) => {
  for (const compression of ["", "deflate"]) {
    it.live(`as our server's client, compression: ${compression || "none"}`, () =>
      Effect.gen(function* () {
        const { bound } = yield* serving("tcp", echo, { compression: true, protocols: ["a", "b"] })
        const url = `ws://127.0.0.1:${inetOf(bound.address).port}/`
        const ended = yield* Child.run(python, ["-c", client, url, compression])
        assert.deepStrictEqual([ended.stderr, ended.stdout, ended.code], ["", "b\n4001\n", 0])
      }).pipe(Effect.scoped)
    )
    it.live(`as our client's server, compression: ${compression || "none"}`, () =>
      Effect.gen(function* () {
        const child = yield* Child.spawn(python, ["-u", "-c", server, compression])
        yield* echoedBy(child, compression !== "")
      }).pipe(Effect.scoped)
    )
  }
})
