"""What was decided, told once the journal says that it is durable."""

from __future__ import annotations

from typing import TypeVar, cast

from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from caucus.errors import OutcomeUnknown
from caucus.interfaces import IJournal

T = TypeVar("T")


def once_durable(journal: IJournal, decided: T | Failure, position: int) -> Deferred[T]:
    """What was decided, once the journal says that the position at which it was is durable."""
    if journal.durable >= position:
        return defer.fail(decided) if isinstance(decided, Failure) else defer.succeed(decided)
    waiting = cast("Deferred[T]", journal.when_durable(position))
    return waiting.addCallback(_require_durable, journal, decided, position)


def _require_durable(_result: object, journal: IJournal, decided: T | Failure, position: int) -> T | Failure:
    if journal.durable < position:
        raise OutcomeUnknown
    return decided
