/** Autobahn on asyncio, both sides: the library whose cases everybody takes. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Child from "../support/child.ts"
import { inetOf } from "../support/endpoints.ts"
import { describePeer, pythonWith } from "../support/peers.ts"
import { echoedBy } from "./echoedBy.ts"
import { echo, serving } from "./webSocketKit.ts"

const deflate = `
from autobahn.websocket.compress import *
offers = [PerMessageDeflateOffer(accept_no_context_takeover=True, accept_max_window_bits=True)]
def answer(offers):
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer):
            return PerMessageDeflateOfferAccept(offer)
def take(response):
    return PerMessageDeflateResponseAccept(response)
`

const client = `
import asyncio, sys
from autobahn.asyncio.websocket import *
${deflate}
sent = ["", "grüße", "x" * 200000, bytes(range(256)) * 10]
class Client(WebSocketClientProtocol):
    def onOpen(self):
        self.came = []
        for message in sent:
            isBinary = isinstance(message, bytes)
            self.sendMessage(message if isBinary else message.encode(), isBinary)
        self.beginMessage()
        for piece in ["in ", "frag", "ments"]: self.sendMessageFrame(piece.encode())
        self.endMessage()
    def onMessage(self, payload, isBinary):
        self.came.append(payload if isBinary else payload.decode())
        if len(self.came) > len(sent):
            print(self.came == sent + ["in fragments"], self.websocket_protocol_in_use)
            self.sendClose(4001, "done")
    def onClose(self, wasClean, code, reason):
        print(wasClean, code)
        loop.stop()
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
factory = WebSocketClientFactory(sys.argv[1], protocols=["b"])
factory.protocol = Client
if sys.argv[3]: factory.setProtocolOptions(perMessageCompressionOffers=offers, perMessageCompressionAccept=take)
loop.run_until_complete(loop.create_connection(factory, "127.0.0.1", int(sys.argv[2])))
loop.run_forever()
`

const server = `
import asyncio, sys
from autobahn.asyncio.websocket import *
${deflate}
class Echo(WebSocketServerProtocol):
    def onMessage(self, payload, isBinary):
        self.sendMessage(payload, isBinary)
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
factory = WebSocketServerFactory()
factory.protocol = Echo
factory.setProtocolOptions(utf8validateIncoming=True)
if sys.argv[1]: factory.setProtocolOptions(perMessageCompressionAccept=answer)
made = loop.run_until_complete(loop.create_server(factory, "127.0.0.1", 0))
port = made.sockets[0].getsockname()[1]
factory.setSessionParameters("ws://127.0.0.1:%d" % port)
print("port", port, flush=True)
loop.run_forever()
`

describePeer(pythonWith("autobahn", "python3-autobahn"), (python) => {
  for (const compression of ["", "deflate"]) {
    it.live(`as our server's client, compression: ${compression || "none"}`, () =>
      Effect.gen(function* () {
        const { bound } = yield* serving("tcp", echo, { compression: true, protocols: ["a", "b"] })
        const { port } = inetOf(bound.address)
        const args = ["-c", client, `ws://127.0.0.1:${port}/`, String(port), compression]
        const ended = yield* Child.run(python, args)
        assert.deepStrictEqual([ended.stderr, ended.stdout, ended.code], ["", "True b\nTrue 4001\n", 0])
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
