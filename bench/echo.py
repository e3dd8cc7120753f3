"""A bare echo on the same parser and the same reactor: what no server in Python on it can pass.

    python -m bench.echo

It parses each request with llhttp and answers 200 with the request's body. It checks nothing,
keeps nothing and logs nothing.
"""

from __future__ import annotations

from httptools import HttpRequestParser
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol


class Echo(Protocol):
    """Writes straight to the socket, as far as that takes it."""

    def connectionMade(self) -> None:
        self._parser = HttpRequestParser(self)
        self._body = b""

    def dataReceived(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        body, self._body = self._body, b""
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        sent = self.transport.socket.send(answer)  # type: ignore[union-attr]
        if sent < len(answer):
            self.transport.write(answer[sent:])  # type: ignore[union-attr]


def main() -> None:
    listening = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(Factory.forProtocol(Echo))
    listening.addCallback(lambda port: print(f"http://127.0.0.1:{port.getHost().port}", flush=True))
    reactor.run()


if __name__ == "__main__":
    main()
