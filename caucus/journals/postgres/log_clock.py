"""The log's clock: the database's time, which goes on as it did when another server takes over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IReactorTime

BACK_SECONDS: Final = 1.0
"""A clock that falls back by more than that was set back; by less, it is waited for."""
BOOT_ID: Final = b"postgres"
"""Names this clock in events, whatever server it runs on."""


def nothing_added(_database_time: float) -> float:
    return 0.0


class LogClock:
    """Seconds since the epoch by the database: as it told them last, and what has passed here since then.

    While something is decided it stands. It never says less than the last event does, nor less than it
    said at the decision before.

    :param clock: measures what passes here.
    :param offset: what is added to a time that the database told; for tests.
    """

    def __init__(self, clock: IReactorTime, offset: Callable[[float], float] = nothing_added) -> None:
        self.server = b""
        self.shift = 0.0
        """What is added to the time of this server; that of another one means nothing."""
        self._clock = clock
        self._offset = offset
        self._told = 0.0
        self.is_set = False
        """Whether the database has told the time."""
        self._at = clock.seconds()
        self._stands = False

    def seconds(self) -> float:
        """What time it is."""
        return self._told if self._stands else self._told + (self._clock.seconds() - self._at)

    def heard(self, database_time: float) -> bool:
        """The server has told the time, just now. False says that its clock was set back: `move_to` helps."""
        now = database_time + self._offset(database_time) + self.shift
        if self.is_set and now < self._told - BACK_SECONDS:
            return False
        self._told = max(self._told, now) if self.is_set else now
        self.is_set = True
        self._at = self._clock.seconds()
        return True

    def not_before(self, when: float) -> None:
        """Somebody decided an event then, by this clock."""
        self._told = max(self._told, when)

    def stand(self) -> None:
        """From now on, until `go_on`, it says what the database has told."""
        self._stands = True

    def go_on(self) -> None:
        """What is decided is decided."""
        self._stands = False

    def move_to(self, server: bytes, database_time: float, known: bytes, shift: float) -> None:
        """A server tells the time now, which may be another one.

        ``known`` is the server that the log knows a shift for. Any other one, and one whose clock was set
        back, goes on by what has passed here, as far as anything is known of that.
        """
        now = database_time + self._offset(database_time)
        is_behind = now + shift < self._told - BACK_SECONDS
        self.shift = self.seconds() - now if self.is_set and (server != known or is_behind) else shift
        self.server = server
        self.heard(database_time)
