"""The messages of one channel, in order, as a garbage collector hardly sees them. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Final

CHUNK: Final = 64


class Log:
    """Append-only. A message is its JSON bytes.

    All but the last are kept in tuples of `CHUNK`, which the collector stops looking into, as they
    hold nothing but bytes; a list of a million would stop the reactor for 30 ms in each full collection.
    """

    __slots__ = ("_chunks", "_tail", "length", "places")

    def __init__(self) -> None:
        self.length = 0
        """How many messages there are."""
        self.places = array("q")
        """Each message's place in the log of all: eight bytes."""
        self._chunks: list[tuple[bytes, ...]] = []
        self._tail: list[bytes] = []

    def append(self, message_json: bytes, place: int) -> None:
        """Add a message at the end; ``place`` is where it stands in the log of all."""
        self.length += 1
        self.places.append(place)
        tail = self._tail
        tail.append(message_json)
        if len(tail) == CHUNK:
            self._chunks.append(tuple(tail))
            self._tail = []

    def pop(self) -> None:
        """Take the last message back."""
        if not self._tail:
            self._tail = list(self._chunks.pop())
        self._tail.pop()
        self.places.pop()
        self.length -= 1

    def dump(self) -> list[bytes]:
        """All messages, for `load`."""
        return list(self.between(0, self.length))

    def load(self, dumped: Iterable[bytes], places: Iterable[int]) -> None:
        """Be as the log was that gave these; so far it is empty."""
        for message_json, place in zip(dumped, places, strict=True):
            self.append(message_json, place)

    def between(self, start: int, end: int) -> tuple[bytes, ...]:
        """The messages from the cursor ``start`` to the cursor ``end``, neither of them beyond the end."""
        found: list[bytes] = []
        while start < end:
            number, offset = divmod(start, CHUNK)
            chunk = self._chunks[number] if number < len(self._chunks) else self._tail
            found += chunk[offset : offset + end - start]
            start = number * CHUNK + min(CHUNK, offset + end - start)
        return tuple(found)
