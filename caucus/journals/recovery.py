"""What becomes of a local store whose commit has failed: a machine, in whose states the timers live.

First nothing is written any more, and what the store holds is looked at; then it is opened again.
Each is tried until it works, with pauses. Whoever waits is told after a while that nobody knows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from attrs import define, field
from automat import TypeMachineBuilder
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from caucus.journals.worker import Worker
from caucus.model.text import one_line

DOUBT_SECONDS: Final = 5.0
"""How long after a failed commit it may take to find out what was kept."""
RETRY_SECONDS: Final = 0.5
"""Between two attempts to open a store that failed."""

T = TypeVar("T")
_log = Logger("caucus.journals")


class Recoverable(Protocol):
    """The store's part of the machine."""

    name: str

    def abandon(self) -> None:
        """An append failed: let go of what it was done with."""

    def look(self, durable: int, position: int) -> int:
        """The tail, after an append failed: from ``durable`` to ``position``. Raises while it cannot tell."""

    def reopen(self, durable: int, position: int) -> int:
        """As `look`, and take appends again."""


@define
class Situation:
    """What the machine works with.

    ``durable`` and ``position`` look up how far it was. ``doubt`` is called when it takes too long, and
    ``settle`` with the store's tail, once that is known for good: it says whether what is in memory is
    what the store holds; ``tell`` then tells whoever waits. ``opened`` is called when events are taken
    again, and ``rest`` whenever an attempt is over. Once it ``is_closing``, nothing is begun.
    """

    store: Recoverable
    worker: Worker
    clock: IReactorTime
    durable: Callable[[], int]
    position: Callable[[], int]
    doubt: Callable[[], None]
    settle: Callable[[int], bool]
    tell: Callable[[], None]
    opened: Callable[[], None]
    rest: Callable[[], None]
    is_closing: bool = field(default=False, init=False)

    def rested(self, result: T) -> T:
        """What was begun is over: not within a step of the machine, since it may be closed at that."""
        self.rest()
        return result


@define
class Trouble:
    """From a failed commit on: when doubt begins, and what was last told of it."""

    doubt: IDelayedCall
    told: str = ""

    def end(self) -> None:
        """It is known what was kept."""
        if self.doubt.active():
            self.doubt.cancel()


@define
class Pause:
    """Between two attempts; without a timer, there is none to follow."""

    trouble: Trouble
    timer: IDelayedCall | None


class Recovery(Protocol):
    """What happens to the store."""

    def fail(self, failure: Failure) -> None:
        """A commit failed."""

    def abandoned(self, trouble: Trouble) -> None:
        """Nothing is written any more."""

    def looked(self, trouble: Trouble) -> None:
        """It is known where it ends, as far as its bytes say."""

    def reopened(self, tail: int) -> None:
        """It is open again and ends at ``tail``."""

    def ruined(self) -> None:
        """It is open again, but what is in memory is not what it holds."""

    def not_yet(self, trouble: Trouble, failure: Failure) -> None:
        """An attempt failed."""

    def again(self, trouble: Trouble) -> None:
        """The pause is over."""

    def close(self) -> bool:
        """End it all, and say whether the store is open, and to be closed."""


_builder = TypeMachineBuilder(Recovery, Situation)


def _abandon(inputs: Recovery, at: Situation, failure: Failure) -> Trouble:
    pending = at.position() - at.durable()
    _log.error(
        "{store}: {pending} events were not committed: {reason}. No writes until it can be opened again",
        store=at.store.name,
        pending=pending,
        reason=one_line(failure.value),
    )
    trouble = Trouble(at.clock.callLater(DOUBT_SECONDS, at.doubt))
    at.worker.run(at.store.abandon).addBoth(lambda _: inputs.abandoned(trouble)).addBoth(at.rested)
    return trouble


def _look(inputs: Recovery, at: Situation, trouble: Trouble) -> Trouble:
    def looked(tail: int) -> None:
        if tail == at.durable():  # nothing was kept, so nothing has to be synced first
            trouble.end()
            at.settle(tail)
            at.tell()
        inputs.looked(trouble)

    def not_yet(failure: Failure) -> None:
        inputs.not_yet(trouble, failure)

    if not at.is_closing:
        looking = at.worker.run(at.store.look, at.durable(), at.position())
        looking.addCallback(looked).addErrback(not_yet).addBoth(at.rested)
    return trouble


def _reopen(inputs: Recovery, at: Situation, trouble: Trouble) -> Trouble:
    def reopened(tail: int) -> None:
        trouble.end()
        if at.settle(tail):
            inputs.reopened(tail)
        else:
            inputs.ruined()
        at.tell()  # only now, since whoever is told may close it

    def not_yet(failure: Failure) -> None:
        inputs.not_yet(trouble, failure)

    if not at.is_closing:
        reopening = at.worker.run(at.store.reopen, at.durable(), at.position())
        reopening.addCallback(reopened).addErrback(not_yet).addBoth(at.rested)
    return trouble


def _pause(inputs: Recovery, at: Situation, trouble: Trouble, failure: Failure) -> Pause:
    reason = one_line(failure.value)
    if reason != trouble.told:
        _log.error("{store}: not open yet: {reason}", store=at.store.name, reason=reason)
    trouble.told = reason
    timer = None if at.is_closing else at.clock.callLater(RETRY_SECONDS, inputs.again, trouble)
    return Pause(trouble, timer)


working = _builder.state("working")
abandoning = _builder.state("abandoning", _abandon)
looking = _builder.state("looking", _look)
looking_later = _builder.state("looking later", _pause)
reopening = _builder.state("reopening", _reopen)
reopening_later = _builder.state("reopening later", _pause)
beyond_repair = _builder.state("beyond repair")
closed = _builder.state("closed")

working.upon(Recovery.fail).to(abandoning).returns(None)
abandoning.upon(Recovery.abandoned).to(looking).returns(None)
looking.upon(Recovery.looked).to(reopening).returns(None)
looking_later.upon(Recovery.again).to(looking).returns(None)
reopening_later.upon(Recovery.again).to(reopening).returns(None)


looking.upon(Recovery.not_yet).to(looking_later).returns(None)
reopening.upon(Recovery.not_yet).to(reopening_later).returns(None)


@reopening.upon(Recovery.reopened).to(working)
def _work(_inputs: Recovery, at: Situation, _was: Trouble, tail: int) -> None:
    _log.info("{store}: open again, at event {tail}", store=at.store.name, tail=tail)
    at.opened()


@reopening.upon(Recovery.ruined).to(beyond_repair)
def _stay_shut(_inputs: Recovery, at: Situation, _was: Trouble) -> None:
    _log.critical("{store}: no more writes until a restart", store=at.store.name)


working.upon(Recovery.close).to(closed).returns(True)
beyond_repair.upon(Recovery.close).to(closed).returns(True)


@abandoning.upon(Recovery.close).to(closed)
@looking.upon(Recovery.close).to(closed)
@reopening.upon(Recovery.close).to(closed)
def _give_up(_inputs: Recovery, _at: Situation, trouble: Trouble) -> bool:
    trouble.end()
    return False


@looking_later.upon(Recovery.close).to(closed)
@reopening_later.upon(Recovery.close).to(closed)
def _give_up_pause(_inputs: Recovery, _at: Situation, pause: Pause) -> bool:
    pause.trouble.end()
    if pause.timer is not None and pause.timer.active():
        pause.timer.cancel()
    return False


# What comes too late: the disk did not answer before it was closed.
closed.upon(Recovery.close).loop().returns(False)
closed.upon(Recovery.fail).loop().returns(None)
closed.upon(Recovery.abandoned).loop().returns(None)
closed.upon(Recovery.looked).loop().returns(None)
closed.upon(Recovery.reopened).loop().returns(None)
closed.upon(Recovery.ruined).loop().returns(None)
closed.upon(Recovery.not_yet).loop().returns(None)

recovery: Final[Callable[[Situation], Recovery]] = _builder.build()
"""Makes the machine of one store, which works."""
