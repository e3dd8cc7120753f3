"""The fast path: the request and the site of the llhttp transport."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, cast

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from twisted.web.http import datetimeToString, parse_qs

from caucus.edge.access_log import AccessLog
from caucus.edge.body import Body
from caucus.edge.crowd import Crowd
from caucus.edge.door import Door
from caucus.edge.llhttp.connection import Connection
from caucus.edge.llhttp.outlet import Outlet
from caucus.edge.request import KEEP_ALIVE_SECONDS, SERVER, Request, header_lines, status_line
from caucus.edge.site import Admit, Edge, Knows, Peered
from caucus.wire.jsontext import CONTENT_TYPE

TICK_SECONDS: Final = 0.5
Handle = Callable[[Request], None]


class FastRequest(Request):
    """A request, from its first byte to the end of its answer."""

    site: FastSite

    method = uri = version = b""
    head_size = header_count = 0
    code = sentLength = startedWriting = 0
    expects = persistent = chunked = endless = False
    producer: Any = None
    length: int | None = None
    received: Body | None = None
    _whole = b""
    _head = b""
    _waiting: Sequence[Deferred[None]] = ()

    def __init__(self, connection: Connection, began: float) -> None:
        self.connection: Connection | None = connection
        self.site = connection.site
        self.began = began
        self.headers: dict[bytes, list[bytes]] = {}

    @property
    def args(self) -> Mapping[bytes, Sequence[bytes]]:  # type: ignore[override]  # nobody sets it
        query = self.uri.partition(b"?")[2]
        return cast("Mapping[bytes, Sequence[bytes]]", parse_qs(query, True))

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

    def answer(
        self,
        status: int,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        content_type: str = CONTENT_TYPE,
    ) -> bytes:
        self.code = status
        lines = self.site.preamble(self.version, status, content_type, persistent=self.persistent)
        more = header_lines(headers) if headers else b""
        self._head = b"%b%bContent-Length: %d\r\n\r\n" % (lines, more, len(body))
        return body

    def write(self, data: bytes) -> None:
        if self.connection is None or not (data or self._head):
            return
        self.startedWriting = 1
        if self.method == b"HEAD":
            data = b""
        self.sentLength += len(data)
        if self.chunked and data:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        head, self._head = self._head, b""
        self.connection.outlet.write(head + data)

    def finish(self) -> None:
        connection = self.connection
        if connection is None:
            return
        if self.chunked and self.method != b"HEAD":
            self.write(b"") if self._head else None
            connection.outlet.write(b"0\r\n\r\n")
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


class FastSite(Edge, Factory):
    """A listener on llhttp.

    :param handle: answers every request, now or later.
    """

    noisy = False
    requestFactory = FastRequest

    def __init__(
        self,
        handle: Handle,
        admit: Admit,
        knows: Knows,
        clock: IReactorTime,
        access: AccessLog,
        crowd: Crowd,
        door: Door | None = None,
    ) -> None:
        Edge.__init__(self, admit, knows, clock, access, crowd, door)
        self.handle = handle
        self.date = b""
        self._unsent: list[Outlet] = []
        self._preambles: dict[tuple[bytes, int, str, bool], bytes] = {}
        self._timer: IDelayedCall | None = None
        self._end_of_turn: IDelayedCall | None = None

    def buildProtocol(self, addr: IAddress | None) -> Connection:  # noqa: ARG002
        return Connection(self)

    def connection_made(self, channel: Peered) -> bool:
        is_in = super().connection_made(channel)
        if is_in and self._timer is None:
            self._tick()
        return is_in

    def connection_lost(self, channel: Peered) -> None:
        if self.channels <= {channel}:
            for timer in (self._timer, self._end_of_turn):
                if timer is not None and timer.active():
                    timer.cancel()
            self._timer = None
            self._unsent.clear()
        super().connection_lost(channel)

    def flush_soon(self, outlet: Outlet) -> None:
        """Have it send at the end of this turn of the reactor.

        Sent one by one, each answer may wake a peer that has gone to sleep since the one before it.
        """
        if not self._unsent:
            self._end_of_turn = outlet.transport.reactor.callLater(0, self._flush)
        self._unsent.append(outlet)

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        for outlet in unsent:
            outlet.flush()

    def preamble(self, version: bytes, status: int, content_type: str, *, persistent: bool) -> bytes:
        """The beginning of an answer's head, which many answers share."""
        key = (version, status, content_type, persistent)
        lines = self._preambles.get(key)
        if lines is None:
            keep = {"Keep-Alive": f"timeout={KEEP_ALIVE_SECONDS}"} if persistent else {"Connection": "close"}
            given = {"Server": SERVER, "Date": self.date.decode(), "Content-Type": content_type, **keep}
            lines = self._preambles[key] = status_line(version, status) + header_lines(given)
        return lines

    def _tick(self) -> None:
        """One timer for all deadlines: each is kept within `TICK_SECONDS`."""
        now = self.clock.seconds()
        self._timer = self.clock.callLater(TICK_SECONDS - now % TICK_SECONDS, self._tick)
        self.date = datetimeToString()
        self._preambles.clear()
        for connection in [one for one in self.channels if cast("Connection", one).due <= now]:
            cast("Connection", connection).late()
