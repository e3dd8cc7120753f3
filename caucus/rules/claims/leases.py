"""When leases end, over all channels, the next one first. Pure: time comes in."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf
from typing import Final

import msgspec

SWEEP: Final = 1024
"""So many ends may stand here that are none any more, or half of all: then they are swept out."""


class End(msgspec.Struct, frozen=True, order=True, gc=False):
    """When a lease ends, and on what. The garbage collector looks at none: there may be a million."""

    at: float
    channel: str
    target: str


class Leases:
    """The ends of leases, in the order of their instants.

    A lease that is renewed stays at its old end until that has come, and only then moves to the new one.

    :param ends: when the lease on a channel's target ends by the ledger, if there is one.
    """

    def __init__(self, ends: Callable[[str, str], float | None]) -> None:
        self.next = inf
        """No lease ends before this instant."""
        self._ends = ends
        self._heap: list[End] = []
        self._idle = 0

    def moved(self, channel: str, target: str, before: float | None, after: float | None) -> None:
        """By the ledger a lease ended at ``before`` and does at ``after``; ``None`` is never."""
        if after is not None and (before is None or after < before):
            heappush(self._heap, End(after, channel, target))
            self.next = self._heap[0].at
        elif before is None:
            return
        if before is not None and (after is None or after < before):
            self._idle += 1
            if self._idle > max(SWEEP, len(self._heap) // 2):
                self._sweep()

    def take(self, now: float) -> list[tuple[str, str]]:
        """The channels and targets whose leases have ended ``now``, in the order in which they did.

        They are not known here any more.
        """
        heap = self._heap
        lapsed: dict[tuple[str, str], None] = {}
        while heap and heap[0].at <= now:
            end = heappop(heap)
            ends = self._ends(end.channel, end.target)
            if ends == end.at:
                lapsed[end.channel, end.target] = None
                self._idle -= 1  # which `moved` will count, though it stands here no more
            elif ends is not None and ends > end.at:
                heappush(heap, End(ends, end.channel, end.target))
        self.next = heap[0].at if heap else inf
        return list(lapsed)

    def _sweep(self) -> None:
        places = {(end.channel, end.target) for end in self._heap}
        ends = ((self._ends(*place), *place) for place in places)
        self._heap = [End(at, channel, target) for at, channel, target in ends if at is not None]
        heapify(self._heap)
        self._idle = 0
        self.next = self._heap[0].at if self._heap else inf
