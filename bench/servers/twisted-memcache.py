"""A cache on Twisted: `get` and `set` of memcached's text protocol, over a dict."""

from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver

from twisted_contract import run

items = {}


class Cache(LineReceiver):
    def lineReceived(self, line):
        words = line.split(b" ")
        command = words[0]
        if command == b"get":
            answer = []
            for key in words[1:]:
                item = items.get(key)
                if item is not None:
                    flags, value = item
                    answer.append(b"VALUE %b %b %d\r\n%b\r\n" % (key, flags, len(value), value))
            answer.append(b"END\r\n")
            self.transport.write(b"".join(answer))
        elif command == b"set" and len(words) == 5:
            self.key, self.flags, self.left = words[1], words[2], int(words[4]) + 2
            self.pieces = []
            self.setRawMode()
        else:
            self.transport.write(b"ERROR\r\n")

    def rawDataReceived(self, data):
        piece, rest = data[: self.left], data[self.left :]
        self.pieces.append(piece)
        self.left -= len(piece)
        if self.left > 0:
            return
        items[self.key] = (self.flags, b"".join(self.pieces)[:-2])
        self.transport.write(b"STORED\r\n")
        self.setLineMode(rest)


if __name__ == "__main__":
    run(Factory.forProtocol(Cache))
