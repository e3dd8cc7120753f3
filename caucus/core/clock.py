"""The time of decisions: durations that go on from run to run, and the wall clock's instants."""

from __future__ import annotations

from collections.abc import Callable

from caucus.model.events import Instant
from caucus.rules.timeline import Timeline


class DecisionClock:
    """Says when it is: for leases and windows, for stamps, and for events.

    :param seconds: measures durations.
    :param wall: seconds since the epoch.
    :param boot_id: names the boot whose seconds ``seconds`` counts, if it does that: downtime is
        then measured by it, and else by ``wall``.
    """

    def __init__(self, seconds: Callable[[], float], wall: Callable[[], float], boot_id: bytes) -> None:
        self.now = seconds
        self.wall = wall
        self.last: Instant | None = None
        """When the last event of this run was decided."""
        self._seconds = seconds
        self._boot_id = boot_id
        self._offset = 0.0
        self._timeline = Timeline()

    def instant(self, now: float) -> Instant:
        """The instant of an event that is decided ``now``."""
        return Instant(self.wall(), now - self._offset, self._boot_id)

    def go_on(self, timeline: Timeline) -> None:
        """Count on from the end of the earlier runs, and what has passed since."""
        seconds = self._seconds
        began = seconds()
        self._timeline = timeline
        self._offset = offset = timeline.advance(self.instant(began)) - began
        self.now = lambda: seconds() + offset

    def at(self, when: Instant) -> float:
        """When it was here that somebody else decided an event, which has just been heard of.

        That is not later than now, wherever the other's clock stands; and now where nothing is known of it.
        """
        now, timeline = self.now(), self._timeline
        if self.last is not None:
            timeline.advance(self.last)
            self.last = None
        if when.boot_id and not timeline.knows(when.boot_id):
            timeline.meet(when, now)
            return now
        return min(timeline.advance(when), now)
