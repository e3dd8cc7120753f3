"""Who waits for which position of a journal."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from caucus.errors import CaucusError


class Waits:
    """Each wait is a Deferred of its own, which fires with its answer; one that was cancelled is passed over.

    They come in the order of their positions.
    """

    def __init__(self) -> None:
        self._waits: deque[tuple[int, Deferred[Any], Any]] = deque()

    def __len__(self) -> int:
        return len(self._waits)

    def add(self, position: int, answer: Any, waiting: Deferred[Any] | None = None) -> Deferred[Any]:
        """Fires with the answer, which may be a ``Failure``, once the position is durable.

        It fails otherwise once it is known that it will not be. ``waiting`` is what fires, if that is there.
        """
        if waiting is None:
            waiting = Deferred()
        self._waits.append((position, waiting, answer))
        return waiting

    def fire(self, durable: int) -> None:
        """End the waits for what is durable."""
        while self._waits and self._waits[0][0] <= durable:
            _position, waiting, answer = self._waits.popleft()
            if not waiting.called:
                waiting.callback(answer)
            elif isinstance(answer, Failure):
                answer.cleanFailure()

    def settle(self, durable: int, refuse: Callable[[], CaucusError]) -> None:
        """End those there are: as `fire` what is durable, as `fail` the others. New ones may come now."""
        waits, self._waits = self._waits, deque()
        for position, waiting, answer in waits:
            if not waiting.called:
                waiting.callback(answer if position <= durable else Failure(refuse()))

    def fail(self, refuse: Callable[[], CaucusError]) -> None:
        """End all with what ``refuse`` makes, which is made anew for each."""
        self.settle(-1, refuse)
