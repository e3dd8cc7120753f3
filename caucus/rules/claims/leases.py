"""When leases end, over all channels, the next one first. Pure: time comes in."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf
from typing import Final

SWEEP: Final = 1024
"""With so many ends, those that do not stand any more are swept out; then with twice as many as are left."""


class Leases:
    """The ends of leases, in the order of their instants.

    A lease that is renewed has two; what it ends at by the ledger is the one that counts.

    :param ends: when the lease on a channel's target ends by the ledger, if there is one.
    """

    def __init__(self, ends: Callable[[str, str], float | None]) -> None:
        self.next = inf
        """No lease ends before this instant."""
        self._ends = ends
        self._heap: list[tuple[float, str, str]] = []
        self._sweep_at = SWEEP

    def add(self, ends: float, channel: str, target: str) -> None:
        """The lease on a target ends then, by the ledger."""
        heap = self._heap
        heappush(heap, (ends, channel, target))
        if len(heap) >= self._sweep_at:
            self._sweep()
        self.next = heap[0][0]

    def take(self, now: float) -> list[tuple[str, str]]:
        """The channels and targets whose leases have ended ``now``, in the order in which they did.

        They are not known here any more.
        """
        heap = self._heap
        lapsed: dict[tuple[str, str], None] = {}
        while heap and heap[0][0] <= now:
            ends, channel, target = heappop(heap)
            if self._ends(channel, target) == ends:
                lapsed[channel, target] = None
        self.next = heap[0][0] if heap else inf
        return list(lapsed)

    def _sweep(self) -> None:
        self._heap = list({one for one in self._heap if self._ends(one[1], one[2]) == one[0]})
        heapify(self._heap)
        self._sweep_at = max(SWEEP, 2 * len(self._heap))
