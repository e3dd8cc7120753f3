"""Who waits for which position of a journal."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred

from caucus.errors import CaucusError


class Waits:
    """Each wait is a Deferred of its own; one that was cancelled is passed over."""

    def __init__(self) -> None:
        self._waits: list[tuple[int, Deferred[None]]] = []

    def add(self, position: int) -> Deferred[None]:
        """Fires once the position is durable, or fails once it is known that it will not be."""
        waiting: Deferred[None] = Deferred()
        self._waits.append((position, waiting))
        return waiting

    def fire(self, durable: int) -> None:
        """End the waits for what is durable, in the order of their positions."""
        ready = [one for one in self._waits if one[0] <= durable]
        self._waits = [one for one in self._waits if one[0] > durable]
        for _position, waiting in sorted(ready, key=_position_of):
            if not waiting.called:
                waiting.callback(None)

    def settle(self, durable: int, refuse: Callable[[], CaucusError]) -> None:
        """End those there are: as `fire` what is durable, as `fail` the others. New ones may come now."""
        waits, self._waits = self._waits, []
        for position, waiting in sorted(waits, key=_position_of):
            if waiting.called:
                continue
            if position <= durable:
                waiting.callback(None)
            else:
                waiting.errback(refuse())

    def fail(self, refuse: Callable[[], CaucusError]) -> None:
        """End all with what ``refuse`` makes, which is made anew for each."""
        waits, self._waits = self._waits, []
        for _position, waiting in sorted(waits, key=_position_of):
            if not waiting.called:
                waiting.errback(refuse())


def _position_of(wait: tuple[int, Deferred[None]]) -> int:
    return wait[0]
