"""Operations over a journal: those that answer once that is durable, and those that never wait."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from caucus.errors import OutcomeUnknown
from caucus.interfaces import IJournal


class Journaled(Protocol):
    """What has a journal."""

    journal: IJournal
    changed: list[Any]

    def wake(self) -> None:
        """Tell those who watch what is new, now that a decision is whole."""


P = ParamSpec("P")
T = TypeVar("T")
J = TypeVar("J", bound=Journaled)


def writes(decide: Callable[Concatenate[J, P], T]) -> Callable[Concatenate[J, P], Deferred[T]]:
    """An operation that decides in one turn of the reactor, and answers once that is durable."""

    @wraps(decide)
    def operation(self: J, /, *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        refusal = self.journal.refusal
        if refusal is not None:
            return defer.fail(refusal)
        try:
            decided = decide(self, *args, **kwargs)
        except Exception:
            # It waits too: it may rest on something that is not durable yet. No name here holds it,
            # since its traceback holds this frame.
            return once_durable(self.journal, Failure(), self.journal.position)
        answer = once_durable(self.journal, decided, self.journal.position)
        if self.changed:
            self.wake()
        return answer

    return operation


def reads(look: Callable[Concatenate[J, P], T]) -> Callable[Concatenate[J, P], Deferred[T]]:
    """An operation that shows durable state, at once."""

    @wraps(look)
    def operation(self: J, /, *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        return defer.execute(look, self, *args, **kwargs)

    return operation


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
