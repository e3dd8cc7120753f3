"""A journal for tests: keeps its events, and says "durable" only when it is told to."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from caucus.errors import OutcomeUnknown, StorageUnavailable
from caucus.interfaces import IJournal
from caucus.model.events import Event, EvidenceAdded


@implementer(IJournal)
class SlowJournal:
    """Keeps events in a list, which outlives it; `sync` makes them durable, `lose` fails the waits.

    Evidence is kept by its hash, for all of them.
    """

    kept: ClassVar[dict[str, bytes]] = {}

    def __init__(self, events: list[Event] | None = None) -> None:
        self.events: list[Event] = [] if events is None else events
        self.durable = 0
        self.closed = False
        self.refusing = False
        self._waits: list[tuple[int, Deferred[None]]] = []
        self._undo: Callable[[int], None] = lambda kept: None

    @property
    def refusal(self) -> StorageUnavailable | None:
        return StorageUnavailable() if self.refusing else None

    @property
    def position(self) -> int:
        return len(self.events)

    def replay(self, apply: Callable[[Event, bytes], None], undo: Callable[[int], None]) -> Deferred[None]:
        self._undo = undo
        for event in self.events:
            apply(event, self.kept[event.sha256] if isinstance(event, EvidenceAdded) else b"")
        self.durable = self.position
        return succeed(None)

    def record(self, event: Event, evidence: bytes = b"") -> int:
        if self.refusing:
            raise StorageUnavailable
        self.events.append(event)
        if isinstance(event, EvidenceAdded):
            self.kept[event.sha256] = evidence
        return self.position

    def when_durable(self, position: int) -> Deferred[None]:
        if position <= self.durable:
            return succeed(None)
        if self.refusing:
            return fail(StorageUnavailable())
        waiting: Deferred[None] = Deferred()
        self._waits.append((position, waiting))
        return waiting

    def sync(self, position: int | None = None) -> None:
        """Everything up to ``position``, or all, is durable."""
        self.durable = self.position if position is None else position
        ready = [waiting for at, waiting in self._waits if at <= self.durable]
        self._waits = [(at, waiting) for at, waiting in self._waits if at > self.durable]
        for waiting in ready:
            if not waiting.called:  # else it was cancelled
                waiting.callback(None)

    def lose(self, kept: int | None = None) -> None:
        """What is not durable is not kept, but for what is up to ``kept``; nothing more is taken."""
        self.refusing = True
        self.sync(self.durable if kept is None else kept)
        del self.events[self.durable :]
        self._undo(self.durable)
        waits, self._waits = self._waits, []
        for _, waiting in waits:
            waiting.errback(StorageUnavailable())

    def give_up(self) -> None:
        """Nobody knows whether what waits is kept."""
        waits, self._waits = self._waits, []
        for _, waiting in waits:
            waiting.errback(OutcomeUnknown())

    def close(self) -> Deferred[None]:
        self.sync()
        self.closed = True
        return succeed(None)
