"""Requests and answers over HTTP/1.1, with the parser that the daemon has.

The standard library's client takes twice as long to import as all the rest of a command: it brings the
parser of e-mail with it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from socket import socket
from typing import Any, Final

from httptools import HttpParserError, HttpResponseParser

from caucus.terminal.connecting import Address

CHUNK: Final = 65_536
MOST_HEAD: Final = 65_536
"""So many bytes a head has at most."""
MOST_BODY: Final = 256 * 1_048_576
"""And a body, which is evidence then."""


class Garbled(OSError):
    """What comes is no HTTP."""


class Answer:
    """What is answered: its ``status`` and ``headers``, by their names in lower case, and then its body."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body: list[bytes] = []
        self.is_begun = self.is_whole = False
        self._size = 0
        self._parser: Any = HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Bytes come; none is that the other end has closed. Raises `Garbled` and `ConnectionResetError`."""
        if not data:
            if not self.is_begun or "content-length" in self.headers or "transfer-encoding" in self.headers:
                raise ConnectionResetError("the connection was closed before the answer was whole")
            self.is_whole = True
            return
        self._size += len(data)
        if self._size > (MOST_BODY if self.is_begun else MOST_HEAD):
            raise Garbled("the answer is larger than any of Caucus")
        try:
            self._parser.feed_data(data)
        except HttpParserError:
            raise Garbled("what answers is no HTTP") from None

    @property
    def is_kept(self) -> bool:
        """Whether the connection takes another request."""
        return bool(self.is_whole and self._parser.should_keep_alive())

    def forget(self) -> None:
        """Of a stream no more is counted than what comes at once."""
        self._size = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self.is_begun = True

    def on_body(self, data: bytes) -> None:
        self.body.append(data)

    def on_message_complete(self) -> None:
        self.is_whole = self.status >= 200
        if not self.is_whole:
            self.headers = {}


class Connection:
    """One connection, and one request at a time."""

    def __init__(self, address: Address, seconds: float) -> None:
        self._address = address
        self._socket: socket = address.open(seconds)

    def close(self) -> None:
        self._socket.close()

    def ask(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None, seconds: float
    ) -> Answer:
        """The whole answer. Raises `OSError`."""
        until = time.monotonic() + seconds
        answer = self.begin(method, target, headers, body, seconds)
        while not answer.is_whole:
            answer.feed(self._receive(until))
        return answer

    def _receive(self, until: float) -> bytes:
        """What comes next, before then: who sends a byte a second is waited for no longer than others."""
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._socket.settimeout(left)
        return self._socket.recv(CHUNK)

    def begin(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None, seconds: float
    ) -> Answer:
        """The answer as far as its headers have come. Raises `OSError`."""
        until = time.monotonic() + seconds
        self._socket.settimeout(seconds)
        lines = [f"{method} {self._address.path}{target} HTTP/1.1", f"Host: {self._address.host}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [] if body is None else [f"Content-Length: {len(body)}"]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b""))
        answer = Answer()
        while not (answer.is_begun and answer.status >= 200):
            answer.feed(self._receive(until))
        return answer

    def stream(self, answer: Answer, seconds: float) -> Iterator[bytes]:
        """What comes of a body that was begun, as it comes, never so long after another. Raises `OSError`."""
        while True:
            chunks, answer.body = answer.body, []
            yield from chunks
            if answer.is_whole:
                return
            answer.feed(self._receive(time.monotonic() + seconds))
            answer.forget()
