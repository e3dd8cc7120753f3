"""HTTP/1.1 on llhttp: one connection, its requests in order, and the answers. It knows no route.

The parser calls back from within a segment and must not be called again meanwhile, and what is
raised in a callback would become a parse error: callbacks only take notes. Requests are handled
after them, one at a time.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any, Final, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from httptools.parser.errors import HttpParserCallbackError
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer, ISSLTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from caucus.errors import BadRequest, CaucusError, HeadersTooLarge, InternalError, RequestTimeout
from caucus.web import bounds
from caucus.web.outlet import Outlet
from caucus.web.request import last_words
from caucus.web.site import peer_name

if TYPE_CHECKING:
    from caucus.web.fast import FastRequest, FastSite

PIECE: Final = 8192
"""So many bytes are parsed at a time: a pipeliner's requests are made as they are answered."""
HELD: Final = 16_384
"""With more bytes than that waiting for an answer before them, no more are read."""
UNTOLD: Final = bounds.MAX_HEAD + 2 * (bounds.MAX_HEADERS + 2)
"""The most bytes, line ends among them, that the parser may keep to itself: a header that does not end."""

_VERSIONS: Final = {"1.1": b"HTTP/1.1", "1.0": b"HTTP/1.0"}
_log = Logger("caucus.web")


@implementer(IHalfCloseableProtocol, IPushProducer)
class Connection(Protocol):
    """One connection. ``due`` is when it will be `late`, by the site's clock: never, while a route works."""

    transport: Any
    outlet: Outlet

    def __init__(self, site: FastSite) -> None:
        self.site = site
        self.peer = ""
        self.due = math.inf
        self.is_full = False
        self._parser: Any = HttpRequestParser(self)
        self._arriving: FastRequest | None = None
        self._ready: deque[FastRequest] = deque()
        self._current: FastRequest | None = None
        self._rest = b""
        self._refusal: CaucusError | None = None
        self._now = self._opened = self._free = 0.0
        self._untold = self._lingered = 0
        self._in_head = self._knows_head = self._told = self._running = False
        self._paused = self._answered = self._last = self._over = self._closing = self._refused = False

    def connectionMade(self) -> None:
        self.outlet = Outlet(self.transport, self.site)
        if not self.site.connection_made(self):
            self._closing = True
            self.forceAbortClient()
            return
        self.transport.registerProducer(self, True)
        self.peer = peer_name(self.transport.getPeer())
        self._now = self._opened = self._free = self.site.clock.seconds()
        self.due = self._opened + bounds.HEADER_SECONDS

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._closing = True
        self._parser = self._refusal = None
        self._rest = b""
        self.outlet.drop()
        self._give_up_arriving()
        request, self._current = self._current, None
        if request is not None:
            self.site.log_answer(request, request.sentLength, self.peer, request.began)  # it never ended
            request.lose(reason)
        self._ready.clear()
        self.site.connection_lost(self)

    def readConnectionLost(self) -> None:
        """The peer sends no more. It may still read: what it asked for is sent, then it is over."""
        self._last = True
        if self._current is not None:
            if self._current.endless:
                self.forceAbortClient()  # whoever closes its end of a stream has gone
        elif not self.is_full:
            self._close()

    def writeConnectionLost(self) -> None:
        """We send no more; the peer was told why."""

    # What arrives

    def dataReceived(self, data: bytes) -> None:
        if self._refused:
            self._lingered += len(data)
            if self._lingered > bounds.LINGER_BYTES:
                self.forceAbortClient()
        elif self._current is not None or self._rest or self.is_full:
            self._rest += data
            if len(self._rest) > HELD:
                self._paused = True
                self.transport.pauseProducing()
        elif not self._closing:
            self._advance(data)

    def _advance(self, data: bytes) -> None:
        """Parse and answer, in turns, as far as the answers are taken."""
        self._now = self.site.clock.seconds()
        self._running = True
        while True:
            if data and not (self._ready or self._refusal):
                data = self._parse(data)
            while self._ready and self._current is None and not self.is_full:
                request = self._current = self._ready.popleft()
                try:
                    self.site.handle(request)
                except Exception:
                    request.processingFailed(Failure())
            if not data or self._current is not None or self.is_full or self._over or self._refusal:
                break
        self._running = False
        self._rest = data
        if self._paused and len(data) <= HELD:
            self._paused = False
            self.transport.resumeProducing()
        self._settle()

    def _settle(self) -> None:
        """Everything that can be answered has been: see what else there is to do, and by when."""
        arriving = self._arriving
        if self._closing or self._refused or self.is_full:
            return
        if self._current is not None:
            self.due = math.inf
        elif self._refusal is not None:
            self._refuse(self._refusal)
        elif self._last:
            self._close()
        elif arriving is None:
            if self._answered:
                self.due = self._free + bounds.IDLE_SECONDS
        elif self._in_head:
            began = max(arriving.began, self._free) if self._answered else self._opened
            self.due = began + bounds.HEADER_SECONDS
        else:
            self.due = max(arriving.began, self._free) + bounds.REQUEST_SECONDS
            if arriving.expects:
                arriving.expects = False
                self.outlet.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _parse(self, data: bytes) -> bytes:
        """Give the parser a piece; gives what is left."""
        piece, rest = (data, b"") if len(data) <= PIECE else (data[:PIECE], data[PIECE:])
        self._told = False
        try:
            self._parser.feed_data(piece)
        except HttpParserUpgrade as upgrade:
            self._ignore_upgrade()
            return piece[upgrade.args[0] :] + rest
        except HttpParserCallbackError as error:
            self._refusal = self._cause_of(error)
        except HttpParserError:
            self._refusal = BadRequest()
        # The parser keeps a header or a trailer to itself until it has all of it.
        self._untold = 0 if self._told else self._untold + len(piece)
        if self._untold > UNTOLD and self._refusal is None:
            self._refusal = HeadersTooLarge()
        if self._over:
            self._refusal = None  # what comes after the last request is nobody's
        return rest

    def _ignore_upgrade(self) -> None:
        """Nothing is upgraded to here. llhttp stops at such a head, even if a body follows it."""
        self._parser = HttpRequestParser(self)
        request = self._ready[-1]
        for name in (b"content-length", b"transfer-encoding"):
            for value in request.values(name):
                self._arriving = self._ready.pop()
                self._over = False
                self._knows_head = True
                self._parser.feed_data(b"POST / HTTP/1.1\r\n%b: %b\r\n\r\n" % (name, value))
                self._knows_head = False

    # What the parser tells; a refusal raised here ends its work

    def on_message_begin(self) -> None:
        if self._knows_head:
            return
        if self._over:
            raise BadRequest
        self._arriving = self.site.requestFactory(self, self._now)
        self._in_head = True
        self._untold = 0

    def on_url(self, part: bytes) -> None:
        if not self._knows_head:
            request = cast("FastRequest", self._arriving)
            request.uri += part
            request.head_size += len(part)
            if request.head_size > bounds.MAX_HEAD:
                raise HeadersTooLarge

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._knows_head:
            return
        request = cast("FastRequest", self._arriving)
        request.head_size += len(name) + len(value) + 2
        request.header_count += 1
        if (
            request.head_size > bounds.MAX_HEAD
            or request.header_count > bounds.MAX_HEADERS
            or len(name) > bounds.NAME_LENGTH
        ):
            raise HeadersTooLarge
        if self._in_head:  # a trailer counts, and says nothing
            request.headers.setdefault(name.lower(), []).append(value.strip(b" \t"))

    def on_headers_complete(self) -> None:
        if self._knows_head:
            return
        request = cast("FastRequest", self._arriving)
        self._in_head = False
        self._told = True
        version = _VERSIONS.get(self._parser.get_http_version())
        if version is None:
            raise BadRequest
        request.method = self._parser.get_method()
        request.version = version
        request.head_size += len(request.method) + len(b"  HTTP/1.1")
        if request.head_size > bounds.MAX_HEAD:
            raise HeadersTooLarge
        is_new = version == b"HTTP/1.1"
        bounds.check_head(request, http_1_1=is_new)
        request.cap = self.site.admit(request)
        length = request.headers.get(b"content-length")
        if length is not None:
            if len(length[0]) > bounds.LENGTH_DIGITS:
                raise BadRequest
            request.length = int(length[0])
            if request.length > request.cap.limit:
                raise request.cap.refuse()
        request.persistent = is_new and not bounds.asks_to_close(request) and not self.site.closing
        request.expects = is_new and [one.lower() for one in request.values(b"expect")] == [b"100-continue"]

    def on_body(self, data: bytes) -> None:
        self._told = True
        cast("FastRequest", self._arriving).add_to_body(data)

    def on_chunk_header(self) -> None:
        self._told = True

    def on_message_complete(self) -> None:
        request = cast("FastRequest", self._arriving)
        if request.received is not None:
            request.received.has_arrived()
        self._arriving = None
        # llhttp reads no more after what it takes for the last, by a trailer or Proxy-Connection too.
        request.persistent = request.persistent and self._parser.should_keep_alive()
        self._ready.append(request)
        self._over = not request.persistent
        self._told = True

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
        elif self._arriving is not None:
            self._refuse(RequestTimeout())
        else:  # a 408 could be taken for the answer to a request that is just leaving
            self._close()

    def finish_up(self) -> None:
        """Close once the request under way is answered; at once if there is none."""
        request = self._current or (self._ready[0] if self._ready else self._arriving)
        if request is not None:
            request.persistent = False
        elif not self._refused:
            self._close()

    def forceAbortClient(self) -> None:
        self.due = math.inf
        self.outlet.drop()
        self.transport.abortConnection()

    def _close(self) -> None:
        self._closing = self._over = True
        self._ready.clear()
        self._rest = b""
        self.due = self.site.clock.seconds() + bounds.REQUEST_SECONDS  # the peer may not have read it all yet
        self.outlet.flush()
        self.transport.loseConnection()

    def _refuse(self, error: CaucusError) -> None:
        """Answer with the envelope, say that nothing follows, and go on reading for a while."""
        self._refused = True
        request = self._arriving
        is_head = request is not None and request.method == b"HEAD"
        status, head, body = last_words(error, self.site.date, head=is_head)
        self.outlet.write(head + body)
        began = self._opened if request is None else request.began
        self.site.log_refusal(request, status, len(body), self.peer, began)
        self._rest = b""
        self._refusal = None
        self._give_up_arriving()
        self.outlet.flush()
        self.transport.resumeProducing()
        self.transport.unregisterProducer()
        end_of_stream = getattr(self.transport, "loseWriteConnection", None)
        if end_of_stream is not None and not ISSLTransport.providedBy(self.transport):
            end_of_stream()  # TLS has no half-closed state
        self.due = self.site.clock.seconds() + bounds.LINGER_SECONDS

    def _give_up_arriving(self) -> None:
        """What has not arrived as a whole never will: no cycle keeps its body."""
        request, self._arriving = self._arriving, None
        if request is not None:
            request.connection = None
            if request.received is not None:
                request.received.give_up()

    def _cause_of(self, error: HttpParserCallbackError) -> CaucusError:
        """What a callback raised, without the traceback, whose frames hold the connection."""
        cause = error.__context__
        if isinstance(cause, CaucusError):
            cause.__traceback__ = None
            return cause
        _log.failure("A request could not be read", failure=Failure(cause))
        return InternalError()
