"""The contract of harness.ts, for Twisted: `run(factory)` listens, announces the port, and answers stdin."""

import gc
import json
import os
import resource
import sys

from twisted.internet import reactor, stdio
from twisted.protocols.basic import LineReceiver

BACKLOG = 511  # Node's default; Twisted's own is 50, and would drop connections of the churn


def answer(value):
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"userMicros": round(used.ru_utime * 1e6), "systemMicros": round(used.ru_stime * 1e6)}


def rss_bytes():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


class Commands(LineReceiver):
    delimiter = b"\n"

    def lineReceived(self, line):
        before = cpu()
        if line == b"cpu":
            answer(before)
        elif line == b"stats":
            gc.collect()
            answer({**before, "rssBytes": rss_bytes(), "heapUsedBytes": None})
        else:
            answer({"error": "unknown command"})

    def connectionLost(self, reason):
        if reactor.running:
            reactor.stop()


def run(factory):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    port = int(os.environ.get("PORT", "0"))
    listener = reactor.listenTCP(port, factory, backlog=BACKLOG, interface="127.0.0.1")
    answer({"port": listener.getHost().port})
    # stdout stays with print: StandardIO gets a descriptor of its own to close.
    stdio.StandardIO(Commands(), stdout=os.dup(1))
    reactor.run()
