"""How much time has passed between events of several runs and writers, whatever their clocks said. Pure."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from caucus.model.events import Instant, Record

BOOTS: Final = 64
"""So many boots are remembered with where their clocks stood; another one is taken for new."""
STEP_SECONDS: Final = 3600.0
"""A wall clock that falls back by more than that was set; by less, it may still get there by itself."""


NO_BOOT: Final = b"\0"
"""What no boot is named."""


class TimelineDump(Record, frozen=True):
    """What a timeline knows: the fields of `Timeline`, by their names."""

    now: float
    boots: list[tuple[bytes, float]]
    highest: float | None
    offset: float
    lower_offset: float


class Timeline:
    """Seconds from the first instant on. They never fall, and run no faster than a clock that is in it.

    Instants of one boot lie where the boot's clock has them, downtime included, whatever came in between.
    From one boot to another, and without boots, it is the wall clock, as far as anyone can tell.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._boots: OrderedDict[bytes, float] = OrderedDict()
        self._boot_id, self._boot_offset = NO_BOOT, 0.0
        self._highest: float | None = None
        self._offset = self._lower_offset = 0.0

    def advance(self, when: Instant) -> float:
        """Go on to ``when``, and give the seconds from the first instant to there."""
        highest, wall = self._highest, when.wall
        if highest is not None and when.boot_id == self._boot_id:  # as most of them are: of the last one's
            now = when.boot + self._boot_offset
            if now >= self.now:
                if wall > highest:
                    self._highest = highest = wall
                self.now, self._offset = now, now - highest
                return now
        if highest is None:
            highest, self._offset = wall, -wall
        if when.boot_id:
            self._advance_boot(when, highest)
        else:
            self._advance_wall(when, highest)
        self._highest = highest if highest >= wall else wall
        return self.now

    def knows(self, boot_id: bytes) -> bool:
        """Whether there was an instant of this boot."""
        return boot_id in self._boots

    def meet(self, when: Instant, now: float) -> None:
        """A boot's first instant is ``now``."""
        self.now = max(self.now, now)
        self._boot_id = NO_BOOT
        self._boots[when.boot_id] = now - when.boot
        if len(self._boots) > BOOTS:
            self._boots.popitem(last=False)

    def dump(self) -> TimelineDump:
        """All that it knows, for `load`."""
        boots = list(self._boots.items())
        return TimelineDump(self.now, boots, self._highest, self._offset, self._lower_offset)

    def load(self, dumped: TimelineDump) -> None:
        """Be as the timeline was that gave this."""
        self._boot_id = NO_BOOT
        self.now, self._highest = dumped.now, dumped.highest
        self._boots = OrderedDict(dumped.boots)
        self._offset, self._lower_offset = dumped.offset, dumped.lower_offset

    def _advance_boot(self, when: Instant, highest: float) -> None:
        boots, boot_id = self._boots, when.boot_id
        offset = boots.get(boot_id)
        if offset is None:
            self.now += max(0.0, when.wall - highest)
            boots[boot_id] = offset = self.now - when.boot
            if len(boots) > BOOTS:
                boots.popitem(last=False)
        else:
            at = when.boot + offset
            if at >= self.now:
                self.now = at
            else:  # it is behind, and goes on from here: as it did for whoever went by it at the time
                boots[boot_id] = offset = self.now - when.boot
            boots.move_to_end(boot_id)
        self._boot_id, self._boot_offset = boot_id, offset
        self._offset = self.now - max(highest, when.wall)

    def _advance_wall(self, when: Instant, highest: float) -> None:
        if when.wall >= highest - STEP_SECONDS:
            self.now = max(self.now, when.wall + self._offset)
            return
        if when.wall + self._lower_offset < self.now - STEP_SECONDS or not self._lower_offset:
            self._lower_offset = self.now - when.wall
        self.now = max(self.now, when.wall + self._lower_offset)
