"""Long answers: written as the peer takes them, from bytes that are there anyway.

A page can be tens of megabytes, and whoever may read may ask for one on every connection: written
at once, each would be copied and kept for as long as its peer takes to read it, or does not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Protocol

from attrs import frozen
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from caucus.wire.frames import SLICE

LONG: Final = SLICE
"""An answer of more bytes is sent in parts: a peer has 30 s for each of them, not for all."""


@frozen
class Parts:
    """A body's pieces, one after the other; ``length`` is their sum, in bytes."""

    pieces: Iterable[bytes]
    length: int


class Taker(Protocol):
    """What takes the pieces: a request whose answer's head is set."""

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Have ``producer`` paused while no more is taken."""

    def unregisterProducer(self) -> None:
        """The producer is done."""

    def write(self, data: bytes) -> None:
        """Send a part of the body."""

    def finish(self) -> None:
        """The answer is complete."""


@implementer(IPushProducer)
class Sender:
    """Writes slices for as long as the transport takes them."""

    def __init__(self, taker: Taker, pieces: Iterable[bytes]) -> None:
        self._taker = taker
        self._pieces = iter(pieces)
        self._paused = False

    def start(self) -> None:
        """Send the first slices."""
        self._taker.registerProducer(self, True)
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
                self._taker.unregisterProducer()
                self._taker.finish()
                return
            self._taker.write(piece)

    def _next(self) -> bytes:
        pieces, size = [], 0
        for piece in self._pieces:
            pieces.append(piece)
            size += len(piece)
            if size >= SLICE:
                break
        return b"".join(pieces)
