"""A request's body while it arrives: what it may hold, what it counts for, and where it lies."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from functools import partial
from typing import Final

from attrs import frozen

from caucus.edge.crowd import RETRY_SECONDS, Crowd
from caucus.errors import CaucusError, Overloaded, PayloadTooLarge
from caucus.wire.jsontext import MAX_BODY

SMALL: Final = 16_384
"""A body of more bytes than that lies in pages of its own, which the system gets back as soon as it is
gone: those of a crowd, grown side by side in the heap, would leave it full of holes for good."""


@frozen
class BodyCap:
    """The most bytes that a request's body may have, and what makes the refusal if it has more."""

    limit: int
    refuse: Callable[[], CaucusError]


JSON_BODY: Final = BodyCap(MAX_BODY, partial(PayloadTooLarge, MAX_BODY))


class Body:
    """The bytes of one body, from the first to the last.

    :param length: how many there will be, if that was said.
    """

    __slots__ = ("_arriving", "_bytes", "_cap", "_crowd", "_length", "_pages", "size")

    def __init__(self, cap: BodyCap, crowd: Crowd, length: int | None) -> None:
        self.size = 0
        self._cap = cap
        self._crowd = crowd
        self._length = length
        self._arriving = 0
        self._bytes = b""
        self._pages: mmap.mmap | None = None

    def add(self, data: bytes, is_known: Callable[[], bool]) -> None:
        """More of it is here; ``is_known`` says whether its sender has a good token.

        Raises the refusal of its cap if that is too much, or `Overloaded`.
        """
        size = self.size + len(data)
        if size > self._cap.limit:
            raise self._cap.refuse()
        if len(data) == self._length:  # it is whole at once
            self._bytes = data
            self.size = size
            return
        self._crowd.take(len(data), self._arriving, is_known)
        self._arriving += len(data)
        if size <= SMALL:
            self._bytes += data
        else:
            pages = self._moved_to_pages(size) if self._pages is None else self._pages
            pages.write(data)
        self.size = size

    def has_arrived(self) -> None:
        """It arrives no more: it is whole, or given up."""
        self._crowd.give_back(self._arriving)
        self._arriving = 0

    def give_up(self) -> None:
        """It will not be looked at: nothing is kept of it."""
        self.has_arrived()
        self.size = 0
        self._bytes = b""
        if self._pages is not None:
            self._pages.close()
            self._pages = None

    def value(self) -> bytes:
        """All of it."""
        return self._bytes if self._pages is None else self._pages[: self.size]

    def _moved_to_pages(self, size: int) -> mmap.mmap:
        most = self._cap.limit if self._length is None else min(self._length, self._cap.limit)
        try:
            pages = mmap.mmap(-1, max(size, most), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        except OSError:
            raise Overloaded(RETRY_SECONDS) from None
        pages.write(self._bytes)
        self._bytes = b""
        self._pages = pages
        return pages
