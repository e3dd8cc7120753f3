"""A log in memory that several journals extend in turns: what a shared store does to backbones, by a seed.

It is for tests. A turn comes later than it was asked for, and between two of one journal lie those of
others; what others wrote is applied late, and in pieces.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from random import Random
from secrets import token_hex
from typing import Any, Final, TypeVar, TypeVarTuple, Unpack

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from caucus.errors import StorageUnavailable
from caucus.interfaces import IJournal
from caucus.journals.doors import nobody_to_tell, nothing_to_undo, refuse_to_record
from caucus.journals.waits import Waits
from caucus.model.events import Event

Ts = TypeVarTuple("Ts")
T = TypeVar("T")

MOST_DECIDED: Final = 3
"""So many writes at most are decided in one turn, though more may wait."""
STALL_SECONDS: Final = 5.0
"""A write that waits so long for its turn makes its journal refuse others."""


class SharedLog:
    """The events, and the journals that extend them; nothing moves but in `run`.

    ``is_failing`` says that a turn ends without its events being kept, ``is_stalled`` that none is taken.
    """

    def __init__(self, clock: Clock, seed: int = 0) -> None:
        self.entries: list[tuple[Event, bytes]] = []
        self.is_failing = self.is_stalled = self._is_running = False
        self.journal_id = token_hex(8)
        self._clock = clock
        self._chance = Random(seed)  # noqa: S311  # an order, not a secret
        self._journals: list[SharedJournal] = []

    def journal(self) -> SharedJournal:
        """One more hand that writes."""
        journal = SharedJournal(self, self._clock)
        self._journals.append(journal)
        return journal

    def leave(self, journal: SharedJournal) -> None:
        """A hand less."""
        self._journals.remove(journal)

    def run(self) -> None:
        """Give turns until nobody waits for one."""
        if self._is_running:
            return  # whoever asks is told what it waits for in one of these turns
        self._is_running = True
        while not self.is_stalled and (waiting := [one for one in self._journals if one.is_waiting]):
            self._chance.choice(waiting).go_on(self._chance)
        self._is_running = False
        for journal in list(self._journals):
            if self._chance.random() < 0.5:  # the others hear of it later
                journal.catch_up(self._chance.randrange(4))


@implementer(IJournal)
class SharedJournal:
    """One hand. It holds a turn while it decides and until its events are kept, so others see all or none."""

    def __init__(self, log: SharedLog, clock: Clock) -> None:
        self.position = self.durable = 0
        self.journal_id = log.journal_id
        self._log = log
        self._clock = clock
        self._writes: deque[tuple[float, Callable[[], Any], Deferred[Any]]] = deque()
        self._looks: deque[tuple[int, Callable[[], Any], Deferred[Any]]] = deque()
        self._waits = Waits()
        self._is_deciding = self._is_closed = self._has_failed = False
        self._apply: Callable[[Event, bytes, int], None] = _nothing_to_apply
        self._undo: Callable[[int], None] = nothing_to_undo
        self._advanced: Callable[[], None] = nobody_to_tell

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for a turn, or for what others wrote."""
        return bool(self._writes or self._looks)

    @property
    def refusal(self) -> StorageUnavailable | None:
        if self._is_closed:
            return StorageUnavailable("closed")
        if self._has_failed and self._log.is_failing:
            return StorageUnavailable("failed")
        if self._writes and self._clock.seconds() - self._writes[0][0] >= STALL_SECONDS:
            return StorageUnavailable("stalled")
        return None

    def replay(
        self, apply: Callable[[Event, bytes, int], None], undo: Callable[[int], None]
    ) -> Deferred[None]:
        self._apply, self._undo = apply, undo
        self.catch_up(len(self._log.entries))
        return succeed(None)

    def follow(self, advanced: Callable[[], None]) -> None:
        self._advanced = advanced

    def write(self, decide: Callable[[Unpack[Ts]], T], *args: *Ts) -> Deferred[T]:
        refusal = self.refusal
        if refusal is not None:
            return fail(refusal)
        waiting: Deferred[T] = Deferred()
        self._writes.append((self._clock.seconds(), partial(decide, *args), waiting))
        return waiting

    def read(self, look: Callable[[Unpack[Ts]], T], *args: *Ts) -> Deferred[T]:
        if self._is_closed:
            return fail(StorageUnavailable("closed"))
        waiting: Deferred[T] = Deferred()
        self._looks.append((len(self._log.entries), partial(look, *args), waiting))
        return waiting

    def record(self, event: Event, evidence: bytes = b"") -> int:
        if not self._is_deciding:
            refuse_to_record()
        self._log.entries.append((event, evidence))
        self.position += 1
        return self.position

    def close(self) -> Deferred[None]:
        if not self._is_closed:
            self._log.run()
            self._is_closed = True
            self._log.leave(self)
            writes, self._writes = self._writes, deque()
            looks, self._looks = self._looks, deque()
            for waiting in (*(one[2] for one in writes), *(one[2] for one in looks)):
                _fire(waiting, Failure(StorageUnavailable("closed")))
        return succeed(None)

    def go_on(self, chance: Random) -> None:
        """Take a turn, or hear of what others did."""
        if self._writes and chance.random() < 0.7:
            self._take_turn(chance.randint(1, MOST_DECIDED))
        else:
            self.catch_up(chance.randint(1, 3))
        while self._looks and self._looks[0][0] <= self.durable:
            _position, look, waiting = self._looks.popleft()
            _fire(waiting, _outcome(look))

    def catch_up(self, most: int) -> None:
        """Apply at most so many events of others."""
        entries = self._log.entries[self.position : self.position + most]
        for event, evidence in entries:
            self.position += 1
            self.durable = self.position
            self._apply(event, evidence, self.position)
        if entries:
            self._advanced()

    def _take_turn(self, most: int) -> None:
        self.catch_up(len(self._log.entries))
        kept, waits = self.position, Waits()
        for _ in range(min(most, len(self._writes))):
            _since, decide, waiting = self._writes.popleft()
            self._is_deciding = True
            outcome = _outcome(decide)
            self._is_deciding = False
            waits.add(self.position, outcome).addBoth(partial(_fire, waiting))
        if self._log.is_failing:
            self._has_failed = True
            del self._log.entries[kept:]
            self.position = kept
            self._undo(kept)
            waits.settle(kept, StorageUnavailable)
            return
        self.durable = self.position
        if self.durable > kept:
            self._advanced()
        waits.fire(self.durable)


def _outcome(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except Exception:
        return Failure()


def _fire(waiting: Deferred[Any], outcome: Any) -> None:
    if not waiting.called:
        waiting.callback(outcome)
    elif isinstance(outcome, Failure):
        outcome.cleanFailure()


def _nothing_to_apply(_event: Event, _evidence: bytes, _position: int) -> None:
    """Nobody has asked for what there is."""
