"""One request as the routes see it: a body kept in memory under a cap, and one way to answer."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Final

from attrs import frozen
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import server
from twisted.web.http import datetimeToString
from twisted.web.http_headers import Headers
from twisted.web.iweb import INonQueuedRequestFactory
from zope.interface import provider

from caucus.errors import CaucusError, InternalError, PayloadTooLarge
from caucus.wire.jsontext import CONTENT_TYPE, MAX_BODY
from caucus.wire.refusals import encode_error

if TYPE_CHECKING:
    from caucus.web.connection import EdgeChannel
    from caucus.web.site import EdgeSite

KEEP_ALIVE_SECONDS: Final = 5
"""How long an idle connection is kept at least, as it is announced."""

_NO_HEADERS: Final = Headers()
_log = Logger("caucus.web")


@frozen
class BodyCap:
    """The most bytes that a request's body may have, and the refusal if it has more."""

    limit: int
    refusal: CaucusError


JSON_BODY: Final = BodyCap(MAX_BODY, PayloadTooLarge(MAX_BODY))


class _Absent:
    """The type of `ABSENT`."""


ABSENT: Final = _Absent()
"""The value of a body that has no bytes."""


@provider(INonQueuedRequestFactory)
class Request(server.Request):
    """Twisted's request, less what does not belong to this contract: spooling, forms, HTML.

    ``json_value`` is what the body says, ``cap`` what it may hold; ``agent_id`` is set for the
    access line once the token was resolved.
    """

    # Beyond 30 attributes an instance's dictionary takes 1.5 KiB: what is ours lives in slots.
    __slots__ = ("_received", "agent_id", "cap", "endless", "json_value", "producer", "streamingProducer")
    channel: EdgeChannel
    site: EdgeSite
    defaultContentType = None

    def __init__(self, channel: EdgeChannel) -> None:
        super().__init__(channel)
        self.producer = None
        self.cap: BodyCap = JSON_BODY
        self.json_value: object = ABSENT
        self.agent_id: str | None = None
        self.endless = False

    def gotLength(self, length: int | None) -> None:  # noqa: ARG002
        self.content = self._received = BytesIO()  # never a file: the cap keeps it small

    def handleContentChunk(self, data: bytes) -> None:
        if self._received.tell() + len(data) > self.cap.limit:
            self.channel.refuse(self.cap.refusal)
        else:
            self._received.write(data)

    def process(self) -> None:
        self.prepath: list[bytes] = []
        self.postpath: list[bytes] = []
        self.site = self.channel.site
        self.setHeader(b"Server", b"caucus-backbone")
        self.setHeader(b"Date", datetimeToString())
        try:
            self.site.resource.render(self)
        except Exception:
            self.processingFailed(Failure())

    def processingFailed(self, reason: Failure) -> None:
        body = self.failure(reason)
        if not self.startedWriting:
            self.send(body)
        elif not self._disconnected:
            self.channel.forceAbortClient()

    def getRequestHostname(self) -> bytes:
        """A constant: Werkzeug fails on names that IDNA refuses, and no route depends on the name."""
        return b"localhost"

    def body(self) -> bytes:
        """The bytes of the body."""
        return self._received.getvalue()

    def refusal(self, error: CaucusError) -> bytes:
        """Set the answer's head for a refusal, and give its body, the envelope."""
        status, headers, body = encode_error(error)
        return self.answer(status, body, headers)

    def failure(self, reason: Failure) -> bytes:
        """As `refusal`, for what is the backbone's own fault: logged whole, answered without detail."""
        _log.failure("A request failed", failure=reason)
        return self.refusal(InternalError())

    def answer(
        self,
        status: int,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        content_type: str = CONTENT_TYPE,
    ) -> bytes:
        """Set the answer's head, and give its body, which is still to be sent."""
        self.setHeader(b"Content-Length", b"%d" % len(body))
        self.begin(content_type, headers or {}, status)
        return body

    def begin(self, content_type: str, headers: Mapping[str, str], status: int = 200) -> None:
        """Set the answer's head; what is written without a length goes out in chunks."""
        self.setResponseCode(status, HTTPStatus(status).phrase.encode())
        self.setHeader(b"Content-Type", content_type.encode())
        if self.channel.persistent:
            self.setHeader(b"Keep-Alive", b"timeout=%d" % KEEP_ALIVE_SECONDS)
        else:
            self.setHeader(b"Connection", b"close")
        for name, value in headers.items():
            self.setHeader(name.encode(), value.encode())

    def settle_in(self) -> None:
        """The answer has no end of its own: let go of what it does not need once its head is sent."""
        self.endless = True
        self.requestHeaders = self.responseHeaders = _NO_HEADERS
        self.notifications.clear()  # those of Klein, which has done its part
        self._adapterCache.clear()

    def send(self, body: bytes) -> None:
        """Send the whole body and finish."""
        if not self._disconnected:
            self.write(body)
            self.finish()
