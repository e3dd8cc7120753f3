"""Pacing and duplicates. Pure: time comes in.

Checking and charging are two steps, so that whatever is refused charges nothing.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from hashlib import blake2b

from caucus.errors import DuplicatePost, RateLimited, RateScope
from caucus.text import trim


class RateBudget:
    """A sliding window of ``limit`` charges in ``window`` seconds for each of ``tracked`` names.

    A charge counts until exactly one window has passed. The name used least recently is
    forgotten when there are more than ``tracked``.
    """

    def __init__(self, limit: int, window: int, tracked: int, scope: RateScope) -> None:
        self._limit = limit
        self._window = window
        self._tracked = tracked
        self._scope: RateScope = scope
        self._charges: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self, name: str, now: float) -> None:
        """Raises `RateLimited`, with the whole seconds to wait, if nothing is left for ``name``."""
        times = self._charges.get(name)
        if times is None:
            return
        self._charges.move_to_end(name)
        self._forget(times, now)
        if len(times) >= self._limit:
            wait = times[0] + self._window - now
            raise RateLimited(limit=self._limit, scope=self._scope, retry_after=max(1, math.ceil(wait)))

    def charge(self, name: str, now: float) -> None:
        """Count one charge of ``name`` at ``now``."""
        times = self._charges.setdefault(name, deque())
        self._charges.move_to_end(name)
        times.append(now)
        while len(self._charges) > self._tracked:
            self._charges.popitem(last=False)

    def _forget(self, times: deque[float], now: float) -> None:
        while times and now >= times[0] + self._window:
            times.popleft()
        if times and times[-1] > now:
            # The clock stepped back: what lies ahead counts from now, so nobody waits longer than a window.
            dated = [min(charged, now) for charged in times]
            times.clear()
            times.extend(dated)


class Duplicates:
    """Each agent's last post in one channel, while it is fresher than ``window`` seconds."""

    def __init__(self, window: int, tracked: int) -> None:
        self._window = window
        self._tracked = tracked
        self._last: OrderedDict[str, tuple[bytes, float]] = OrderedDict()

    def check(self, agent_id: str, kind: str, body: str, now: float) -> None:
        """Raises `DuplicatePost` if this repeats the agent's last post; being refused keeps it fresh."""
        last = self._last.get(agent_id)
        if last is None:
            return
        digest, touched = last[0], min(last[1], now)  # a clock that steps back starts the window anew
        if now >= touched + self._window:
            del self._last[agent_id]
            return
        self._last[agent_id] = (digest, touched)
        if digest == _digest(kind, body):
            self._touch(agent_id, digest, now)
            raise DuplicatePost

    def remember(self, agent_id: str, kind: str, body: str, now: float) -> None:
        """This is the agent's last post from now on."""
        self._touch(agent_id, _digest(kind, body), now)

    def _touch(self, agent_id: str, digest: bytes, now: float) -> None:
        self._last[agent_id] = (digest, now)
        self._last.move_to_end(agent_id)
        while len(self._last) > self._tracked:
            self._last.popitem(last=False)


def _digest(kind: str, body: str) -> bytes:
    return blake2b(f"{kind}\0{trim(body)}".encode(), digest_size=16).digest()
