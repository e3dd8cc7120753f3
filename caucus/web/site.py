"""The edge on Twisted's own HTTP server: deadlines, caps, and refusals below the routes.

`twisted.web.http.HTTPChannel` parses; this adds what it does not do by itself: it lets one byte
now and then keep a request open for ever, takes a missing or repeated ``Host``, folds headers, and
answers what it refuses without a body.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, datetimeToString
from twisted.web.http import Request as TwistedRequest
from twisted.web.resource import IResource
from twisted.web.server import Site

from caucus.errors import BadRequest, CaucusError, HeadersTooLarge, RequestTimeout
from caucus.web.access import AccessLog
from caucus.web.door import Door
from caucus.web.request import KEEP_ALIVE_SECONDS, BodyCap, Request
from caucus.wire.jsontext import CONTENT_TYPE
from caucus.wire.refusals import encode_error

HEADER_SECONDS: Final = 10
"""From a connection's opening, or a later request's first byte, to the end of its headers."""
REQUEST_SECONDS: Final = 30
"""From a request's first byte to the end of its body; and for a peer to take an answer."""
IDLE_SECONDS: Final = KEEP_ALIVE_SECONDS + 1
"""From an answer to the next request's first byte: a little more than is announced."""
LINGER_SECONDS: Final = 5
LINGER_BYTES: Final = 4 * 1024 * 1024
"""How long, and how much, a refused peer that is still sending is listened to, so that it gets
to read its answer: closing at once would reset the connection under it."""

Admit = Callable[[Request], BodyCap]


class EdgeChannel(HTTPChannel):
    """One connection. At any time it has exactly one deadline, or none while a route works."""

    # Beyond 30 attributes an instance's dictionary takes 1.5 KiB: what is set late lives in slots.
    __slots__ = (
        "_answered",
        "_deadline",
        "_held",
        "_lingered",
        "_receiving",
        "_refused",
        "_requestProducer",
        "_requestProducerStreaming",
        "_waitingForTransport",
        "began",
    )
    maxHeaders = 100
    transport: Any
    site: EdgeSite
    requests: list[Request]

    def __init__(self) -> None:
        super().__init__()
        self._requestProducer = self._requestProducerStreaming = None
        self._waitingForTransport = False
        self._deadline: IDelayedCall | None = None
        self._receiving = self._answered = self._refused = False
        self._held: Request | None = None
        self._lingered = 0
        self.began = 0.0

    def connectionMade(self) -> None:
        super().connectionMade()
        self.site.channels.add(self)
        self._set_deadline(HEADER_SECONDS, self._late)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._clear_deadline()
        if self._handlingRequest and self.requests and not self.requests[0].finished:
            self.site.log(self.requests[0])  # its answer never ended
        super().connectionLost(reason)
        self.site.connection_lost(self)

    # What arrives

    def dataReceived(self, data: bytes) -> None:
        if self._refused:
            self._linger(len(data))
            return
        if not self._handlingRequest:
            self._begin()
        super().dataReceived(data)
        if self.line_mode and not self._busyReceiving and b"\n" in self._buffer:
            self.refuse(BadRequest())  # a bare LF ends no line, and would wait for its CR until the deadline

    def lineReceived(self, line: bytes) -> None:
        if self._refused:
            return
        self._begin()
        if (
            self._receivedHeaderSize + len(line) > self.totalHeadersSize
            or self._receivedHeaderCount >= self.maxHeaders
        ):
            self.refuse(HeadersTooLarge())
        elif line[:1] in (b" ", b"\t"):
            self.refuse(BadRequest())  # line folding: RFC 9112, section 5.2
        else:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: ARG002
        self.refuse(HeadersTooLarge())

    def rawDataReceived(self, data: bytes) -> None:
        if not self._refused:
            super().rawDataReceived(data)

    def allHeadersReceived(self) -> None:
        request = self.requests[-1]
        request.method, request.uri, request.clientproto = self._command, self._path, self._version
        try:
            self._check_headers(request)
            request.site = self.site
            request.cap = self.site.admit(request)
            if self.length is not None and self.length > request.cap.limit:
                raise request.cap.refusal
        except CaucusError as refusal:
            self.refuse(refusal)
            return
        elapsed = self.site.clock.seconds() - self.began
        self._set_deadline(max(0.0, REQUEST_SECONDS - elapsed), self._late)
        super().allHeadersReceived()

    def allContentReceived(self) -> None:
        if self._refused:
            return
        self._clear_deadline()
        super().allContentReceived()

    def checkPersistence(self, request: Request, version: bytes) -> bool:
        values = b",".join(request.requestHeaders.getRawHeaders(b"Connection") or ())
        options = {option.strip().lower() for option in values.split(b",")}
        return version == b"HTTP/1.1" and b"close" not in options and not self.site.closing

    def requestDone(self, request: Request) -> None:
        self._receiving = False
        self._answered = True
        if self._waitingForTransport and self.persistent:
            # What is pipelined waits until this answer is taken: else a peer that never reads could
            # have any number of answers made and kept for it.
            self._held = request
            self._set_deadline(REQUEST_SECONDS, self.forceAbortClient)
            return
        if self.persistent:
            self._set_deadline(IDLE_SECONDS, self._idle)
        else:
            self._set_deadline(REQUEST_SECONDS, self.forceAbortClient)
        super().requestDone(request)

    def resumeProducing(self) -> None:
        super().resumeProducing()
        if self._held is not None:
            request, self._held = self._held, None
            self.requestDone(request)

    def _begin(self) -> None:
        """The first byte of a request is here."""
        if self._receiving:
            return
        self._receiving = True
        self.began = self.site.clock.seconds()
        if self._answered:  # the first request's headers are due since the connection was made
            self._set_deadline(HEADER_SECONDS, self._late)

    def _check_headers(self, request: Request) -> None:
        hosts = request.requestHeaders.getRawHeaders(b"Host") or ()
        codings = request.requestHeaders.getRawHeaders(b"Transfer-Encoding") or ()
        old = self._version != b"HTTP/1.1"
        if len(hosts) > 1 or not (hosts or old):
            raise BadRequest
        # One way to frame a body and no other: RFC 9112, section 6.1. HTTP/1.0 has no chunks.
        if codings and (old or [coding.lower() for coding in codings] != [b"chunked"]):
            raise BadRequest

    # What is refused below the routes

    def refuse(self, error: CaucusError) -> None:
        """Answer with the envelope at once, whatever of the request has arrived, and close."""
        if self._refused:
            return
        self._refused = True
        status, headers, body = encode_error(error)
        lines = [
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
            f"Content-Type: {CONTENT_TYPE}",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in headers.items()),
            "Connection: close",
            "Server: caucus-backbone",
            f"Date: {datetimeToString().decode()}",
        ]
        request = self.requests[-1] if self.requests else None
        sent = b"" if request is not None and request.method == b"HEAD" else body
        self.transport.write("\r\n".join([*lines, "", ""]).encode() + sent)
        self.site.log_refusal(self, request, status, len(sent))
        self._close_gently()

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse(BadRequest())

    def _close_gently(self) -> None:
        """Say that nothing follows, and go on reading for a while."""
        self.transport.resumeProducing()
        self.transport.unregisterProducer()
        end_of_stream = getattr(self.transport, "loseWriteConnection", None)
        if end_of_stream is not None and not self.isSecure():  # TLS has no half-closed state
            end_of_stream()
        self._set_deadline(LINGER_SECONDS, self._done_lingering)

    def _linger(self, size: int) -> None:
        self._lingered += size
        if self._lingered > LINGER_BYTES:
            self.forceAbortClient()

    def _done_lingering(self) -> None:
        self.transport.loseConnection()
        self._set_deadline(LINGER_SECONDS, self.forceAbortClient)

    # Deadlines

    def _late(self) -> None:
        if self._receiving:
            self.refuse(RequestTimeout())
        else:  # a 408 could be taken for the answer to a request that is just leaving
            self.loseConnection()
            self._set_deadline(LINGER_SECONDS, self.forceAbortClient)

    def _idle(self) -> None:
        self.loseConnection()
        self._set_deadline(REQUEST_SECONDS, self.forceAbortClient)  # it may not have read its answer yet

    def forceAbortClient(self) -> None:
        self._clear_deadline()
        self.transport.abortConnection()

    def _set_deadline(self, seconds: float, late: Callable[[], None]) -> None:
        self._clear_deadline()
        self._deadline = self.site.clock.callLater(seconds, late)

    def _clear_deadline(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None

    # Closing

    def finish_up(self) -> None:
        """Close once the request under way is answered; at once if there is none."""
        if self._handlingRequest:
            self.persistent = False
            if self._held is not None:
                self.loseConnection()
        elif self._receiving:
            self.persistent = not self.requests
        else:
            self.loseConnection()


class EdgeSite(Site):
    """Serves one resource on one listener, and knows its connections.

    :param resource: renders every request.
    :param admit: called when a request's headers are here, before its body: the cap of the body,
        or a refusal, raised.
    :param clock: runs the deadlines.
    :param door: knows whom to let in; it is put in place once the listener is bound.
    """

    noisy = False
    protocol = EdgeChannel  # type: ignore[assignment]  # HTTPFactory types its own proxy, which only serves h2
    requestFactory = Request  # type: ignore[assignment]  # it takes a channel and nothing else

    def __init__(
        self,
        resource: IResource,
        admit: Admit,
        clock: IReactorTime,
        access: AccessLog,
        door: Door | None = None,
    ) -> None:
        super().__init__(resource, timeout=None, reactor=clock, parsePOSTFormSubmission=False)
        self.admit = admit
        self.clock = clock
        self.access = access
        self.door = Door((), local=False, literals=False) if door is None else door
        self.channels: set[EdgeChannel] = set()
        self.closing = False
        self._gone: Deferred[None] | None = None

    def startFactory(self) -> None:
        """Nothing: Twisted's own access log would set a timer each second."""

    def stopFactory(self) -> None:
        """Nothing to stop."""

    def log(self, request: TwistedRequest) -> None:
        request = cast("Request", request)
        seconds = self.clock.seconds() - request.channel.began
        self.access.add(
            peer_name(request.client),
            request.method,
            request.uri,
            request.code,
            request.sentLength,
            seconds,
            request.agent_id,
        )

    def log_refusal(self, channel: EdgeChannel, request: Request | None, status: int, sent: int) -> None:
        """The access line of what was refused below the routes."""
        method, target = (b"-", b"-") if request is None else (request.method, request.uri)
        seconds = self.clock.seconds() - channel.began
        self.access.add(peer_name(channel.getPeer()), method, target, status, sent, seconds, None)

    def close_connections(self, grace: float) -> Deferred[None]:
        """Close each connection once it is idle, all after ``grace`` seconds; fires when all are gone."""
        self.closing = True
        self._gone = Deferred()
        late = self.clock.callLater(grace, self._abort_all)
        gone = self._gone.addCallback(lambda _: late.cancel() if late.active() else None)
        for channel in list(self.channels):
            channel.finish_up()
        self._tell_if_all_gone()
        return gone

    def connection_lost(self, channel: EdgeChannel) -> None:
        """One connection is gone; the last one ends `close_connections`."""
        self.channels.discard(channel)
        self._tell_if_all_gone()

    def _tell_if_all_gone(self) -> None:
        if self._gone is not None and not self.channels:
            gone, self._gone = self._gone, None
            gone.callback(None)

    def _abort_all(self) -> None:
        for channel in list(self.channels):
            channel.forceAbortClient()


def peer_name(address: IAddress) -> str:
    """The peer's host, or ``unix`` for a Unix socket's peer, which has no name."""
    return str(getattr(address, "host", "unix"))
