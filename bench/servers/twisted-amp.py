"""Twisted's AMP: sums."""

from twisted.internet.protocol import Factory
from twisted.protocols import amp

from twisted_contract import run


class Sum(amp.Command):
    arguments = [(b"a", amp.Integer()), (b"b", amp.Integer())]
    response = [(b"total", amp.Integer())]


class Sums(amp.AMP):
    @Sum.responder
    def sum(self, a, b):
        return {"total": a + b}


if __name__ == "__main__":
    run(Factory.forProtocol(Sums))
