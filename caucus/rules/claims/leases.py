"""When leases end, over all channels, the next one first. Pure: time comes in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush
from math import inf
from typing import Final

import msgspec
from msgspec.structs import replace

SWEEP: Final = 1024
"""So many ends may stand here that are none any more, or half of all: then they are swept out."""


class End(msgspec.Struct, frozen=True, order=True, gc=False):
    """When a lease ends, and on what. The garbage collector looks at none: there may be a million.

    That is a plain target of a channel, or the lease claim with a number, whose channel and target are empty.
    """

    at: float
    channel: str
    target: str
    claim: int = 0


class Leases:
    """The ends of leases, and of offers, in the order of their instants.

    What is renewed stays at its old end until that has come, and only then moves to the new one.

    :param ends: when what stands there ends by the ledger, if it does.
    """

    def __init__(self, ends: Callable[[End], float | None]) -> None:
        self.next = inf
        """No lease ends before this instant."""
        self._ends = ends
        self._heap: list[End] = []
        self._idle = 0

    def moved(
        self, channel: str, target: str, before: float | None, after: float | None, claim: int = 0
    ) -> None:
        """By the ledger a lease ended at ``before`` and does at ``after``; ``None`` is never."""
        if after is not None and (before is None or after < before):
            heappush(self._heap, End(after, channel, target, claim))
            self.next = self._heap[0].at
        elif before is None:
            return
        if before is not None and (after is None or after < before):
            self._idle += 1
            if self._idle > max(SWEEP, len(self._heap) // 2):
                self._sweep()

    def take(self, now: float) -> list[End]:
        """The leases that have ended ``now``, in the order in which they did.

        They are not known here any more.
        """
        heap = self._heap
        lapsed: dict[End, None] = {}
        while heap and heap[0].at <= now:
            end = heappop(heap)
            ends = self._ends(end)
            if ends == end.at:
                lapsed[end] = None
                self._idle -= 1  # which `moved` will count, though it stands here no more
            elif ends is not None and ends > end.at:
                heappush(heap, replace(end, at=ends))
        self.next = heap[0].at if heap else inf
        return list(lapsed)

    def put_back(self, ends: Iterable[End]) -> None:
        """Of what was taken, some has not ended after all, or ends later."""
        for end in ends:
            at = self._ends(end)
            if at is not None:
                self.moved(end.channel, end.target, None, at, end.claim)
                self._idle += 1

    def _sweep(self) -> None:
        places = {(end.channel, end.target, end.claim) for end in self._heap}
        standing = (End(0.0, *place) for place in places)
        self._heap = [replace(end, at=at) for end in standing if (at := self._ends(end)) is not None]
        heapify(self._heap)
        self._idle = 0
        self.next = self._heap[0].at if self._heap else inf
