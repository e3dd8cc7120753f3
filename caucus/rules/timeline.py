"""How much time has passed between events of several runs, whatever the clocks said. Pure."""

from __future__ import annotations

from caucus.model.events import Instant


class Timeline:
    """Seconds, adding up from one instant to the next.

    Between two instants of one boot that is the boot clock's difference, downtime included; else,
    as far as anyone can tell, the wall clock's. It is never negative.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._last: Instant | None = None

    def advance(self, when: Instant) -> float:
        """Go on to ``when``, and give the seconds from the first instant to there."""
        last, self._last = self._last, when
        if last is not None:
            same_boot = when.boot_id and when.boot_id == last.boot_id
            passed = when.boot - last.boot if same_boot else when.wall - last.wall
            self.now += max(0.0, passed)
        return self.now
