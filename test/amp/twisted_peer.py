"""Twisted's AMP, as a server or a client, for every type of argument. It prints a line for each thing that happened."""
import datetime, decimal, json, os, socket, sys, tempfile

from twisted.internet import defer, endpoints, error, protocol, reactor, ssl
from twisted.protocols import amp
from twisted.python import filepath, log


def say(*words):
    print(*words, flush=True)


class ZeroDivision(Exception):
    pass


class Fatal(Exception):
    pass


every = [
    (b"integer", amp.Integer()),
    (b"string", amp.String()),
    (b"unicode", amp.Unicode()),
    (b"float", amp.Float()),
    (b"boolean", amp.Boolean()),
    (b"decimal", amp.Decimal()),
    (b"datetime", amp.DateTime()),
    (b"path", amp.Path()),
    (b"listof", amp.ListOf(amp.Integer())),
    (b"nested", amp.ListOf(amp.ListOf(amp.Unicode()))),
    (b"amplist", amp.AmpList([(b"a", amp.Integer()), (b"b", amp.Unicode(optional=True))])),
    (b"absent", amp.Unicode(optional=True)),
]


class Sum(amp.Command):
    arguments = [(b"a", amp.Integer()), (b"b", amp.Integer())]
    response = [(b"total", amp.Integer())]


class Divide(amp.Command):
    arguments = [(b"numerator", amp.Integer()), (b"denominator", amp.Integer())]
    response = [(b"result", amp.Float())]
    errors = {ZeroDivision: b"ZERO_DIVISION"}
    fatalErrors = {Fatal: b"FATAL"}


class Everything(amp.Command):
    commandName = b"every-thing"
    arguments = every
    response = every


class Note(amp.Command):
    arguments = [(b"text", amp.Unicode())]
    requiresAnswer = False


class Notes(amp.Command):
    response = [(b"texts", amp.ListOf(amp.Unicode()))]


class Boom(amp.Command):
    pass


class CallBack(amp.Command):
    arguments = [(b"n", amp.Integer())]
    response = [(b"n", amp.Integer())]


class Secret(amp.Command):
    response = [(b"secret", amp.Unicode())]


class Never(amp.Command):
    pass


class Asked(amp.Command):
    response = [(b"names", amp.ListOf(amp.Unicode()))]


class Switch(amp.ProtocolSwitchCommand):
    arguments = [(b"name", amp.Unicode())]


class SendDescriptor(amp.Command):
    arguments = [(b"descriptor", amp.Descriptor()), (b"name", amp.Unicode())]
    response = [(b"content", amp.String())]


class GetDescriptor(amp.Command):
    arguments = [(b"content", amp.String())]
    response = [(b"descriptor", amp.Descriptor())]


class Shout(protocol.Protocol):
    def dataReceived(self, data):
        self.transport.write(data.upper())


pem = None
# Who must have signed the other side's certificate.
trusted = None


class Peer(amp.AMP):
    def __init__(self):
        amp.AMP.__init__(self)
        self.notes = []
        self.asked = []

    def locateResponder(self, name):
        self.asked.append(name.decode())
        return amp.AMP.locateResponder(self, name)

    @Asked.responder
    def all_asked(self):
        return {"names": self.asked}

    @Never.responder
    def never(self):
        return defer.Deferred()

    @Sum.responder
    def sum(self, a, b):
        return {"total": a + b}

    @Divide.responder
    def divide(self, numerator, denominator):
        if denominator == 0:
            raise ZeroDivision("integer division by zero é")
        if denominator < 0:
            raise Fatal("no negative numbers")
        return {"result": numerator / denominator}

    @Everything.responder
    def everything(self, **kw):
        say("everything", repr(sorted(kw.items())))
        return kw

    @Note.responder
    def note(self, text):
        self.notes.append(text)
        return {}

    @Notes.responder
    def all_notes(self):
        return {"texts": self.notes}

    @Boom.responder
    def boom(self):
        raise RuntimeError("not declared")

    @CallBack.responder
    def call_back(self, n):
        return self.callRemote(Sum, a=n, b=n).addCallback(lambda r: {"n": r["total"]})

    @Secret.responder
    def secret(self):
        secured = hasattr(self.transport, "getPeerCertificate")
        return {"secret": "over TLS" if secured else "in plaintext"}

    @amp.StartTLS.responder
    def start_tls(self):
        options = {}
        if pem:
            options["tls_localCertificate"] = ssl.PrivateCertificate.loadPEM(open(pem).read())
        if trusted:
            options["tls_verifyAuthorities"] = [ssl.Certificate.loadPEM(open(trusted).read())]
        return options

    @Switch.responder
    def switch(self, name):
        say("switch", name)
        return Shout()

    @SendDescriptor.responder
    def got_descriptor(self, descriptor, name):
        with os.fdopen(descriptor, "rb") as f:
            return {"content": f.read()}

    @GetDescriptor.responder
    def get_descriptor(self, content):
        r, w = os.pipe()
        os.write(w, content)
        os.close(w)
        reactor.callLater(1, os.close, r)
        return {"descriptor": r}


def sample():
    tz = amp._FixedOffsetTZInfo.fromSignHoursMinutes
    return dict(
        integer=-(2**53) + 1,
        string=bytes(range(256)),
        unicode="Grüße, 世界 \U0001f600 \ufeff\0",
        float=0.1,
        boolean=True,
        decimal=decimal.Decimal("-1.50E+7"),
        datetime=datetime.datetime(2020, 1, 2, 3, 4, 5, 6, tz("+", 5, 30)),
        path=filepath.FilePath("/tmp/a b/ü"),
        listof=[3, -7, 0],
        nested=[["a", ""], [], ["ü"]],
        amplist=[{"a": 1, "b": "x"}, {"a": 2, "b": None}],
        absent=None,
    )


@defer.inlineCallbacks
def client(peer):
    """Everything that a client can ask for, of a server that has the same commands."""
    r = yield peer.callRemote(Sum, a=13, b=81)
    say("sum", r["total"])
    try:
        yield peer.callRemote(Divide, numerator=1, denominator=0)
    except ZeroDivision as e:
        say("declared", e)
    r = yield peer.callRemote(Everything, **sample())
    say("everything", r == sample())
    for value in ["NaN", "-sNaN123", "Infinity", "-Infinity", "-0", "-0.00", "1E+2", "0E-7", "1E-7", "0.000001", "1.5E+2"]:
        sent = dict(sample(), decimal=decimal.Decimal(value), absent="here")
        r = yield peer.callRemote(Everything, **sent)
        say("decimal", value, str(r["decimal"]), r["absent"])
    for value in [0.0, -0.0, 1.0, 1e16, 123456789012345680.0, 1e-5, 0.0001, 1.5e300, 5e-324, float("inf"), float("-inf"), float("nan"), 2.5e-7]:
        r = yield peer.callRemote(Everything, **dict(sample(), float=value))
        say("float", str(value), str(r["float"]))
    peer.callRemote(Note, text="one")
    peer.callRemote(Note, text="two")
    r = yield peer.callRemote(Notes)
    say("notes", r["texts"])
    r = yield peer.callRemote(CallBack, n=21)
    say("back", r["n"])
    rs = yield defer.gatherResults([peer.callRemote(Sum, a=n, b=n) for n in range(500)])
    say("many", all(r["total"] == 2 * n for n, r in enumerate(rs)))
    try:
        yield peer.callRemoteString(b"It's", x=b"1")
    except amp.UnhandledCommand as e:
        say("unhandled", e.args)
    r = yield peer.callRemoteString(b"Sum", a=b"1", b=b"2")
    say("box", sorted(r.items()))


@defer.inlineCallbacks
def main(mode, where, *rest):
    global pem, trusted
    if mode == "serve":
        if rest:
            pem, trusted = (rest + (None,))[:2]
        factory = protocol.Factory.forProtocol(Peer)
        port = yield endpoints.serverFromString(reactor, where).listen(factory)
        say("listening", getattr(port.getHost(), "port", "there"))
        yield defer.Deferred()
        return
    peer = yield endpoints.connectProtocol(endpoints.clientFromString(reactor, where), Peer())
    if mode == "call":
        yield client(peer)
    elif mode == "fatal":
        try:
            yield peer.callRemote(Divide, numerator=1, denominator=-1)
        except Fatal as e:
            say("fatal", e)
        try:
            yield peer.callRemote(Sum, a=1, b=1)
        except (error.ConnectionDone, error.ConnectionLost) as e:
            say("gone", type(e).__name__)
    elif mode == "boom":
        try:
            yield peer.callRemote(Boom)
        except amp.UnknownRemoteError as e:
            say("unknown", e)
        try:
            yield peer.callRemote(Sum, a=1, b=1)
        except (error.ConnectionDone, error.ConnectionLost) as e:
            say("gone", type(e).__name__)
    elif mode == "tls":
        r = yield peer.callRemote(Secret)
        say(r["secret"])
        ca = ssl.Certificate.loadPEM(open(rest[0]).read())
        own = {"tls_localCertificate": ssl.PrivateCertificate.loadPEM(open(rest[1]).read())} if rest[1:] else {}
        yield peer.callRemote(amp.StartTLS, tls_verifyAuthorities=[ca], **own)
        r = yield peer.callRemote(Secret)
        say(r["secret"])
        r = yield peer.callRemote(Sum, a=1, b=2)
        say("sum", r["total"])
    elif mode == "switch":
        got = defer.Deferred()

        class Told(protocol.Protocol):
            def connectionMade(self):
                self.transport.write(b"hello")

            def dataReceived(self, data):
                got.callback(data)

        yield peer.callRemote(Switch, protocol.ClientFactory.forProtocol(Told), name="told")
        data = yield got
        say("switched", data.decode())
    elif mode == "descriptors":
        with tempfile.TemporaryFile() as f:
            f.write(b"a file of Twisted's")
            f.seek(0)
            r = yield peer.callRemote(SendDescriptor, descriptor=f.fileno(), name="file")
        say("content", r["content"].decode())
        r = yield peer.callRemote(GetDescriptor, content=b"by a pipe")
        with os.fdopen(r["descriptor"], "rb") as f:
            say("descriptor", f.read().decode())
    say("done")


if __name__ == "__main__":
    log.startLogging(sys.stderr, setStdout=False)
    d = main(*sys.argv[1:])

    def failed(f):
        say("FAILED", f)
        return None

    d.addErrback(failed).addBoth(lambda _: reactor.running and reactor.stop())
    reactor.run()
