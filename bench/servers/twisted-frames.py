"""Twisted's Int32StringReceiver: each string is sent back as it is completed."""

from twisted.internet.protocol import Factory
from twisted.protocols.basic import Int32StringReceiver

from twisted_contract import run


class Echo(Int32StringReceiver):
    def stringReceived(self, string):
        self.sendString(string)


run(Factory.forProtocol(Echo))
