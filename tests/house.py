"""Backbones over one PostgreSQL, each behind a wire of its own, for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from caucus.core.backbone import Backbone
from caucus.errors import CaucusError
from caucus.journals.postgres.journal import PostgresJournal
from caucus.journals.postgres.opening import open_postgres
from caucus.limits import Limits
from caucus.model.messages import Message
from caucus.model.records import Identity
from tests.postgres import Cluster
from tests.proxy import Proxy

LIMITS = Limits(max_posts_per_minute=100_000, global_max_posts_per_minute=100_000)
ALICE = Identity("alice", "alice")


def note(body: str) -> Message:
    return Message("note", body, agent_id="alice", owner="alice")


def claim(owner: str, **fields: Any) -> Message:
    return Message("claim", "mine", target="t", agent_id=f"{owner}-agent", owner=owner, **fields)


async def soon(condition: Callable[[], bool], seconds: float = 8) -> None:
    """Wait until something is so."""
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        await deferLater(reactor, 0.01)
    raise AssertionError("it did not come to that")


class House:
    """Backbones over one log, each behind a wire of its own, with a channel ``room``."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.dsn = cluster.dsn()
        self.schema = self.dsn.rpartition("%3D")[2]
        self.journals: list[PostgresJournal] = []
        self.backbones: list[Backbone] = []
        self.proxies: list[Proxy] = []

    async def add(self) -> Backbone:
        """One more."""
        proxy = Proxy(self.cluster.port)
        self.proxies.append(proxy)
        dsn = self.dsn.replace(f":{self.cluster.port}/", f":{proxy.listens_at}/")
        journal = await open_postgres(dsn, reactor, reactor)
        self.journals.append(journal)
        backbone = Backbone(journal, reactor, LIMITS)
        self.backbones.append(backbone)
        await backbone.replay()
        await backbone.begin_run()
        return backbone

    async def build(self, count: int) -> list[Backbone]:
        """So many, and the room."""
        for _ in range(count):
            await self.add()
        await self.backbones[0].create_channel("room")
        return self.backbones

    async def read(self, backbone: Backbone) -> list[str]:
        return [message.body for message in (await backbone.read_since("room", 0, 500)).messages]

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """What the database says of the log."""
        return self.cluster.ask(query.replace("LOG", f"{self.schema}."))

    async def close(self) -> None:
        for proxy in self.proxies:
            proxy.heal()
        for backbone in self.backbones:
            backbone.end_run().addErrback(lambda failure: failure.trap(CaucusError))
        await gatherResults([journal.close() for journal in self.journals])
        await gatherResults([proxy.close() for proxy in self.proxies])


def outcome(doing: Deferred[Any]) -> list[Any]:
    """Gains what becomes of it."""
    found: list[Any] = []
    doing.addBoth(lambda result: found.append(getattr(result, "value", result)))
    return found


def at_commit(house: House, monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Do something just before the first backbone sends what it decided."""
    session = house.journals[0]._turns.session  # nothing outside knows when that is
    run = session.run

    def act_and_run(*statements: Any) -> Any:
        if statements[0][0] == "append":
            act()
        return run(*statements)

    monkeypatch.setattr(session, "run", act_and_run)
