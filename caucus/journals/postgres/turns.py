"""Turns: who has one has the log alone, and decides whatever waits, in one transaction.

What is sent is ``BEGIN``, the lock and the tail; and once all that others wrote is applied and everything is
decided, the new events and ``COMMIT``. The lock, and what was written, live and die with the session.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from typing import Any, Final

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from caucus.errors import CaucusError, OutcomeUnknown, StorageUnavailable
from caucus.journals.chain import links
from caucus.journals.codec import encode_event
from caucus.journals.figures import CommitFigures
from caucus.journals.postgres.applied import MOST_EVENTS, Applied, Broken, Place, time_of
from caucus.journals.postgres.beginning import Begun, begin_turns
from caucus.journals.postgres.link import (
    Link,
    LinkLost,
    Results,
    StatementFailed,
    byte_strings,
    integer,
)
from caucus.journals.postgres.log_clock import LogClock
from caucus.journals.postgres.session import Session
from caucus.journals.waits import Waits
from caucus.metrics import SECONDS, Histogram
from caucus.model.events import Event

MOST_DECIDED: Final = 256
MOST_BYTES: Final = 1024 * 1024
"""So many writes at most are decided in one turn, and no more once their events are so large."""
PATIENCE_SECONDS: Final = 5.0
"""How long a write waits: for its turn, until it is refused, and for its commit, until nobody knows."""

_log = Logger("caucus.journals")


@define
class Flight:
    """What was decided in a turn and is on its way; ``digests`` are beside its events."""

    bodies: list[bytes] = field(factory=list)
    evidence: list[tuple[int, bytes]] = field(factory=list)
    size: int = 0
    digests: list[bytes] = field(factory=list)


@define
class Queued:
    """A write that waits for its turn since then."""

    since: float
    decide: Callable[[], Any]
    waiting: Deferred[Any]


class Turns:
    """Takes turns for the writes of one journal.

    :param catch_up: reads what others wrote without a turn, and fires when that is applied.
    :param broken: is told, in a line, why nothing of this can be believed any more.
    :param kept: is called after a turn in which something was written.
    :param moved: is called when turns are taken at another server than before.
    """

    def __init__(
        self,
        applied: Applied,
        log_clock: LogClock,
        clock: IReactorTime,
        catch_up: Callable[[], Deferred[Any]],
        broken: Callable[[Broken], None],
        kept: Callable[[], None],
        moved: Callable[[], None],
    ) -> None:
        self.needs_standby = False
        """Whether nothing is written unless commits wait for a standby."""
        self.refused_at = -inf
        """When the database refused to keep something, if it has kept nothing since then."""
        self.is_alone = True
        """Whether no other backbone ran when the session of this one began."""
        self.session: Session
        self._applied = applied
        self._log_clock = log_clock
        self._clock = clock
        self._catch_up = catch_up
        self._broken = broken
        self._kept = kept
        self._moved = moved
        self._queue: deque[Queued] = deque()
        self._waits = Waits()
        self._flight = Flight()  # what is being decided, or is on its way, or may have got there
        self._since: float | None = (
            None  # when a turn was asked for that has not ended, or the session was lost
        )
        self._sent_at = 0.0
        self._is_deciding = self._is_taking = False
        self._timer: IDelayedCall | None = None
        self._idle: Deferred[None] | None = None
        self._turn_seconds = Histogram(
            "caucus_turn_seconds", "How long a turn was waited for, with what others wrote.", SECONDS
        )
        self.figures = CommitFigures(self._turn_seconds)

    # What a journal asks for

    @property
    def trouble(self) -> StorageUnavailable | None:
        """Why no write is taken now: nothing has gone on for too long."""
        since = self._since
        is_stuck = since is not None and self._clock.seconds() - since >= PATIENCE_SECONDS
        return self._refusal() if is_stuck else None

    def write(self, decide: Callable[[], Any]) -> Deferred[Any]:
        """Decide in a turn; fires once what it rests on is durable."""
        waiting: Deferred[Any] = Deferred()
        self._queue.append(Queued(self._clock.seconds(), decide, waiting))
        self._go_on()
        return waiting

    def record(self, event: Event, evidence: bytes) -> int:
        """Take an event of what is being decided; its position."""
        if not self._is_deciding:
            raise AssertionError("only a decision records")
        flight, applied = self._flight, self._applied
        body = encode_event(event)
        flight.bodies.append(body)
        flight.size += len(body) + len(evidence)
        applied.position += 1
        if evidence:
            flight.evidence.append((applied.position, evidence))
        return applied.position

    @property
    def is_deciding(self) -> bool:
        """Whether an event may be recorded."""
        return self._is_deciding

    @property
    def is_settled(self) -> bool:
        """Whether nothing waits, and nothing is on its way."""
        is_taking = self._is_taking and self.session.link is not None
        return not (self._queue or self._flight.digests or is_taking)

    def settled(self) -> Deferred[None]:
        """Fires once nothing waits and nothing is on its way."""
        waiting: Deferred[None] = Deferred()
        self._idle = waiting
        self._tell_if_settled()
        return waiting

    def close(self, refuse: Callable[[], CaucusError]) -> None:
        """No more turns: what waits for one is refused, and of what is on its way nobody knows."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._refuse_queued(refuse)
        self._waits.fail(OutcomeUnknown)

    # A session

    def begin(self, link: Link) -> Deferred[Any]:
        """Take the first turn of a session: see `begin_turns`."""

        def know(begun: Begun) -> None:
            self.is_alone = begun.is_alone
            if begun.server != self._applied.server:
                self._applied.server = begun.server
                self._moved()

        beginning = begin_turns(link, self._log_clock, self._clock)
        return Deferred.fromCoroutine(beginning).addCallback(know)

    def set_back(self) -> None:
        """The server's clock was set back: begin again, with another shift."""
        if self.session.link is not None:  # else it is about to begin
            self.session.give_up("the server's clock was set back; the log's goes on")

    def began(self) -> None:
        """There is a session: go on with it."""
        self._end_turn()
        self._go_on()

    def lost(self) -> None:
        """The session is gone, and what was not decided waits for the next one."""
        self._begin_turn()  # which the next one gives back
        self._watch()

    # A turn

    def _go_on(self) -> None:
        if self._is_taking or self.session.link is None or not (self._queue or self._flight.digests):
            self._watch()
            self._tell_if_settled()
            return
        self._begin_turn()
        asked = self._applied.place
        statements = (("begin", ()), ("lock", ()), asked.tail())
        self.session.run(*statements).addCallback(self._granted, asked).addErrback(self._not_granted)
        self._watch()

    def _not_granted(self, failure: Failure) -> None:
        """There was no turn, or no end of it that is known."""
        error = failure.value
        if isinstance(error, Broken):
            self._broken(error)
        elif isinstance(error, StatementFailed):
            self.session.give_up(str(error))
        elif not isinstance(error, LinkLost):
            _log.failure("A turn failed", failure=failure)
            self.session.give_up("a turn failed")

    def _granted(self, results: Results, asked: Place) -> Deferred[Any] | None:
        applied = self._applied
        if self._since is not None:
            self._turn_seconds.observe(self._clock.seconds() - self._since)
        rows = applied.rows(asked, results[-1])
        if not self._log_clock.heard(time_of(results[1], 1)):
            self.set_back()
            return None
        settled = self._settle(rows[0].digest if rows else b"")
        if len(rows) > MOST_EVENTS:
            if settled:
                applied.advanced()
                self._waits.fire(applied.durable)
            return self._catch_up_outside()
        if applied.deliver(rows) or settled:
            applied.advanced()
            self._waits.fire(applied.durable)
        if self.needs_standby and results[1].get_value(0, 2) != b"\1":
            self._refuse_queued(StorageUnavailable)
        self._decide()
        return self._send()

    def _catch_up_outside(self) -> Deferred[Any]:
        link = self.session.link

        def again(_result: object) -> None:
            if self.session.link is link:  # else there is another turn by now
                self._end_turn()
                self._go_on()

        self.session.run(("rollback", ())).addErrback(lambda _: None)
        return self._catch_up().addCallback(again)

    def _settle(self, first: bytes) -> bool:
        """What became of the turn whose end is not known: ``first`` is the digest after where it began."""
        flight, applied = self._flight, self._applied
        if not flight.digests:
            return False
        was_kept = first == flight.digests[0]
        if was_kept:
            applied.durable, applied.head = applied.position, flight.digests[-1]
        else:
            self._take_back()
        self._flight = Flight()
        return was_kept

    def _take_back(self) -> None:
        """What was decided in the last turn is lost."""
        applied = self._applied
        self._flight = Flight()
        applied.position = applied.durable
        applied.undo(applied.durable)
        self._waits.settle(applied.durable, StorageUnavailable)

    def _decide(self) -> None:
        """Everything that waits, as far as one turn takes it."""
        queue, flight, waits, applied = self._queue, self._flight, self._waits, self._applied
        self._log_clock.stand()
        self._is_deciding = True
        for _ in range(min(len(queue), MOST_DECIDED)):
            queued = queue.popleft()
            answer: Any
            try:
                answer = queued.decide()
            except Exception:
                answer = Failure()
            waits.add(applied.position, answer, queued.waiting)
            del answer  # its traceback holds this frame
            if flight.size >= MOST_BYTES:
                break
        self._is_deciding = False
        self._log_clock.go_on()

    def _send(self) -> Deferred[Any] | None:
        """End the turn with what was decided in it."""
        flight, applied = self._flight, self._applied
        if not flight.bodies:
            self.session.run(("commit", ())).addErrback(lambda _: None)  # what is lost is seen next
            self._end_turn()
            self._waits.fire(applied.durable)
            self._go_on()
            return None
        flight.digests = digests = links(applied.head, flight.bodies)
        self._sent_at = self._clock.seconds()
        events = (integer(applied.durable), byte_strings(flight.bodies), byte_strings(digests))
        evidence = [("evidence", (integer(position), data)) for position, data in flight.evidence]
        sending = self.session.run(("append", events), *evidence, ("commit", ()))
        commit = len(evidence) + 1
        return sending.addCallbacks(self._committed, self._not_committed, (commit,), {}, (commit,))

    def _committed(self, results: Results, commit: int) -> None:
        if results[commit].command_status != b"COMMIT":
            raise AssertionError("a transaction in which nothing failed was not committed")
        applied = self._applied
        applied.durable, applied.head = applied.position, self._flight.digests[-1]
        self.refused_at = -inf
        self.figures.committed(len(self._flight.digests), self._clock.seconds() - self._sent_at)
        self._flight = Flight()
        self._end_turn()
        applied.advanced()
        self._waits.fire(applied.durable)
        self._kept()
        self._go_on()

    def _not_committed(self, failure: Failure, commit: int) -> None:
        error = failure.value
        if isinstance(error, StatementFailed) and error.number < commit:
            self.refused_at = self._clock.seconds()
            self._take_back()
        failure.raiseException()

    def _begin_turn(self) -> None:
        self._is_taking = True
        if self._since is None:
            self._since = self._clock.seconds()

    def _end_turn(self) -> None:
        self._is_taking = False
        self._since = None

    # Patience

    def _watch(self) -> None:
        """Look again when the first of those that wait has waited for too long."""
        if self._timer is None and (self._queue or self._flight.digests):
            self._timer = self._clock.callLater(PATIENCE_SECONDS, self._look)

    def _look(self) -> None:
        self._timer = None
        past = self._clock.seconds() - PATIENCE_SECONDS
        while self._queue and self._queue[0].since <= past:
            queued = self._queue.popleft()
            self.figures.refused.add()
            if not queued.waiting.called:
                queued.waiting.errback(self._refusal())
        if self._flight.digests and self._sent_at <= past:
            self._waits.fail(OutcomeUnknown)
        waiting = [self._queue[0].since] if self._queue else []
        if self._flight.digests and self._sent_at > past:
            waiting.append(self._sent_at)
        if waiting:
            self._timer = self._clock.callLater(max(0.01, min(waiting) - past), self._look)

    def _refusal(self) -> StorageUnavailable:
        return StorageUnavailable("failed" if self.session.link is None else "stalled")

    def _refuse_queued(self, refuse: Callable[[], CaucusError]) -> None:
        queue, self._queue = self._queue, deque()
        for queued in queue:
            self.figures.refused.add()
            if not queued.waiting.called:
                queued.waiting.errback(refuse())

    def _tell_if_settled(self) -> None:
        if self._idle is not None and self.is_settled:
            idle, self._idle = self._idle, None
            idle.callback(None)
