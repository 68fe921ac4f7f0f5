"""Calls by Twisted's AMP: `PORT`, `IN_FLIGHT`, `SECONDS`; the same as callFor in sums.ts."""

import json
import os
import resource
import time

from twisted.internet import defer, endpoints, reactor
from twisted.protocols import amp


class Sum(amp.Command):
    arguments = [(b"a", amp.Integer()), (b"b", amp.Integer())]
    response = [(b"total", amp.Integer())]


def cpu_micros():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (used.ru_utime + used.ru_stime) * 1e6


@defer.inlineCallbacks
def call_until(peer, a, end):
    calls = 0
    while time.monotonic() < end:
        answer = yield peer.callRemote(Sum, a=a, b=1)
        assert answer["total"] == a + 1
        calls += 1
    return calls


@defer.inlineCallbacks
def main():
    in_flight = int(os.environ.get("IN_FLIGHT", "1"))
    seconds = float(os.environ.get("SECONDS", "1"))
    where = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", int(os.environ["PORT"]))
    peer = yield endpoints.connectProtocol(where, amp.AMP())

    def together(end):
        return defer.gatherResults([call_until(peer, i, end) for i in range(in_flight)])

    yield together(time.monotonic() + 1)
    print(json.dumps({"begin": True}), flush=True)
    before = cpu_micros()
    begin = time.monotonic()
    counts = yield together(begin + seconds)
    taken = time.monotonic() - begin
    print(json.dumps({"calls": sum(counts), "seconds": taken, "cpuMicros": cpu_micros() - before}), flush=True)


def failed(failure):
    print(json.dumps({"error": failure.getErrorMessage()}), flush=True)


main().addErrback(failed).addBoth(lambda _: reactor.stop())
reactor.run()
