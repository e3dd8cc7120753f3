"""How much time has passed between events of several runs and writers, whatever their clocks said. Pure."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from caucus.model.events import Instant

BOOTS: Final = 64
"""So many boots are remembered with where their clocks stood; another one is taken for new."""
STEP_SECONDS: Final = 3600.0
"""A wall clock that falls back by more than that was set; by less, it may still get there by itself."""


class Timeline:
    """Seconds from the first instant on. They never fall, and run no faster than a clock that is in it.

    Instants of one boot lie where the boot's clock has them, downtime included, whatever came in between.
    From one boot to another, and without boots, it is the wall clock, as far as anyone can tell.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._last: Instant | None = None
        self._boots: OrderedDict[bytes, float] = OrderedDict()
        self._wall = 0.0

    def advance(self, when: Instant) -> float:
        """Go on to ``when``, and give the seconds from the first instant to there."""
        if self._last is None:
            self._wall = -when.wall
        if when.boot_id:
            self._advance_boot(when)
        else:
            self._advance_wall(when)
        self._last = when
        return self.now

    def _advance_boot(self, when: Instant) -> None:
        offset = self._boots.get(when.boot_id)
        if offset is None:
            if self._last is not None:
                self.now += max(0.0, when.wall - self._last.wall)
            self._boots[when.boot_id] = self.now - when.boot
            if len(self._boots) > BOOTS:
                self._boots.popitem(last=False)
        else:
            self.now = max(self.now, when.boot + offset)
            self._boots.move_to_end(when.boot_id)
        self._wall = self.now - when.wall

    def _advance_wall(self, when: Instant) -> None:
        there = when.wall + self._wall
        if there < self.now - STEP_SECONDS:
            self._wall = self.now - when.wall
        else:
            self.now = max(self.now, there)
