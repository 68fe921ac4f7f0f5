"""Twisted's line echo: `LineReceiver`, each line sent back with `sendLine`."""

from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver

from twisted_contract import run


class EchoLines(LineReceiver):
    def lineReceived(self, line):
        self.sendLine(line)


run(Factory.forProtocol(EchoLines))
