"""Twisted's echo of datagrams: each is sent back in `datagramReceived`."""

import os

from twisted.internet import reactor, stdio
from twisted.internet.protocol import DatagramProtocol

from twisted_contract import Commands, answer


class Echo(DatagramProtocol):
    def datagramReceived(self, data, peer):
        self.transport.write(data, peer)


port = reactor.listenUDP(int(os.environ.get("PORT", "0")), Echo(), interface="127.0.0.1")
answer({"port": port.getHost().port})
# stdout stays with print: StandardIO gets a descriptor of its own to close.
stdio.StandardIO(Commands(), stdout=os.dup(1))
reactor.run()
