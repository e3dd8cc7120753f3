"""Requests that wait for something to happen, and end when the server does."""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")


class Polls:
    """What requests wait for. Cancelling such a Deferred answers it with what there is."""

    def __init__(self) -> None:
        self._waiting: dict[Deferred[Any], None] = {}
        self._is_closed = False

    def answered(self, waiting: Deferred[T]) -> Deferred[T]:
        """The same Deferred, which is cancelled once the server closes."""
        if waiting.called:
            return waiting
        if self._is_closed:
            waiting.cancel()
            return waiting
        self._waiting[waiting] = None

        def end(result: T) -> T:
            self._waiting.pop(waiting, None)
            return result

        return waiting.addBoth(end)

    def close(self) -> None:
        """The server closes: nobody waits any more."""
        self._is_closed = True
        for waiting in list(self._waiting):
            waiting.cancel()
