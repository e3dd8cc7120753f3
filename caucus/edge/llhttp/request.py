"""A request that llhttp has read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol, cast

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.web.http import parse_qs

from caucus.edge.body import Body
from caucus.edge.door import Door
from caucus.edge.llhttp.listener import FastListener
from caucus.edge.llhttp.outlet import Outlet
from caucus.edge.request import Request, header_lines
from caucus.edge.response import Response


class Carrier(Protocol):
    """The connection that a request came by, as the request knows it."""

    site: FastListener
    outlet: Outlet
    peer: str
    is_full: bool

    def answered(self, request: FastRequest) -> None:
        """The current request's answer is complete."""

    def forceAbortClient(self) -> None:
        """Close at once."""


class FastRequest(Request):
    """A request, from its first byte to the end of its answer."""

    site: FastListener

    method = uri = version = b""
    head_size = header_count = 0
    code = sentLength = startedWriting = 0
    expects = persistent = False
    producer: Any
    length: int | None = None
    received: Body | None = None
    _whole = b""
    _head = b""
    _waiting: Sequence[Deferred[None]]

    def __init__(self, connection: Carrier, began: float) -> None:
        self.connection: Carrier | None = connection
        self.site = connection.site
        self.began = began
        self.headers: dict[bytes, list[bytes]] = {}
        # What few requests have is named by the first one too: for a name that comes late, CPython gives an
        # instance a dictionary of its own, of half a kilobyte, and those are what is there for long.
        self.endless = self.is_awaited = self.chunked = False
        self.waits_for = self.producer = None
        self._waiting = ()

    @property
    def args(self) -> Mapping[bytes, Sequence[bytes]]:  # type: ignore[override]  # nobody sets it
        query = self.uri.partition(b"?")[2]
        return cast("Mapping[bytes, Sequence[bytes]]", parse_qs(query, True))

    @property
    def door(self) -> Door:
        return self.site.door

    @property
    def is_gone(self) -> bool:
        return self.connection is None

    def values(self, name: bytes) -> Sequence[bytes]:
        return self.headers.get(name, ())

    def body(self) -> bytes:
        return self._whole if self.received is None else self.received.value()

    def add_to_body(self, data: bytes) -> None:
        """More of the body is here. Raises the refusal of its cap if that is too much, or `Overloaded`."""
        if len(data) == self.length:
            self._whole = data
            return
        if self.received is None:
            self.received = Body(self.cap, self.site.crowd, self.length)
        self.received.add(data, partial(self.site.knows, self))

    def begin(self, content_type: str, headers: Mapping[str, str], status: int = 200) -> None:
        self.code = status
        if "Content-Length" not in headers:
            self.chunked = self.version == b"HTTP/1.1"
            self.persistent = self.persistent and self.chunked
        lines = self.site.preamble(self.version, status, content_type, persistent=self.persistent)
        more = header_lines(headers) + (b"Transfer-Encoding: chunked\r\n" if self.chunked else b"")
        self._head = lines + more + b"\r\n"

    def respond(self, response: Response) -> None:
        body = response.body
        if not isinstance(body, bytes):
            super().respond(response)
            return
        self.error, self.code = response.error, response.status
        connection = self.connection
        if connection is None:
            return
        head, length = self._head_of(response), len(body)
        self.startedWriting = 1
        if self.method == b"HEAD":
            connection.outlet.write(b"%b%d\r\n\r\n" % (head, length))
        else:
            self.sentLength = length
            connection.outlet.write(b"%b%d\r\n\r\n%b" % (head, length, body))
        self._end(connection)

    def _begin(self, response: Response, length: int) -> None:
        self.code = response.status
        self._head = b"%b%d\r\n\r\n" % (self._head_of(response), length)

    def _head_of(self, response: Response) -> bytes:
        """The head of an answer, up to its length, which is the last that it says."""
        lines = self.site.preamble(
            self.version, response.status, response.content_type, persistent=self.persistent
        )
        more = header_lines(response.headers) if response.headers else b""
        return b"%b%bContent-Length: " % (lines, more)

    def write(self, data: bytes) -> None:
        if self.connection is not None and (data or self._head):
            self.connection.outlet.write(self._framed(data))

    def push(self, data: bytes) -> None:
        connection = self.connection
        if connection is None or not data:
            return
        if self._head or not self.chunked or self.method == b"HEAD":
            connection.outlet.push(self._framed(data))
        else:  # what most are: one of many who are sent the same
            self.sentLength += len(data)
            connection.outlet.push(b"%x\r\n%b\r\n" % (len(data), data))

    def _framed(self, data: bytes) -> bytes:
        """A part of the body as it goes out, with the head before the first."""
        self.startedWriting = 1
        if self.method == b"HEAD":
            data = b""
        self.sentLength += len(data)
        if self.chunked and data:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        if self._head:
            data, self._head = self._head + data, b""
        return data

    def finish(self) -> None:
        connection = self.connection
        if connection is None:
            return
        if self.chunked and self.method != b"HEAD":
            self.write(b"") if self._head else None
            connection.outlet.write(b"0\r\n\r\n")
        self._end(connection)

    def _end(self, connection: Carrier) -> None:
        self.site.log_answer(self, self.sentLength, connection.peer, self.began)
        connection.answered(self)
        self.connection = None
        for waiting in self._waiting:
            waiting.callback(None)

    def send(self, body: bytes) -> None:
        self.write(body)
        self.finish()

    def abort(self) -> None:
        if self.connection is not None:
            self.connection.forceAbortClient()

    def settle_in(self) -> None:
        self.endless = True
        self.headers = {}

    def registerProducer(self, producer: Any, streaming: bool) -> None:  # noqa: ARG002
        self.producer = producer
        if self.connection is not None and self.connection.is_full:
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        self.producer = None

    def notifyFinish(self) -> Deferred[None]:
        if self.is_gone:
            return fail(ConnectionDone())
        waiting: Deferred[None] = Deferred()
        self._waiting = [*self._waiting, waiting]
        return waiting

    def lose(self, reason: Failure) -> None:
        """The connection is gone before the answer was complete."""
        self.connection = None
        waits_for, self.waits_for = self.waits_for, None
        if waits_for is not None:
            waits_for.cancel()
        for waiting in self._waiting:
            waiting.errback(reason)
