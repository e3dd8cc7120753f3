"""A journal for tests: keeps its events, and says "durable" only when it is told to."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, TypeVar, TypeVarTuple, Unpack

from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

from caucus.errors import OutcomeUnknown, StorageUnavailable
from caucus.interfaces import IJournal
from caucus.journals.doors import look_now, nobody_to_tell, nothing_to_undo, refuse_to_record
from caucus.journals.waits import Waits
from caucus.model.events import Event, EvidenceAdded

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


@implementer(IJournal)
class SlowJournal:
    """Keeps events in a list, which outlives it; `sync` makes them durable, `lose` fails the waits.

    Evidence is kept by its hash, for all of them.
    """

    kept: ClassVar[dict[str, bytes]] = {}

    def __init__(self, events: list[Event] | None = None) -> None:
        self.events: list[Event] = [] if events is None else events
        self.journal_id = "51" * 8
        self.durable = 0
        self.closed = False
        self.refusing = False
        self._waits = Waits()
        self._is_deciding = False
        self._undo: Callable[[int], None] = nothing_to_undo
        self._advanced: Callable[[], None] = nobody_to_tell

    @property
    def refusal(self) -> StorageUnavailable | None:
        return StorageUnavailable() if self.refusing else None

    @property
    def position(self) -> int:
        return len(self.events)

    def replay(
        self, apply: Callable[[Event, bytes, int], None], undo: Callable[[int], None]
    ) -> Deferred[None]:
        self._undo = undo
        for position, event in enumerate(self.events, start=1):
            evidence = self.kept[event.sha256] if isinstance(event, EvidenceAdded) else b""
            apply(event, evidence, position)
        self.durable = self.position
        return succeed(None)

    def follow(self, advanced: Callable[[], None]) -> None:
        self._advanced = advanced

    def write(self, decide: Callable[[Unpack[Ts]], T], *args: *Ts) -> Deferred[T]:
        if self.refusing:
            return fail(StorageUnavailable())
        self._is_deciding = True
        try:
            return self._once_durable(decide(*args))
        except Exception:
            return self._once_durable(Failure())
        finally:
            self._is_deciding = False

    def _once_durable(self, answer: T | Failure) -> Deferred[T]:
        waiting = self._waits.add(self.position, answer)
        if self.position <= self.durable:
            self._waits.fire(self.durable)
        return waiting

    def read(self, look: Callable[[Unpack[Ts]], T], *args: *Ts) -> Deferred[T]:
        return look_now(look, *args)

    def record(self, event: Event, evidence: bytes = b"") -> int:
        if not self._is_deciding:
            refuse_to_record()
        self.events.append(event)
        if isinstance(event, EvidenceAdded):
            self.kept[event.sha256] = evidence
        return self.position

    def sync(self, position: int | None = None) -> None:
        """Everything up to ``position``, or all, is durable."""
        self.durable = self.position if position is None else position
        self._advanced()
        self._waits.fire(self.durable)

    def lose(self, kept: int | None = None) -> None:
        """What is not durable is not kept, but for what is up to ``kept``; nothing more is taken."""
        self.refusing = True
        self.sync(self.durable if kept is None else kept)
        del self.events[self.durable :]
        self._undo(self.durable)
        self._waits.fail(StorageUnavailable)

    def give_up(self) -> None:
        """Nobody knows whether what waits is kept."""
        self._waits.fail(OutcomeUnknown)

    def close(self) -> Deferred[None]:
        self.sync()
        self.closed = self.refusing = True
        return succeed(None)


def nothing_applied(_event: Event, _evidence: bytes, _position: int) -> None:
    """What was recorded before does not matter."""
