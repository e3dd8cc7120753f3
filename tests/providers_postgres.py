"""The rows of the conformance matrix over PostgreSQL: several backbones over one log there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock, LoopingCall
from twisted.test.iosim import IOPump
from zope.interface import implementer

from caucus.core.backbone import Backbone
from caucus.interfaces import IBackbone
from caucus.journals.postgres.journal import PostgresJournal
from caucus.journals.postgres.log_clock import LogClock
from caucus.journals.postgres.opening import open_postgres
from caucus.limits import Limits
from caucus.model.records import Identity
from caucus.testing import IBackboneProvider
from tests.providers import begun, client_in_memory, make_site, token_entries


async def open_at(dsn: str, clock: Clock) -> PostgresJournal:
    """A journal whose time is a clock's, and not the database's."""
    log_clock = LogClock(clock, lambda database_time: clock.seconds() - database_time)
    journal = await open_postgres(dsn, reactor, cast("IReactorTime", reactor), log_clock)
    journal.spread = 0.0  # what is due at an instant is looked for at that instant
    return journal


@define
class Daemons:
    """So many backbones over one log in PostgreSQL."""

    hands: int
    dsn: str
    journals: list[PostgresJournal] = field(factory=list)

    async def backbones(self, clock: Clock, limits: Limits) -> list[Backbone]:
        for _ in range(self.hands):
            self.journals.append(await open_at(self.dsn, clock))
        return [await begun(journal, clock, limits) for journal in self.journals]

    def settle(self) -> None:
        """The reactor does it."""

    def close(self) -> Deferred[None]:
        return gatherResults([one.close() for one in self.journals]).addCallback(lambda _: None)


@implementer(IBackboneProvider)
@define
class DaemonsInProcess(Daemons):
    """`Backbone` itself, each identity at another."""

    def open(self, clock: Clock, limits: Limits, identities: Sequence[Identity]) -> Deferred[list[IBackbone]]:
        return Deferred.fromCoroutine(self._open(clock, limits, identities))

    async def _open(self, clock: Clock, limits: Limits, identities: Sequence[Identity]) -> list[IBackbone]:
        opened = await self.backbones(clock, limits)
        return [opened[number % self.hands] for number in range(len(identities))]


@implementer(IBackboneProvider)
@define
class DaemonsOverHTTP(Daemons):
    """`HTTPBackbone` and several edges, each over a backbone of its own."""

    pumps: list[IOPump] = field(factory=list)
    pumping: LoopingCall | None = None

    def open(self, clock: Clock, limits: Limits, identities: Sequence[Identity]) -> Deferred[list[IBackbone]]:
        return Deferred.fromCoroutine(self._open(clock, limits, identities))

    async def _open(self, clock: Clock, limits: Limits, identities: Sequence[Identity]) -> list[IBackbone]:
        entries = token_entries(identities)
        sites = [make_site(one, entries, limits, clock) for one in await self.backbones(clock, limits)]
        self.pumping = LoopingCall(self.settle)
        self.pumping.start(0.001)
        return [
            client_in_memory(sites[number % self.hands], self.pumps, clock, identity)
            for number, identity in enumerate(identities)
        ]

    def settle(self) -> None:
        while sum(pump.pump() for pump in self.pumps):
            pass

    def close(self) -> Deferred[None]:
        if self.pumping is not None:
            self.pumping.stop()
        return super().close()
