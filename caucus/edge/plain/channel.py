"""One connection on the plain path: deadlines, caps, and refusals below the routes.

`twisted.web.http.HTTPChannel` parses; this adds what it does not do by itself: it lets one byte
now and then keep a request open for ever, takes a missing or repeated ``Host``, folds headers, and
answers what it refuses without a body.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, datetimeToString
from zope.interface import implementer

from caucus.edge.bounds import (
    HEADER_SECONDS,
    IDLE_SECONDS,
    LENGTH_DIGITS,
    LINGER_BYTES,
    LINGER_SECONDS,
    MAX_HEADERS,
    NAME_LENGTH,
    REQUEST_SECONDS,
    TURN,
    asks_to_close,
    check_head,
)
from caucus.edge.plain.request import PlainRequest
from caucus.edge.request import last_words
from caucus.edge.site import Edge, peer_name
from caucus.errors import BadRequest, CaucusError, HeadersTooLarge, RequestTimeout


@implementer(IHalfCloseableProtocol)
class EdgeChannel(HTTPChannel):
    """One connection. At any time it has exactly one deadline, or none while a route works."""

    # Beyond 30 attributes an instance's dictionary takes 1.5 KiB: what is set late lives in slots.
    __slots__ = (
        "_answered",
        "_deadline",
        "_held",
        "_last",
        "_lingered",
        "_receiving",
        "_refused",
        "_requestProducer",
        "_requestProducerStreaming",
        "_spent",
        "_turn",
        "_waitingForTransport",
        "began",
        "peer",
    )
    maxHeaders = MAX_HEADERS
    transport: Any
    site: Edge
    requests: list[PlainRequest]

    def __init__(self) -> None:
        super().__init__()
        self._requestProducer = self._requestProducerStreaming = None
        self._waitingForTransport = False
        self._deadline: IDelayedCall | None = None
        self._receiving = self._answered = self._refused = self._last = False
        self._held: PlainRequest | None = None
        self._lingered = self._spent = 0
        self._turn: IDelayedCall | None = None
        self.began = 0.0

    def connectionMade(self) -> None:
        super().connectionMade()
        if not self.site.connection_made(self):
            self.forceAbortClient()
            return
        self.peer = peer_name(self.getPeer())
        self._set_deadline(HEADER_SECONDS, self._late)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._clear_deadline()
        if self._handlingRequest and self.requests and not self.requests[0].finished:
            lost = self.requests[0]
            if not lost.startedWriting:
                lost.code = 0  # which Twisted has as 200 from the beginning
            self.log(lost)  # its answer never ended
        super().connectionLost(reason)
        if self._turn is not None and self._turn.active():
            self._turn.cancel()
        self.requests.clear()
        self._transferDecoder = self._held = None  # its callbacks are the channel's
        self.site.connection_lost(self)

    def log(self, request: PlainRequest) -> None:
        """Write the access line of an answer."""
        self.site.log_answer(request, request.sentLength, self.peer, self.began)

    def readConnectionLost(self) -> None:
        """The peer sends no more. It may still read: what it asked for is sent, then it is over."""
        self._last = True
        if self._handlingRequest and (self.requests[0].endless or self.requests[0].is_awaited):
            self.forceAbortClient()  # whoever closes its end while it waits has gone
        else:
            self._close_if_last()

    def writeConnectionLost(self) -> None:
        """We send no more; the peer was told why."""

    # What arrives

    def dataReceived(self, data: bytes) -> None:
        if self._refused:
            self._linger(len(data))
            return
        if not self._handlingRequest:
            self._begin()
        elif self.requests[0].endless:
            return  # nothing that comes after it will be answered, and its end has to be heard
        self._spent = 0
        super().dataReceived(data)
        if self._waitingForTransport and sum(map(len, self._dataBuffer)) > self._optimisticEagerReadSize:
            self.transport.pauseProducing()  # Twisted does so only if the transport is not full
        if self.line_mode and not self._busyReceiving and self._buffer and not self._refused:
            self._begin()  # the next request's first bytes came in the segment of the last one's end
            if b"\n" in self._buffer:
                self.refuse(BadRequest())  # a bare LF ends no line: it would wait for the deadline

    def lineReceived(self, line: bytes) -> None:
        if self._refused:
            return
        self._begin()
        if (
            self._receivedHeaderSize + len(line) > self.totalHeadersSize
            or self._receivedHeaderCount >= self.maxHeaders
            or (self._receivedHeaderSize and line.find(b":") > NAME_LENGTH)
        ):
            self.refuse(HeadersTooLarge())
        elif line[:1] in (b" ", b"\t") or b"\r" in line or b"\n" in line:
            self.refuse(BadRequest())  # line folding, or half a line end: RFC 9112, sections 5.2 and 2.2
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
            check_head(request, http_1_1=self._version == b"HTTP/1.1")
            request.site = self.site
            request.cap = self.site.admit(request)
            if self.length is not None and self.length > request.cap.limit:
                raise request.cap.refuse()
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
        received = self.requests[-1].received
        if received is not None:
            received.has_arrived()
        super().allContentReceived()

    def _maybeChooseTransferDecoder(self, header: bytes, data: bytes) -> bool:
        if header == b"Content-Length" and len(data) > LENGTH_DIGITS:
            return self._failChooseTransferDecoder()
        return bool(super()._maybeChooseTransferDecoder(header, data))

    def checkPersistence(self, request: PlainRequest, version: bytes) -> bool:
        return version == b"HTTP/1.1" and not asks_to_close(request) and not self.site.closing

    def requestDone(self, request: PlainRequest) -> None:
        self._receiving = False
        self._answered = True
        if self._waitingForTransport and self.persistent:
            # What is pipelined waits until this answer is taken: else a peer that never reads could
            # have any number of answers made and kept for it.
            self._held = request
            self._set_deadline(REQUEST_SECONDS, self.forceAbortClient)
            return
        self._spent += 1
        if self._spent > TURN and self.persistent:
            self._held = request
            self._turn = self.site.clock.callLater(0, self._take_turn)
            return
        if self.persistent:
            self._set_deadline(IDLE_SECONDS, self._idle)
        else:
            self._set_deadline(REQUEST_SECONDS, self.forceAbortClient)
        super().requestDone(request)
        self._close_if_last()

    def _take_turn(self) -> None:
        """Others, and timers, have had theirs."""
        self._spent = 0
        self._release()

    def _release(self) -> None:
        """Go on with what was pipelined behind an answer."""
        if self._held is not None:
            request, self._held = self._held, None
            self.requestDone(request)

    def _close_if_last(self) -> None:
        """Close if the peer sends no more and has been answered."""
        if self._last and not (self._handlingRequest or self._busyReceiving):
            self.loseConnection()
            self._set_deadline(REQUEST_SECONDS, self.forceAbortClient)

    def pauseProducing(self) -> None:
        super().pauseProducing()
        if self._handlingRequest:
            self._set_deadline(REQUEST_SECONDS, self.forceAbortClient)  # unless it takes something

    def resumeProducing(self) -> None:
        if self._handlingRequest:
            self._clear_deadline()
        super().resumeProducing()
        self._release()

    def _begin(self) -> None:
        """The first byte of a request is here."""
        if self._receiving:
            return
        self._receiving = True
        self.began = self.site.clock.seconds()
        if self._answered:  # the first request's headers are due since the connection was made
            self._set_deadline(HEADER_SECONDS, self._late)

    # What is refused below the routes

    @property
    def is_refused(self) -> bool:
        """Whether the peer has been told that nothing more is taken."""
        return self._refused

    def refuse(self, error: CaucusError) -> None:
        """Answer with the envelope at once, whatever of the request has arrived, and close."""
        if self._refused:
            return
        self._refused = True
        request = self.requests[-1] if self.requests else None
        is_head = request is not None and request.method == b"HEAD"
        status, head, body = last_words(error, datetimeToString(), head=is_head)
        self.transport.write(head + body)
        self.site.log_refusal(request, error, status, len(body), self.peer, self.began)
        if request is not None and request.received is not None:
            request.received.give_up()
        self._close_gently()

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse(BadRequest())

    def _close_gently(self) -> None:
        """Say that nothing follows, and go on reading for a while."""
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
        if self in self.site.channels:  # Twisted may tell of an end to reading after the end of all
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
