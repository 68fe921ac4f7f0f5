"""Twisted's echo: what comes in is written back in `dataReceived`."""

from twisted.internet.protocol import Factory, Protocol

from twisted_contract import run


class Echo(Protocol):
    def dataReceived(self, data):
        self.transport.write(data)


run(Factory.forProtocol(Echo))
