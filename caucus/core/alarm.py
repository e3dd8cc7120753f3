"""The alarm: what falls due happens, whether or not anybody asks."""

from __future__ import annotations

import random
from math import inf
from typing import Final, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from caucus.core.clock import DecisionClock
from caucus.errors import CaucusError, StorageUnavailable
from caucus.interfaces import IJournal, ISharedJournal
from caucus.rules.claims.leases import Leases

SHORTEST: Final = 0.001
LONGEST: Final = 3600.0
"""A timer runs so many seconds at least and at most: a reactor takes no delay of a million years."""
AGAIN_SECONDS: Final = 0.5
"""When what is due could not be written, it is tried again after so long."""

_log = Logger("caucus")


class Due(Protocol):
    """What the alarm rings for; a `Core`."""

    journal: IJournal
    clock: DecisionClock
    leases: Leases

    def carry_out(self, now: float) -> None:
        """What is due ``now`` happens."""

    def set_alarm(self) -> None:
        """Ring for what is due next."""


class Alarm:
    """One timer, for the next instant at which something is due.

    It may ring for what is not due any more, and then looks for the next.
    """

    def __init__(self, reactor: IReactorTime, core: Due) -> None:
        self._shared = ISharedJournal(core.journal, None)
        self.at = inf
        """When it rings, in seconds on the core's clock."""
        self._reactor = reactor
        self._core = core
        self._timer: IDelayedCall | None = None
        self._is_stopped = False

    def set(self, at: float, now: float) -> None:
        """Ring at ``at``, and not only when it would have."""
        if self._is_stopped:
            return
        late = 0.0 if self._shared is None else random.uniform(0, self._shared.spread)  # noqa: S311
        delay = min(max(SHORTEST, at - now + late), LONGEST)
        self.at = at
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._reactor.callLater(delay, self._ring)

    def stop(self) -> None:
        """It rings no more."""
        self._is_stopped = True
        self.at = -inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        self.at = inf
        core = self._core
        now = core.clock.now()
        if core.leases.next > now:
            core.set_alarm()
            return
        refusal = core.journal.refusal
        if isinstance(refusal, StorageUnavailable) and refusal.trouble == "closed":
            self.stop()
            return
        if refusal is not None:
            self.set(now + AGAIN_SECONDS, now)
            return
        if self._shared is None:
            self._carry_out()
        else:  # another one may have done it
            core.journal.read(self._carry_out_if_due).addErrback(self._failed)

    def _carry_out_if_due(self) -> None:
        core = self._core
        if core.leases.next > core.clock.now():
            core.set_alarm()
        else:
            self._carry_out()

    def _carry_out(self) -> None:
        core = self._core
        core.journal.write(lambda: core.carry_out(core.clock.now())).addCallbacks(
            lambda _: core.set_alarm(), self._failed
        )

    def _failed(self, failure: Failure) -> None:
        if not failure.check(CaucusError):
            _log.failure("What was due could not be carried out", failure=failure)
        now = self._core.clock.now()
        self.set(now + AGAIN_SECONDS, now)
