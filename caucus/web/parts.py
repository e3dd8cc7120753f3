"""Long answers: written as the peer takes them, from bytes that are there anyway.

A page can be tens of megabytes, and whoever may read may ask for one on every connection: written
at once, each would be copied and kept for as long as its peer takes to read it, or does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from twisted.internet.interfaces import IPushProducer
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from caucus.edge.request import Request
from caucus.wire.frames import SLICE

LONG: Final = SLICE
"""An answer of more bytes is sent in parts: a peer has 30 s for each of them, not for all."""


class Parts(Resource):
    """Answers 200 with these parts, one after the other; ``length`` is their sum."""

    isLeaf = True

    def __init__(
        self, parts: Iterable[bytes], length: int, content_type: str, headers: Mapping[str, str]
    ) -> None:
        super().__init__()
        self._parts = parts
        self._head = (content_type, {**headers, "Content-Length": str(length)})

    def render(self, request: Request) -> int:
        request.begin(*self._head)
        Sender(request, self._parts).start()
        return NOT_DONE_YET


@implementer(IPushProducer)
class Sender:
    """Writes slices for as long as the transport takes them."""

    def __init__(self, request: Request, parts: Iterable[bytes]) -> None:
        self._request = request
        self._parts = iter(parts)
        self._paused = False

    def start(self) -> None:
        """Send the first slices."""
        self._request.registerProducer(self, True)
        self.resumeProducing()

    def pauseProducing(self) -> None:
        self._paused = True

    def stopProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        while not self._paused:
            piece = self._next()
            if not piece:
                self._request.unregisterProducer()
                self._request.finish()
                return
            self._request.write(piece)

    def _next(self) -> bytes:
        pieces, size = [], 0
        for part in self._parts:
            pieces.append(part)
            size += len(part)
            if size >= SLICE:
                break
        return b"".join(pieces)


def slices(data: bytes) -> Iterable[bytes]:
    """The parts of one long string."""
    view = memoryview(data)
    return (bytes(view[start : start + SLICE]) for start in range(0, len(data), SLICE))
