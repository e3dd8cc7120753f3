"""What arrives on one connection of the llhttp transport: bytes become requests, in order.

The parser calls back from within a segment and must not be called again meanwhile, and what is
raised in a callback would become a parse error: callbacks only take notes.
"""

from __future__ import annotations

from typing import Any, Final, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from httptools.parser.errors import HttpParserCallbackError
from twisted.logger import Logger
from twisted.python.failure import Failure

from caucus.edge import bounds
from caucus.edge.llhttp.heads import END, LONGEST, Known
from caucus.edge.llhttp.listener import FastListener
from caucus.edge.llhttp.request import Carrier, FastRequest
from caucus.errors import BadRequest, CaucusError, HeadersTooLarge, InternalError

PIECE: Final = 2048
BODY_PIECE: Final = 8192
"""So many bytes are parsed at a time: a pipeliner's requests are made as they are answered."""
UNTOLD: Final = bounds.MAX_HEAD + 2 * (bounds.MAX_HEADERS + 2)
"""The most bytes, line ends among them, that the parser may keep to itself: a header that does not end."""

_VERSIONS: Final = {"1.1": b"HTTP/1.1", "1.0": b"HTTP/1.0"}
_log = Logger("caucus.web")


class Intake:
    """``ready`` are the requests that are whole, ``arriving`` the one that is not, with ``in_head`` until its
    headers are here. ``refusal`` is what refuses everything from here on; after ``is_over`` nothing comes.
    """

    def __init__(self, connection: Carrier, site: FastListener) -> None:
        self.arriving: FastRequest | None = None
        self.ready: list[FastRequest] = []  # a deque takes 600 bytes, and there are a few of them at most
        self.refusal: CaucusError | None = None
        self.in_head = self.is_over = False
        self._connection: Carrier | None = connection
        self._site = site
        self._parser: Any = HttpRequestParser(self)
        self._now = 0.0
        self._untold = 0
        self._told = self._knows_head = False

    def parse(self, data: bytes, now: float) -> bytes:
        """Read a piece of what came; gives what is left."""
        self._now = now
        if self.arriving is not None or self._untold or self.is_over:
            return self._feed(data)
        end = data.find(END, 0, LONGEST) + len(END)
        if end <= len(END):
            return self._feed(data)
        head, site = data[:end], self._site
        known = site.heads.find(head, site.door)
        if known is not None and len(data) >= end + known.length and not site.closing:
            return self._take(known, data, end)
        rest = self._feed(data)
        if self.ready:
            site.heads.learn(head, self.ready[0])
        return rest

    def _feed(self, data: bytes) -> bytes:
        """Have the parser read a piece; gives what is left."""
        most = PIECE if self.arriving is None or self.in_head else BODY_PIECE
        piece, rest = (data, b"") if len(data) <= most else (data[:most], data[most:])
        self._told = False
        if self._parser is None:
            self._parser = HttpRequestParser(self)
        try:
            self._parser.feed_data(piece)
        except HttpParserUpgrade as upgrade:
            self._ignore_upgrade()
            return piece[upgrade.args[0] :] + rest
        except HttpParserCallbackError as error:
            self.refusal = self._cause_of(error)
        except HttpParserError:
            self.refusal = BadRequest()
        # The parser keeps a header or a trailer to itself until it has all of it.
        self._untold = 0 if self._told else self._untold + len(piece)
        if self._untold > UNTOLD and self.refusal is None:
            self.refusal = HeadersTooLarge()
        if self.is_over:
            self.refusal = None  # what comes after the last request is nobody's
        return rest

    def _take(self, known: Known, data: bytes, end: int) -> bytes:
        """Make a request of a head that was parsed before, and its body; gives what follows them."""
        request = self._site.requestFactory(cast("Carrier", self._connection), self._now)
        known.repeat(request, data, end)
        try:
            self._site.hear(request)
        except Exception:
            _log.failure("A request could not be read")
            self.arriving, self.refusal = request, InternalError()
            return b""
        self.ready.append(request)
        return data[end + known.length :]

    def _ignore_upgrade(self) -> None:
        """Nothing is upgraded to here. llhttp stops at such a head, even if a body follows it."""
        self._parser = HttpRequestParser(self)
        request = self.ready[-1]
        for name in (b"content-length", b"transfer-encoding"):
            for value in request.values(name):
                self.arriving = self.ready.pop()
                self.is_over = False
                self._knows_head = True
                self._parser.feed_data(b"POST / HTTP/1.1\r\n%b: %b\r\n\r\n" % (name, value))
                self._knows_head = False

    # What the parser tells; a refusal raised here ends its work

    def on_message_begin(self) -> None:
        if self._knows_head:
            return
        if self.is_over:
            raise BadRequest
        self.arriving = self._site.requestFactory(cast("Carrier", self._connection), self._now)
        self.in_head = True
        self._untold = 0

    def on_url(self, part: bytes) -> None:
        if not self._knows_head:
            request: Any = self.arriving
            request.uri += part
            request.head_size += len(part)
            if request.head_size > bounds.MAX_HEAD:
                raise HeadersTooLarge

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._knows_head:
            return
        request: Any = self.arriving
        length = len(name)
        request.head_size = size = request.head_size + length + len(value) + 2
        request.header_count = count = request.header_count + 1
        if size > bounds.MAX_HEAD or count > bounds.MAX_HEADERS or length > bounds.NAME_LENGTH:
            raise HeadersTooLarge
        if self.in_head:  # a trailer counts, and says nothing
            name = name.lower()
            headers = request.headers
            if name in headers:
                headers[name].append(value.strip(b" \t"))
            else:
                headers[name] = [value.strip(b" \t")]

    def on_headers_complete(self) -> None:
        if self._knows_head:
            return
        request: Any = self.arriving
        self.in_head = False
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
        request.cap = self._site.admit(request)
        headers = request.headers
        length = headers.get(b"content-length")
        if length is not None:
            if len(length[0]) > bounds.LENGTH_DIGITS:
                raise BadRequest
            request.length = int(length[0])
            if request.length > request.cap.limit:
                raise request.cap.refuse()
        closes = b"connection" in headers and bounds.asks_to_close(request)
        request.persistent = is_new and not closes and not self._site.closing
        if is_new and b"expect" in headers:
            request.expects = [one.lower() for one in headers[b"expect"]] == [b"100-continue"]

    def on_body(self, data: bytes) -> None:
        self._told = True
        request: Any = self.arriving
        request.add_to_body(data)

    def on_chunk_header(self) -> None:
        self._told = True

    def on_message_complete(self) -> None:
        request: Any = self.arriving
        if request.received is not None:
            request.received.has_arrived()
        self.arriving = None
        # llhttp reads no more after what it takes for the last, by a trailer or Proxy-Connection too.
        request.persistent = request.persistent and self._parser.should_keep_alive()
        self.ready.append(request)
        self.is_over = not request.persistent
        self._told = True

    def rest(self) -> None:
        """Nothing comes for long: between two requests a parser knows nothing, and takes a kilobyte."""
        if self.arriving is None:
            self._parser = None

    def give_up(self) -> None:
        """What has not arrived as a whole never will: no cycle keeps its body."""
        self.refusal = None
        request, self.arriving = self.arriving, None
        if request is not None:
            request.connection = None
            if request.received is not None:
                request.received.give_up()

    def end(self) -> None:
        """The connection is gone."""
        self.give_up()
        self.ready.clear()
        self._parser = self._connection = None

    def _cause_of(self, error: HttpParserCallbackError) -> CaucusError:
        """What a callback raised, without the traceback, whose frames hold the connection."""
        cause = error.__context__
        if isinstance(cause, CaucusError):
            cause.__traceback__ = None
            return cause
        _log.failure("A request could not be read", failure=Failure(cause))
        return InternalError()
