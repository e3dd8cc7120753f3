"""By which history a position in the log is known: each run that began has a name. Pure.

A file that was copied, and goes on from the copy, has another run at the same place. So a position that
was handed out by what came after the copy is not taken for one of this log.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from caucus.model.events import RunBegan
from caucus.model.places import parts_of

MOST: Final = 1024
"""So many runs are remembered; a position of an earlier one is not known any more."""
_POSITION: Final = re.compile(r"([0-9a-z.]{1,128})@([0-9]{1,12})(?:\.([0-9]{1,6}))?")


class Runs:
    """Where each run began, and what it is called in positions: the journal's name, and its own."""

    def __init__(self, journal_id: str) -> None:
        self._journal_id = journal_id
        self._starts = [0]
        self._names = [journal_id]

    def began(self, event: RunBegan, position: int) -> None:
        """A run began with the event at ``position``."""
        when = event.when
        told = (
            f"{self._journal_id} {position} {when.wall!r} {when.boot!r} {when.boot_id.hex()} {event.writer}"
        )
        digest = blake2b(told.encode("utf-8", "surrogatepass"), digest_size=4)
        self._starts.append(position)
        self._names.append(f"{self._journal_id}.{digest.hexdigest()}")
        if len(self._starts) > MOST:
            del (
                self._starts[1],
                self._names[1],
            )  # the journal's own name stays, for what lies before

    def take_back(self) -> None:
        """Undo that the last run began."""
        self._starts.pop()
        self._names.pop()

    def dump(self) -> list[tuple[int, str]]:
        """Where each began, and its name; for `load`."""
        return list(zip(self._starts, self._names, strict=True))

    def load(self, dumped: Iterable[tuple[int, str]]) -> None:
        """Know these."""
        self._starts, self._names = (list(one) for one in zip(*dumped, strict=True))

    def text(self, place: int) -> str:
        """The position of a place, as readers are given it."""
        events, messages = parts_of(place)
        name = self._names[max(0, bisect_right(self._starts, events) - 1)]
        return f"{name}@{events}.{messages}" if messages else f"{name}@{events}"

    def events_of(self, text: str) -> tuple[int, int] | None:
        """The whole events before a position, and the messages of the next. ``None`` if it is of another log.

        Whether there are so many events is not looked at.
        """
        found = _POSITION.fullmatch(text)
        if found is None or found[1] not in self._names:
            return None
        number = self._names.index(found[1])
        events, messages = int(found[2]), int(found[3] or 0)
        if events < self._starts[number]:
            return None
        if number + 1 < len(self._starts) and events + bool(messages) >= self._starts[number + 1]:
            return None
        return events, messages
