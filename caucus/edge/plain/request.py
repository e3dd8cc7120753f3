"""Twisted's own request, less what does not belong to this contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from io import BytesIO
from typing import Any, Final, cast

from klein.interfaces import IKleinRequest
from twisted.python.failure import Failure
from twisted.web import server
from twisted.web.http import datetimeToString
from twisted.web.http_headers import Headers
from twisted.web.iweb import INonQueuedRequestFactory
from zope.interface import provider

from caucus.edge.body import JSON_BODY, Body
from caucus.edge.door import Door
from caucus.edge.request import KEEP_ALIVE_SECONDS, NO_ROUTE, PHRASES, SERVER, Request
from caucus.errors import CaucusError

_NO_HEADERS: Final = Headers()


@provider(INonQueuedRequestFactory)
class PlainRequest(server.Request, Request):  # type: ignore[misc]  # the same names, with fewer types
    """Twisted's request without spooling, forms and HTML."""

    # Beyond 30 attributes an instance's dictionary takes 1.5 KiB: what is ours lives in slots.
    __slots__ = (
        "cap",
        "endless",
        "error",
        "is_awaited",
        "key",
        "known_credential",
        "place",
        "principal",
        "producer",
        "received",
        "route",
        "streamingProducer",
        "value",
    )
    channel: Any
    site: Any
    defaultContentType = None

    def __init__(self, channel: Any) -> None:
        super().__init__(channel)
        self.cap = JSON_BODY
        self.place = self.producer = self.value = self.principal = self.key = None
        self.route, self.error, self.known_credential = NO_ROUTE, "", b""
        self.endless = self.is_awaited = False
        self.received: Body | None = None

    @property
    def began(self) -> float:  # type: ignore[override]  # nobody sets it
        return cast("float", self.channel.began)

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()  # Twisted closes one
        self.received = Body(self.cap, self.channel.site.crowd, length)

    def handleContentChunk(self, data: bytes) -> None:
        if self.channel.is_refused:  # the rest of the segment comes all the same
            return
        try:
            cast("Body", self.received).add(data, partial(self.channel.site.knows, self))
        except CaucusError as refusal:
            self.channel.refuse(refusal)

    def finish(self) -> None:
        super().finish()
        self._let_go()

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        self._let_go()

    def _let_go(self) -> None:
        """It is over. Klein's closures keep what is left of it until a collection: not much."""
        self._forget_klein()
        self.requestHeaders = self.responseHeaders = _NO_HEADERS
        if self.received is not None:
            self.received.give_up()
        self.value = None

    def _forget_klein(self) -> None:
        """Klein's own view of a request, which is kept with it, holds it."""
        with suppress(KeyError):
            self.unsetComponent(IKleinRequest)

    def process(self) -> None:
        self.prepath: list[bytes] = []
        self.postpath: list[bytes] = []
        self.site = self.channel.site
        self.setHeader(b"Server", SERVER.encode())
        self.setHeader(b"Date", datetimeToString())
        try:
            self.site.resource.render(self)
        except Exception:
            self.processingFailed(Failure())

    def processingFailed(self, reason: Failure) -> None:
        Request.processingFailed(self, reason)

    def getRequestHostname(self) -> bytes:
        """A constant: Werkzeug fails on names that IDNA refuses, and no route depends on the name."""
        return b"localhost"

    @property
    def door(self) -> Door:
        return cast("Door", self.site.door)

    @property
    def is_gone(self) -> bool:
        return self.channel is None

    def values(self, name: bytes) -> Sequence[bytes]:
        return self.requestHeaders.getRawHeaders(name) or ()

    def body(self) -> bytes:
        return cast("Body", self.received).value()

    def begin(self, content_type: str, headers: Mapping[str, str], status: int = 200) -> None:
        if self.is_gone:
            return
        self.setResponseCode(status, PHRASES[status])
        self.setHeader(b"Content-Type", content_type.encode())
        if self.channel.persistent:
            self.setHeader(b"Keep-Alive", b"timeout=%d" % KEEP_ALIVE_SECONDS)
        else:
            self.setHeader(b"Connection", b"close")
        for name, value in headers.items():
            self.setHeader(name.encode(), value.encode())

    def send(self, body: bytes) -> None:
        if not self._disconnected:
            self.write(body)
            self.finish()

    def abort(self) -> None:
        if self.channel is not None:
            self.channel.forceAbortClient()

    def settle_in(self) -> None:
        self.endless = True
        self.requestHeaders = self.responseHeaders = _NO_HEADERS
        self.notifications.clear()  # those of Klein, which has done its part
        self._forget_klein()

    def unregisterProducer(self) -> None:
        if self.channel is not None:
            super().unregisterProducer()
