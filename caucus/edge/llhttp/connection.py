"""HTTP/1.1 on llhttp: one connection, its requests in order, and the answers. It knows no route."""

from __future__ import annotations

import math
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IPushProducer, ISSLTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from caucus.edge import bounds
from caucus.edge.llhttp.intake import Intake
from caucus.edge.llhttp.listener import FastListener
from caucus.edge.llhttp.outlet import Outlet
from caucus.edge.llhttp.request import FastRequest
from caucus.edge.request import last_words
from caucus.edge.site import peer_name
from caucus.errors import CaucusError, RequestTimeout

HELD: Final = 16_384
"""With more bytes than that waiting for an answer before them, no more are read."""


@implementer(IHalfCloseableProtocol, IPushProducer)
class Connection(Protocol):
    """One connection. ``due`` is when it will be `late`, by the site's clock: never, while a route works."""

    transport: Any
    outlet: Outlet

    def __init__(self, site: FastListener) -> None:
        self.site = site
        self.peer = ""
        self.due = math.inf
        self.is_full = False
        self._intake = Intake(self, site)
        self._current: FastRequest | None = None
        self._rest = b""
        self._now = self._opened = self._free = 0.0
        self._lingered = 0
        self._running = False
        self._is_producing = False
        self._turn: IDelayedCall | None = None
        self._paused = self._answered = self._last = self._closing = self._refused = False

    def connectionMade(self) -> None:
        self.outlet = Outlet(self.transport, self.site)
        if not self.site.connection_made(self):
            self._closing = True
            self.forceAbortClient()
            return
        self.transport.registerProducer(self, True)
        self._is_producing = True
        self.peer = peer_name(self.transport.getPeer())
        self._now = self._opened = self._free = self.site.clock.seconds()
        self.due = self._opened + bounds.HEADER_SECONDS

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._closing = True
        self._rest = b""
        self.outlet.drop()
        self._intake.end()
        if self._turn is not None and self._turn.active():
            self._turn.cancel()
        self._turn = None
        request, self._current = self._current, None
        if request is not None:
            self.site.log_answer(request, request.sentLength, self.peer, request.began)  # it never ended
            request.lose(reason)
        self.site.connection_lost(self)

    def readConnectionLost(self) -> None:
        """The peer sends no more. It may still read: what it asked for is sent, then it is over."""
        self._last = True
        if self._current is not None:
            if self._current.endless or self._current.is_awaited:
                self.forceAbortClient()  # whoever closes its end while it waits has gone
        elif not self.is_full and self._turn is None:
            self._close()

    def writeConnectionLost(self) -> None:
        """We send no more; the peer was told why."""

    # What arrives

    def dataReceived(self, data: bytes) -> None:
        if self._refused:
            self._lingered += len(data)
            if self._lingered > bounds.LINGER_BYTES:
                self.forceAbortClient()
        elif self._current is not None and self._current.endless:
            pass  # nothing that comes after it will be answered, and its end has to be heard
        elif self._current is not None or self._rest or self._intake.ready or self.is_full:
            self._rest += data
            if len(self._rest) > HELD:
                self._paused = True
                self.transport.pauseProducing()
        elif not self._closing:
            self._advance(data)

    def _advance(self, data: bytes) -> None:
        """Parse and answer, in turns, as far as the answers are taken and others have their turn."""
        now = self._now = self.site.clock.seconds()
        intake = self._intake
        self._running = True
        left = bounds.TURN
        while True:
            if data and not (intake.ready or intake.refusal):
                data = intake.parse(data, now)
            while intake.ready and left and self._current is None and not self.is_full:
                left -= 1
                request = self._current = intake.ready.pop(0)
                try:
                    self.site.handle(request)
                except Exception:
                    request.processingFailed(Failure())
            if not data or intake.ready or self._current or self.is_full or intake.is_over or intake.refusal:
                break
        self._running = False
        self._rest = data
        if intake.ready and not (self._current or self.is_full or self._closing):
            self.due = math.inf
            self._turn = self.site.clock.callLater(0, self._proceed)
            return
        if self._paused and len(data) <= HELD:
            self._paused = False
            self.transport.resumeProducing()
        self._settle()

    def _settle(self) -> None:
        """Everything that can be answered has been: see what else there is to do, and by when."""
        arriving = self._intake.arriving
        if self._closing or self._refused or self.is_full:
            return
        if self._current is not None:
            self.due = math.inf
            if self._current.is_awaited or self._current.endless:
                self._intake.rest()
                self._current.headers = {}  # it has been judged by them
        elif self._intake.refusal is not None:
            self._refuse(self._intake.refusal)
        elif self._last:
            self._close()
        elif arriving is None:
            if self._answered:
                self.due = self._free + bounds.IDLE_SECONDS
        elif self._intake.in_head:
            began = max(arriving.began, self._free) if self._answered else self._opened
            self.due = began + bounds.HEADER_SECONDS
        else:
            self.due = max(arriving.began, self._free) + bounds.REQUEST_SECONDS
            if arriving.expects:
                arriving.expects = False
                self.outlet.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def answered(self, request: FastRequest) -> None:
        """The current request's answer is complete."""
        self._current = None
        self._answered = True
        self._free = self._now if self._running else self.site.clock.seconds()
        if not request.persistent:
            self._close()
        elif not self._running:
            self._proceed()

    def _proceed(self) -> None:
        if self._turn is not None and self._turn.active():
            self._turn.cancel()
        self._turn = None
        if not (self._closing or self._refused):
            rest, self._rest = self._rest, b""
            self._advance(rest)

    def pauseProducing(self) -> None:
        """The peer takes no more: it has a while to take something."""
        self.is_full = True
        self.due = self.site.clock.seconds() + bounds.REQUEST_SECONDS
        if self._current is not None and self._current.producer is not None:
            self._current.producer.pauseProducing()

    def resumeProducing(self) -> None:
        self.is_full = False
        if self._current is None:
            self._free = self.site.clock.seconds()
            if not self._running:
                self._proceed()
            return
        self.due = math.inf
        if self._current.producer is not None:
            self._current.producer.resumeProducing()

    def stopProducing(self) -> None:
        if self._current is not None and self._current.producer is not None:
            self._current.producer.stopProducing()

    # How it ends

    def late(self) -> None:
        """A deadline has passed."""
        if self._refused and not self._closing:
            self._close()
            self.due = self.site.clock.seconds() + bounds.LINGER_SECONDS
        elif self._closing or self.is_full or self._current is not None:
            self.forceAbortClient()
        elif self._intake.arriving is not None:
            self._refuse(RequestTimeout())
        else:  # a 408 could be taken for the answer to a request that is just leaving
            self._close()

    def finish_up(self) -> None:
        """Close once the request under way is answered; at once if there is none."""
        request = self._current or (self._intake.ready[0] if self._intake.ready else self._intake.arriving)
        if request is not None:
            request.persistent = False
        elif not self._refused:
            self._close()

    def forceAbortClient(self) -> None:
        self.due = math.inf
        self.outlet.drop()
        self.transport.abortConnection()

    def _close(self) -> None:
        self._closing = self._intake.is_over = True
        self._intake.ready.clear()
        self._rest = b""
        self.due = self.site.clock.seconds() + bounds.REQUEST_SECONDS  # the peer may not have read it all yet
        self.outlet.flush()
        self._stop_producing()
        self.transport.loseConnection()

    def _refuse(self, error: CaucusError) -> None:
        """Answer with the envelope, say that nothing follows, and go on reading for a while."""
        self._refused = True
        request = self._intake.arriving
        is_head = request is not None and request.method == b"HEAD"
        status, head, body = last_words(error, self.site.date, head=is_head)
        self.outlet.write(head + body)
        began = self._opened if request is None else request.began
        self.site.log_refusal(request, error, status, len(body), self.peer, began)
        self._rest = b""
        self._intake.give_up()
        self.outlet.flush()
        self.transport.resumeProducing()
        self._stop_producing()
        end_of_stream = getattr(self.transport, "loseWriteConnection", None)
        if end_of_stream is not None and not ISSLTransport.providedBy(self.transport):
            end_of_stream()  # TLS has no half-closed state
        self.due = self.site.clock.seconds() + bounds.LINGER_SECONDS

    def _stop_producing(self) -> None:
        """A transport that is told to close waits for its producer, even when it has sent everything."""
        if self._is_producing:
            self._is_producing = False
            self.transport.unregisterProducer()
