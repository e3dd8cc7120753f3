"""The numbers that name claims and fence their grants: one counter for all of them. Pure: time comes in."""

from __future__ import annotations


class Numbers:
    """Numbers that rise over restarts and daemons, and even over a log that was lost.

    Each is one more than the last, or the milliseconds since the epoch, if that is more. They are drawn as
    events are applied, so that every daemon and every run draws the same.
    """

    def __init__(self) -> None:
        self.last = 0

    def draw(self, wall: float) -> int:
        """The next number, for an event that was decided at ``wall``, in seconds since the epoch."""
        self.last = number = self.next(wall)
        return number

    def next(self, wall: float) -> int:
        """What `draw` would give."""
        number, last = int(wall * 1000), self.last
        return number if number > last else last + 1

    def take(self, number: int) -> None:
        """A number was drawn when its event was decided."""
        self.last = max(self.last, number)
