"""The memory journal: nothing outlives the process, and everything is "durable" at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.plugin import IPlugin
from zope.interface import implementer

from caucus.errors import ConfigurationError
from caucus.interfaces import IJournal, IJournalFactory
from caucus.model.events import Event


@implementer(IJournal)
@define
class MemoryJournal:
    """Counts the events and keeps none: the backbone's own state is all there is."""

    position: int = field(default=0, init=False)
    durable: int = field(default=0, init=False)
    refusal: None = field(default=None, init=False)

    def replay(self, apply: Callable[[Event, bytes], None], undo: Callable[[int], None]) -> Deferred[None]:  # noqa: ARG002
        return succeed(None)

    def record(self, event: Event, evidence: bytes = b"") -> int:  # noqa: ARG002
        self.position = self.durable = self.position + 1
        return self.position

    def when_durable(self, position: int) -> Deferred[None]:  # noqa: ARG002
        return succeed(None)

    def close(self) -> Deferred[None]:
        return succeed(None)


@implementer(IPlugin, IJournalFactory)
class MemoryJournalFactory:
    """Opens ``memory:``."""

    scheme = "memory"
    help = "keeps everything in memory; a restart forgets it"

    def open(self, rest: str, reactor: Any, clock: IReactorTime) -> Deferred[IJournal]:  # noqa: ARG002
        if rest:
            return fail(ConfigurationError("--journal memory: takes nothing after the colon"))
        journal: IJournal = MemoryJournal()
        return succeed(journal)
