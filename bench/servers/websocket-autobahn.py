"""Autobahn on Twisted, which has no WebSockets of its own before 26.4: echoes; at `fan N` it sends N messages to all."""

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol

from twisted_contract import run

NEWS = b"x" * 100


class Echo(WebSocketServerProtocol):
    def onOpen(self):
        self.factory.clients.add(self)

    def onMessage(self, payload, isBinary):
        if isBinary or not payload.startswith(b"fan "):
            return self.sendMessage(payload, isBinary)
        for _ in range(int(payload[4:])):
            prepared = self.factory.prepareMessage(NEWS, isBinary=False)
            for client in self.factory.clients:
                client.sendPreparedMessage(prepared)

    def onClose(self, wasClean, code, reason):
        self.factory.clients.discard(self)


factory = WebSocketServerFactory()
factory.protocol = Echo
factory.clients = set()
run(factory)
