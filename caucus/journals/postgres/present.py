"""The present: what is durable anywhere, asked for once by all who must know, and looked at each second."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from caucus.errors import (
    InvalidCursor,
    NotFound,
    StorageUnavailable,
    Unauthorized,
    UnknownChannel,
    UnknownClaim,
)
from caucus.journals.postgres.applied import MOST_EVENTS, Applied, Broken, Place, time_of
from caucus.journals.postgres.beginning import begin_reading
from caucus.journals.postgres.link import Link, LinkLost, Results, StatementFailed
from caucus.journals.postgres.log_clock import LogClock
from caucus.journals.postgres.session import Session

LOOK_SECONDS: Final = 1.0
"""So often it is looked for what others wrote, whether or not somebody rings."""
RING_SECONDS: Final = 0.004
"""What rings more often than that is looked for once."""
STALE_SECONDS: Final = 0.25
"""While the database is away, a read waits so long, and then answers from what is known."""
_ELSEWHERE: Final = (InvalidCursor, UnknownChannel, UnknownClaim, NotFound, Unauthorized)
"""Refusals that say that something is not there: elsewhere it may be."""

_log = Logger("caucus.journals")


class Look(NamedTuple):
    """Who wants to look: with the past if need be, or with nothing but the present."""

    look: Callable[[], Any]
    waiting: Deferred[Any]
    takes_past: bool


class Present:
    """Reads for one journal: nobody is answered with less than was durable when the question came.

    :param broken: is told, in a line, why nothing of this can be believed any more.
    :param is_away: says whether the database does not answer now.
    :param set_back: is called when the server's clock was set back.
    :param standby_changed: is called when commits begin or cease to wait for a standby.
    """

    def __init__(
        self,
        applied: Applied,
        log_clock: LogClock,
        reactor: Any,
        clock: IReactorTime,
        broken: Callable[[Broken], None],
        is_away: Callable[[], bool],
        standby_changed: Callable[[], None],
        set_back: Callable[[], None],
    ) -> None:
        self.session: Session
        self.is_open = False
        """Whether somebody applies what is found."""
        self.is_stale = False
        """Whether the last answer may have been of the past."""
        self.has_standby = True
        """Whether commits wait for a standby, as far as is known."""
        self._applied = applied
        self._log_clock = log_clock
        self._reactor = reactor
        self._clock = clock
        self._broken = broken
        self._is_away = is_away
        self._standby_changed = standby_changed
        self._set_back = set_back
        self._coming: list[Look] = []  # for whom the next question is asked
        self._asking: list[Look] = []  # and this one
        self._seen: deque[tuple[int, list[Look]]] = deque()  # who waits until so much is applied
        self._is_asked = self._is_closed = self._is_wanted = False
        self.has_answered = False
        """Whether the log could be read at all."""
        self._patience: IDelayedCall | None = None
        self._next: IDelayedCall | None = None
        self._ringing: IDelayedCall | None = None
        self._end_of_turn: IDelayedCall | None = None
        self._rung_at = 0.0

    def read(self, look: Callable[[], Any], *, takes_past: bool = True) -> Deferred[Any]:
        """Look once all is applied that is durable anywhere now; or else at the past, if that will do."""
        waiting: Deferred[Any] = Deferred()
        self._coming.append(Look(look, waiting, takes_past))
        self._ask_soon()
        self.be_patient()
        return waiting

    def catch_up(self) -> Deferred[Any]:
        """Fires once all is applied that is durable anywhere now, and not before."""
        return self.read(lambda: None, takes_past=False)

    def rung(self) -> None:
        """Somebody has written: ask now, or soon, if that was asked just now. Else many would wear it out."""
        left = self._rung_at + RING_SECONDS - self._reactor.seconds()
        if self._ringing is None and not self._is_closed:
            self._ringing = self._reactor.callLater(max(0, left), self._ask_for_ring)

    def _ask_for_ring(self) -> None:
        self._ringing = None
        self._rung_at = self._reactor.seconds()
        self.ask()

    def _ask_soon(self) -> None:
        """Ask at the end of this turn of the reactor: whoever comes in it waits for one question."""
        if not (self._is_asked or self._is_closed) and self._end_of_turn is None:
            self._end_of_turn = self._reactor.callLater(0, self._ask_now)

    def _ask_now(self) -> None:
        self._end_of_turn = None
        self.ask()

    def ask(self) -> None:
        """Ask for what others wrote, now or once the question before is answered."""
        if self._is_asked or self.session.link is None or not self.is_open:
            self._is_wanted = True
            return
        self._is_asked, self._is_wanted = True, False
        self._asking += self._coming
        self._coming = []
        asked = self._applied.place
        asking = self.session.run(*asked.fresh())
        asking.addCallback(self._answered, asked).addErrback(self._failed)

    def begin(self, link: Link) -> Deferred[Any]:
        """Be with the server where turns are taken."""
        return Deferred.fromCoroutine(begin_reading(link, self._applied))

    def began(self) -> None:
        """There is a session."""
        self._is_asked = False
        self.ask()
        if self._next is None:
            self._next = self._clock.callLater(LOOK_SECONDS, self._tick)

    def lost(self) -> None:
        """The session is gone; who waits is answered by the next one, or from what is known."""
        self._is_asked = False
        self._coming = self._asking + self._coming
        self._asking = []
        self.be_patient()

    def advanced(self) -> None:
        """More is applied and durable: maybe what somebody waits for."""
        durable = self._applied.durable
        while self._seen and self._seen[0][0] <= durable:
            _tell(self._seen.popleft()[1])
        if self._seen and self._applied.position == durable:
            self.ask()

    def close(self, refuse: Callable[[], Exception]) -> None:
        """Nothing is read any more: who waits is refused."""
        self._is_closed = True
        for timer in (self._next, self._patience, self._ringing, self._end_of_turn):
            if timer is not None and timer.active():
                timer.cancel()
        self._next = self._patience = self._ringing = self._end_of_turn = None
        looks = [*self._asking, *self._coming, *(one for _at, some in self._seen for one in some)]
        self._asking, self._coming, self._seen = [], [], deque()
        for one in looks:
            if not one.waiting.called:
                one.waiting.errback(refuse())

    def _answered(self, results: Results, asked: Place) -> None:
        applied = self._applied
        self.has_answered = True
        rows = applied.rows(asked, results[0])
        told, column = (results[0], 4) if asked.position else (results[1], 0)
        has_standby = told.get_value(0, column + 1) == b"\1"
        if has_standby is not self.has_standby:
            self.has_standby = has_standby
            self._standby_changed()
        is_its_time = applied.server == self._log_clock.server  # else turns are about to go on elsewhere
        if is_its_time and not self._log_clock.heard(time_of(told, column)):
            self._set_back()
        last = rows[-1].position if rows else asked.position
        is_all = len(rows) <= MOST_EVENTS
        # While what was decided here is on its way, nothing is applied that may come after it.
        is_new = applied.position == applied.durable and applied.deliver(rows)
        # From here on whoever asks is answered by another question.
        self._is_asked = False
        asking, self._asking = self._asking, []
        if is_new:
            applied.advanced()
        if not is_all and applied.position == applied.durable:
            self._coming = asking + self._coming
            self._is_wanted = True
        elif last <= applied.durable:
            self.is_stale = False
            _tell(asking)
        elif asking:
            self._seen.append((last, asking))
            self.be_patient()
        if self._is_wanted or self._coming:
            self._ask_soon()

    def _failed(self, failure: Failure) -> None:
        error = failure.value
        if isinstance(error, Broken):
            self._broken(error)
        elif isinstance(error, StatementFailed):
            if not self.has_answered and error.state.startswith("42"):  # it may not be read, or is not there
                self._broken(Broken(str(error)))
            else:
                self.session.give_up(str(error))
        elif not isinstance(error, LinkLost):
            _log.failure("What others wrote could not be read", failure=failure)
            self.session.give_up("what others wrote could not be read")

    def _tick(self) -> None:
        self._next = self._clock.callLater(LOOK_SECONDS, self._tick)
        self.ask()

    def be_patient(self) -> None:
        """Have whoever waits answered, though the database is away."""
        if (
            self._patience is None
            and self._is_away()
            and not self._is_closed
            and (self._coming or self._seen)
        ):
            self._patience = self._clock.callLater(STALE_SECONDS, self._answer_anyway)

    def _answer_anyway(self) -> None:
        """Answer from what is known, unless that does not know what was asked for."""
        self._patience = None
        if not self._is_away():
            return
        looks = [*(one for _at, some in self._seen for one in some), *self._coming]
        self._seen, self._coming = deque(), [one for one in looks if not one.takes_past]
        if len(self._coming) < len(looks):
            self.is_stale = True
            _tell([one for one in looks if one.takes_past], elsewhere=_ELSEWHERE)


def _tell(looks: list[Look], elsewhere: tuple[type[Exception], ...] = ()) -> None:
    for one in looks:
        waiting = one.waiting
        if waiting.called:
            continue
        try:
            found = one.look()
        except elsewhere:
            waiting.errback(StorageUnavailable("failed"))
        except Exception:
            waiting.errback()
        else:
            waiting.callback(found)
