"""All connections of a server, whichever listener they came in by: how many, and what arrives on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from caucus.errors import Overloaded
from caucus.limits import Limits

TELL_SECONDS: Final = 60
"""The least time between two lines about connections that were turned away."""
RETRY_SECONDS: Final = 1
"""What a refused upload is told to wait: a body that arrives has 30 s in all, and most take one."""

_log = Logger("caucus.web")


class Crowd:
    """Counts, and says when it is enough.

    ``connections`` are open now, ``arriving`` counts the bytes of bodies that are not here as a whole
    yet, ``turned_away`` the connections that were closed at once since the start.
    """

    def __init__(self, limits: Limits, clock: IReactorTime) -> None:
        self.connections = self.arriving = self.turned_away = 0
        self._most_connections = limits.max_connections
        self._most_arriving = limits.max_arriving_bytes
        self._clock = clock
        self._told = (0, -float(TELL_SECONDS))

    def enter(self) -> bool:
        """One more connection wants in: whether it may."""
        if self.connections < self._most_connections:
            self.connections += 1
            return True
        self.turned_away += 1
        before, when = self._told
        now = self._clock.seconds()
        if now - when >= TELL_SECONDS:
            self._told = (self.turned_away, now)
            _log.warn(
                "{most} connections are open (--max-connections): {count} more were closed at once",
                most=self._most_connections,
                count=self.turned_away - before,
            )
        return False

    def leave(self) -> None:
        """A connection that entered is gone."""
        self.connections -= 1

    def take(self, size: int, before: int, is_known: Callable[[], bool]) -> None:
        """So many more bytes of a body are here, after ``before`` others of it.

        Raises `Overloaded` if that is too much over all. Half of it is for those who are known: so a
        stranger can take from strangers only. A body that is alone may be as long as its own cap.
        """
        others = self.arriving - before
        if others and (
            self.arriving + size > self._most_arriving
            or (2 * (self.arriving + size) > self._most_arriving and not is_known())
        ):
            raise Overloaded(RETRY_SECONDS)
        self.arriving += size

    def give_back(self, size: int) -> None:
        """A body of so many bytes is here as a whole, or given up."""
        self.arriving -= size
