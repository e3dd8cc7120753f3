"""How far each session of an agent was told what is new of a channel. Pure.

No decision rests on it: only what is told next.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Final

from caucus.model.records import Identity

MOST: Final = 4096
"""So many are known, about 150 bytes each; the one that was told of least recently is forgotten."""


def session_key(by: Identity, session: str, channel: str) -> bytes:
    """What a session of an agent is known by for a channel: 16 bytes."""
    digest = blake2b(digest_size=16)
    for part in (by.agent_id, by.owner, session, channel):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:%b" % (len(data), data))
    return digest.digest()


class Sessions:
    """The place in the log of all up to which each session was told, those told of last at the end."""

    def __init__(self) -> None:
        self._places: OrderedDict[bytes, int] = OrderedDict()

    def place(self, key: bytes) -> int | None:
        """Up to where a session was told, if that is known."""
        return self._places.get(key)

    def told(self, key: bytes, place: int, position: int, durable: int, on_undo: Callable[..., None]) -> None:
        """A session was told up to a place, by the event at ``position``."""
        on_undo(position, durable, self._restore, key, self._places.get(key))
        self._places[key] = place
        self._places.move_to_end(key)
        if len(self._places) > MOST:
            self._places.popitem(last=False)

    def dump(self) -> list[tuple[bytes, int]]:
        """All that is known, for `load`."""
        return list(self._places.items())

    def load(self, dumped: Iterable[tuple[bytes, int]]) -> None:
        """Know this."""
        self._places.update(dumped)

    def _restore(self, key: bytes, place: int | None) -> None:
        if place is None:
            self._places.pop(key, None)
        else:
            self._places[key] = place
