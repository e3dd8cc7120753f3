"""Pacing and duplicates. Pure: time comes in.

Checking and charging are two steps, so that whatever is refused charges nothing.
"""

from __future__ import annotations

import math
from array import array
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final
from zlib import crc32

from caucus.errors import DuplicatePost, RateLimited, RateScope
from caucus.model.fields import TYPES, MessageType
from caucus.model.text import trim

_FORGOTTEN_AT_ONCE = 4096
"""Instants that are kept though they count no more: moving the others up costs as much as they are many."""


_SEEDS: Final = {kind: crc32(kind.encode()) for kind in TYPES}


class RateBudget:
    """A sliding window of ``limit`` charges in ``window`` seconds for each of ``tracked`` names.

    A charge counts until exactly one window has passed. The name that was charged least recently is
    forgotten when there are more than ``tracked``: that depends on what is in the log alone, and not on
    what was refused. Whom one forgot for a charge that is then taken back, it does not remember again.
    """

    def __init__(self, limit: int, window: int, tracked: int, scope: RateScope) -> None:
        self.limit = limit
        self._window = window
        self._tracked = tracked
        self._scope: RateScope = scope
        self._charges: OrderedDict[str, _Charges] = OrderedDict()

    def check(self, name: str, now: float) -> None:
        """Raises `RateLimited`, with the whole seconds to wait, if nothing is left for ``name``."""
        charges = self._charges.get(name)
        if charges is None:
            return
        if charges.count(self._window, now) >= self.limit:
            wait = charges.oldest + self._window - now
            raise RateLimited(limit=self.limit, scope=self._scope, retry_after=max(1, math.ceil(wait)))

    def left(self, name: str, now: float) -> int:
        """How many charges are left for ``name``."""
        charges = self._charges.get(name)
        return self.limit if charges is None else max(0, self.limit - charges.count(self._window, now))

    def charge(self, name: str, now: float) -> None:
        """Count one charge of ``name`` at ``now``."""
        charges = self._charges.get(name)
        if charges is None:
            charges = self._charges[name] = _Charges()
            if len(self._charges) > self._tracked:
                self._charges.popitem(last=False)
        else:
            self._charges.move_to_end(name)
        charges.add(now, self._window)

    def dump(self, now: float) -> list[tuple[str, list[float]]]:
        """The instants of what counts ``now``, by name, the first to be forgotten first; for `load`."""
        return [(name, charges.dump(self._window, now)) for name, charges in self._charges.items()]

    def load(self, dumped: Iterable[tuple[str, Iterable[float]]]) -> None:
        """Be as the budget was that gave this; so far it is unused."""
        for name, times in dumped:
            self._charges[name] = _Charges(times)

    def take_back(self, name: str) -> None:
        """Undo the last charge of ``name``."""
        charges = self._charges.get(name)
        if charges is not None:
            charges.pop()


class _Charges:
    """The instants of charges, oldest first, in eight bytes each: a raised budget may count a million."""

    __slots__ = ("_forgotten", "_times")

    def __init__(self, times: Iterable[float] = ()) -> None:
        self._times = array("d", times)
        self._forgotten = 0

    def dump(self, window: int, now: float) -> list[float]:
        return [at for at in self._times[self._forgotten :] if now < at + window]

    @property
    def oldest(self) -> float:
        return self._times[self._forgotten]

    def add(self, now: float, window: int) -> None:
        self._times.append(now)
        if not len(self._times) % _FORGOTTEN_AT_ONCE:
            self.count(window, now)

    def pop(self) -> None:
        if len(self._times) > self._forgotten:
            self._times.pop()

    def count(self, window: int, now: float) -> int:
        """How many are less than ``window`` seconds old; the others are forgotten."""
        times, first = self._times, self._forgotten
        while first < len(times) and now >= times[first] + window:
            first += 1
        if first > _FORGOTTEN_AT_ONCE or first == len(times):
            del times[:first]
            first = 0
        self._forgotten = first
        if times and times[-1] > now:
            # The clock stepped back: what lies ahead counts from now, so nobody waits longer than a window.
            self._times = array("d", (min(charged, now) for charged in times))
        return len(times) - first


class Duplicates:
    """Each agent's last post in one channel, while it is fresher than ``window`` seconds."""

    def __init__(self, window: int, tracked: int) -> None:
        self._window = window
        self._tracked = tracked
        self._last: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def check(self, agent_id: str, post: int, now: float) -> None:
        """Raises `DuplicatePost` if this repeats the agent's last post; being refused keeps it fresh.

        ``post`` is its `post_digest`.
        """
        last = self._last.get(agent_id)
        if last is None:
            return
        digest, touched = last[0], min(last[1], now)  # a clock that steps back starts the window anew
        if now >= touched + self._window:
            del self._last[agent_id]
        elif digest == post:
            self._last[agent_id] = (digest, now)
            raise DuplicatePost
        elif touched != last[1]:
            self._last[agent_id] = (digest, touched)

    def dump(self) -> list[tuple[str, int, float]]:
        """Each agent's last post and when it was, in the order in which they are forgotten; for `load`."""
        return [(agent_id, *last) for agent_id, last in self._last.items()]

    def load(self, dumped: Iterable[tuple[str, int, float]]) -> None:
        """Be as these were; so far nothing is remembered."""
        for agent_id, digest, at in dumped:
            self._last[agent_id] = (digest, at)

    def last(self, agent_id: str) -> tuple[int, float] | None:
        """What is remembered of the agent."""
        return self._last.get(agent_id)

    def restore(self, agent_id: str, last: tuple[int, float] | None) -> None:
        """Put back what `last` gave."""
        if last is None:
            self._last.pop(agent_id, None)
        else:
            self._last[agent_id] = last

    def remember(self, agent_id: str, digest: int, now: float) -> None:
        """This is the agent's last post from now on."""
        self._last[agent_id] = (digest, now)
        self._last.move_to_end(agent_id)
        while len(self._last) > self._tracked:
            self._last.popitem(last=False)


def post_digest(kind: MessageType, body: str) -> int:
    """What two posts of one agent have in common if the second repeats the first; never 0.

    It is their length, above 32 bits of check sum. Two that only look alike are as rare as one in four
    billion, and cost their author one refusal.
    """
    text = trim(body).encode("utf-8", "surrogatepass")
    return (len(text) + 1) << 32 | crc32(text, _SEEDS[kind])
