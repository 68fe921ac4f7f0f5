"""Twisted's MemCacheProtocol: `PORT`, `IN_FLIGHT`, `SECONDS`; the same as client.ts."""

import json
import os
import resource
import time

from twisted.internet import defer, endpoints, reactor
from twisted.protocols.memcache import MemCacheProtocol

VALUE = b"a" * 100
WARM_UP_SECONDS = 0.5


def cpu_micros():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (used.ru_utime + used.ru_stime) * 1e6


@defer.inlineCallbacks
def use_until(cache, worker, end):
    ops = 0
    while time.monotonic() < end:
        key = b"key:%d:%d" % (worker, ops // 2 % 100)
        yield cache.set(key, VALUE)
        found = yield cache.get(key)
        assert len(found[1]) == 100
        ops += 2
    return ops


@defer.inlineCallbacks
def main():
    in_flight = int(os.environ.get("IN_FLIGHT", "1"))
    seconds = float(os.environ.get("SECONDS", "1"))
    where = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", int(os.environ["PORT"]))
    cache = yield endpoints.connectProtocol(where, MemCacheProtocol())

    def together(end):
        return defer.gatherResults([use_until(cache, worker, end) for worker in range(in_flight)])

    yield together(time.monotonic() + WARM_UP_SECONDS)
    print(json.dumps({"begin": True}), flush=True)
    before = cpu_micros()
    begin = time.monotonic()
    counts = yield together(begin + seconds)
    taken = time.monotonic() - begin
    print(json.dumps({"ops": sum(counts), "seconds": taken, "cpuMicros": cpu_micros() - before}), flush=True)


def failed(failure):
    print(json.dumps({"error": failure.getErrorMessage()}), flush=True)


main().addErrback(failed).addBoth(lambda _: reactor.stop())
reactor.run()
