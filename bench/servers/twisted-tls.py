"""Twisted's echo over TLS."""

import os

from twisted.internet import ssl
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory

from twisted_contract import run


class Echo(Protocol):
    def dataReceived(self, data):
        self.transport.write(data)


options = ssl.DefaultOpenSSLContextFactory(os.environ["PRIVATE_KEY"], os.environ["CERTIFICATE"], ssl.SSL.TLS_METHOD)
run(TLSMemoryBIOFactory(options, False, Factory.forProtocol(Echo)))
