"""A bare echo on the same parser and the same reactor: what a server on them would do if it had no work.

    python -m bench.echo [--direct]

It parses each request with llhttp and answers 200 with the request's body. It checks nothing,
keeps nothing and logs nothing. ``--direct`` writes straight to the socket, as the transport does,
and not through the reactor.
"""

from __future__ import annotations

import sys

from httptools import HttpRequestParser
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol


class Echo(Protocol):
    """Answers through the reactor."""

    def connectionMade(self) -> None:
        self._parser = HttpRequestParser(self)
        self._body = b""

    def dataReceived(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        body, self._body = self._body, b""
        self.answer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    def answer(self, data: bytes) -> None:
        self.transport.write(data)  # type: ignore[union-attr]


class DirectEcho(Echo):
    """Answers to the socket, as far as that takes it."""

    def answer(self, data: bytes) -> None:
        sent = self.transport.socket.send(data)  # type: ignore[union-attr]
        if sent < len(data):
            super().answer(data[sent:])


def main() -> None:
    protocol = DirectEcho if "--direct" in sys.argv else Echo
    listening = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(Factory.forProtocol(protocol))
    listening.addCallback(lambda port: print(f"http://127.0.0.1:{port.getHost().port}", flush=True))
    reactor.run()


if __name__ == "__main__":
    main()
