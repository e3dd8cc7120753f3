"""One timer for all who wait: a thousand of the reactor's would take a quarter of a megabyte."""

from __future__ import annotations

from heapq import heappop, heappush
from math import ceil
from typing import Final, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

STEPS: Final = 50
"""The end of a wait is rounded up to one part of a second in so many."""


class Stopped(Protocol):
    """Who waits."""

    def stop(self) -> None:
        """The time is up."""


class Patience:
    """Ends waits when their time is up."""

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._steps: list[int] = []
        self._waiting: dict[int, dict[Stopped, None]] = {}
        self._timer: IDelayedCall | None = None
        self._count = 0

    def add(self, waiting: Stopped, seconds: float) -> int:
        """Stop this after so many seconds; gives what `remove` takes."""
        step = ceil((self._reactor.seconds() + seconds) * STEPS)
        there = self._waiting.get(step)
        if there is None:
            there = self._waiting[step] = {}
            heappush(self._steps, step)
            if self._steps[0] == step:
                self._set()
        there[waiting] = None
        self._count += 1
        return step

    def remove(self, waiting: Stopped, step: int) -> None:
        """It waits no more. After the last one, there is no timer."""
        there = self._waiting.get(step)
        if there is None or there.pop(waiting, waiting) is not None:
            return
        self._count -= 1
        if not self._count:
            self._waiting.clear()
            self._steps.clear()
            self._cancel()

    def _set(self) -> None:
        self._cancel()
        left = self._steps[0] / STEPS - self._reactor.seconds()
        self._timer = self._reactor.callLater(max(0, left), self._ring)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        now = self._reactor.seconds()
        over: list[Stopped] = []
        while self._steps and self._steps[0] / STEPS <= now:
            over += self._waiting.pop(heappop(self._steps))
        self._count -= len(over)
        if not self._count:
            self._waiting.clear()
            self._steps.clear()
        if self._steps:
            self._set()
        for waiting in over:
            waiting.stop()
