"""The memory journal: nothing outlives the process, and everything is "durable" at once."""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex
from typing import Any, TypeVar, TypeVarTuple, Unpack

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.plugin import IPlugin
from zope.interface import implementer

from caucus.errors import ConfigurationError, StorageUnavailable
from caucus.interfaces import IJournal, IJournalFactory
from caucus.journals.doors import look_now, nobody_to_tell, refuse_to_record
from caucus.model.events import Event

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


@implementer(IJournal)
class MemoryJournal:
    """Counts the events and keeps none: the backbone's own state is all there is."""

    def __init__(self) -> None:
        self.refusal: StorageUnavailable | None = None
        self.journal_id = token_hex(8)
        self.position = self.durable = 0
        self._is_deciding = False
        self._advanced: Callable[[], None] = nobody_to_tell

    def replay(
        self,
        apply: Callable[[Event, bytes, int], None],  # noqa: ARG002
        undo: Callable[[int], None],  # noqa: ARG002
    ) -> Deferred[None]:
        return succeed(None)

    def follow(self, advanced: Callable[[], None]) -> None:
        self._advanced = advanced

    def write(self, decide: Callable[[Unpack[Ts]], T], *args: *Ts) -> Deferred[T]:
        if self.refusal is not None:
            return fail(self.refusal)
        before = self.position
        self._is_deciding = True
        try:
            decided = decide(*args)
        except Exception:
            self._stop_deciding(before)
            return fail()  # no name here holds it, since its traceback holds this frame
        self._stop_deciding(before)
        return succeed(decided)

    def _stop_deciding(self, before: int) -> None:
        self._is_deciding = False
        if self.position > before:
            self._advanced()

    def read(self, look: Callable[[Unpack[Ts]], T], *args: *Ts) -> Deferred[T]:
        return look_now(look, *args)

    def record(self, event: Event, evidence: bytes = b"") -> int:  # noqa: ARG002
        if not self._is_deciding:
            refuse_to_record()
        self.position = self.durable = self.position + 1
        return self.position

    def close(self) -> Deferred[None]:
        self.refusal = StorageUnavailable("closed")
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
