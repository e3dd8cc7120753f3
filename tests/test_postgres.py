"""Backbones over one PostgreSQL: what they make of each other, and of a database that goes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from caucus.core.backbone import Backbone
from caucus.errors import CaucusError, ConfigurationError, OutcomeUnknown, StorageUnavailable, UnknownChannel
from caucus.journals.postgres import turns
from caucus.journals.postgres.journal import PostgresJournal
from caucus.journals.postgres.opening import open_postgres
from caucus.limits import Limits
from caucus.model.events import RunBegan
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
        for backbone, journal in zip(self.backbones, self.journals, strict=False):
            backbone.end_run().addErrback(lambda failure: failure.trap(CaucusError))
            await journal.close()
        await gatherResults([proxy.close() for proxy in self.proxies])


@pytest_twisted.async_yield_fixture
async def house(postgres: Cluster) -> AsyncIterator[House]:
    house = House(postgres)
    yield house
    await house.close()


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


async def test_whoever_was_told_of_a_write_finds_it_at_every_daemon(house: House) -> None:
    one, two, three = await house.build(3)
    for number in range(20):
        await (one, two, three)[number % 3].append("room", note(f"{number}"))
        assert len(await house.read((two, three, one)[number % 3])) == number + 1


async def test_what_is_written_at_one_daemon_wakes_who_watches_at_another(house: House) -> None:
    one, two = await house.build(2)
    await two.describe_channel("room")
    woken: list[int] = []
    two.watch("room", lambda: woken.append(1))
    await one.append("room", note("hello"))
    await soon(lambda: bool(woken), 0.5)


async def test_the_first_of_many_claims_at_all_daemons_wins(house: House) -> None:
    backbones = await house.build(3)
    asked = [backbones[n % 3].claim("room", claim(f"owner-{n}")) for n in range(30)]
    results = await gatherResults(asked)
    assert sorted(one.outcome for one in results) == ["already_claimed"] * 29 + ["granted"]


async def test_a_lapse_is_written_once_though_every_daemon_has_an_alarm(house: House) -> None:
    backbones = await house.build(3)
    await backbones[0].claim("room", claim("alice", lease_ttl=1))
    for backbone in backbones:
        await backbone.describe_channel("room")
    before = house.journals[0].durable
    await deferLater(reactor, 1.6)
    for backbone in backbones:
        await backbone.describe_channel("room")
    assert [journal.durable for journal in house.journals] == [before + 1] * 3
    assert (await backbones[2].claim("room", claim("bob"))).outcome == "granted"


async def test_only_who_finds_nobody_running_gives_leases_their_grace(house: House) -> None:
    (one,) = await house.build(1)
    await one.claim("room", claim("alice", lease_ttl=20))
    begun: list[RunBegan] = []
    applied = house.journals[0]._applied  # whoever writes, its events pass here
    apply = applied.apply

    def watch(event: Any, evidence: bytes, position: int) -> None:
        if isinstance(event, RunBegan):
            begun.append(event)
        apply(event, evidence, position)

    applied.apply = watch
    await house.add()
    await one.describe_channel("room")
    assert [event.extended for event in begun] == [()]
    for journal in house.journals:
        await journal.close()
    for backbone in house.backbones:
        with pytest.raises(StorageUnavailable):
            await backbone.end_run()
    house.journals.clear()
    house.backbones.clear()
    three = await house.add()
    claims = await three.list_claims("room")
    assert claims[0].expires_in is not None
    assert claims[0].expires_in > 20


async def test_a_commit_whose_answer_is_lost_is_acknowledged_once_it_is_found(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = await house.build(2)
    wire = house.proxies[0]
    at_commit(house, monkeypatch, wire.hold_answers)
    told = outcome(one.append("room", note("kept")))
    await soon(lambda: house.journals[0].position > house.journals[0].durable)
    assert await house.read(two) == ["kept"]
    wire.cut()
    wire.heal()
    await soon(lambda: bool(told))
    assert told[0].cursor == 1
    assert await house.read(one) == ["kept"]


async def test_what_never_came_to_the_database_is_undone_and_refused(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = await house.build(2)
    wire = house.proxies[0]
    session = house.journals[0]._turns.session
    run = session.run

    def cut_before_the_commit(*statements: Any) -> Any:
        if statements[0][0] == "append":
            wire.cut()
            monkeypatch.undo()
        return run(*statements)

    monkeypatch.setattr(session, "run", cut_before_the_commit)
    told = outcome(one.append("room", note("lost")))
    await soon(lambda: wire.is_cut)
    await two.append("room", note("meanwhile"))
    monkeypatch.undo()
    wire.heal()
    await soon(lambda: bool(told))
    assert isinstance(told[0], StorageUnavailable)
    assert await house.read(one) == ["meanwhile"]
    await one.append("room", note("again"))
    assert await house.read(two) == ["meanwhile", "again"]


async def test_a_commit_of_which_nothing_is_known_for_long_is_of_unknown_outcome(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 0.5)
    one, two = await house.build(2)
    wire = house.proxies[0]
    session = house.journals[0]._turns.session
    run = session.run

    def lose_the_answer(*statements: Any) -> Any:
        if statements[0][0] == "append":
            wire.hold_answers()
        return run(*statements)

    monkeypatch.setattr(session, "run", lose_the_answer)
    told = outcome(one.append("room", note("who knows")))
    await soon(lambda: bool(told))
    assert isinstance(told[0], OutcomeUnknown)
    assert await house.read(two) == ["who knows"]
    monkeypatch.undo()
    wire.cut()
    wire.heal()
    assert await house.read(one) == ["who knows"]


async def test_while_the_database_is_away_reads_are_of_the_past_and_say_so(house: House) -> None:
    one, two = await house.build(2)
    await one.append("room", note("known"))
    house.proxies[0].cut()
    await soon(lambda: one.why_not_ready() is not None)
    await two.append("room", note("unknown"))
    assert await house.read(one) == ["known"]
    assert (one.is_stale, two.is_stale) == (True, False)
    with pytest.raises(StorageUnavailable):
        await one.describe_channel("another")
    house.proxies[0].heal()
    await soon(lambda: one.why_not_ready() is None)
    assert await house.read(one) == ["known", "unknown"]
    assert not one.is_stale
    with pytest.raises(UnknownChannel):
        await one.describe_channel("another")


async def test_what_was_not_decided_when_the_database_went_is_decided_when_it_is_back(house: House) -> None:
    (one,) = await house.build(1)
    house.proxies[0].cut()
    await soon(lambda: one.why_not_ready() is not None)
    told = outcome(one.append("room", note("patient")))
    await deferLater(reactor, 0.3)
    assert told == []
    house.proxies[0].heal()
    await soon(lambda: bool(told))
    assert told[0].cursor == 1


async def test_more_than_a_turn_reads_is_caught_up_with_outside_of_it(house: House) -> None:
    one, two = await house.build(2)
    house.proxies[1].cut()
    await soon(lambda: two.why_not_ready() is not None)
    await gatherResults([one.append("room", note(f"{number}")) for number in range(2500)])
    house.proxies[1].heal()
    await two.append("room", note("last"))
    assert house.journals[1].durable == house.journals[0].durable + 1
    assert (await two.describe_channel("room")).head == 2501


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        ("DELETE FROM LOGevent WHERE position > 3", "which was there, is not there any more"),
        ("UPDATE LOGevent SET digest = decode('00', 'hex')", "is not the one that was there"),
    ],
)
async def test_a_log_that_is_not_what_it_was_ends_every_daemon(house: House, damage: str, line: str) -> None:
    one, two = await house.build(2)
    for number in range(4):
        await one.append("room", note(f"{number}"))
    await two.describe_channel("room")
    ended = [outcome(journal.broken) for journal in house.journals]
    house.ask(damage)
    with pytest.raises(StorageUnavailable):
        await one.append("room", note("on what is not there"))
    await soon(lambda: all(ended))
    assert all(line in one[0] for one in ended)


async def test_an_event_that_no_release_knows_yet_stops_a_start_in_one_line(house: House) -> None:
    await house.build(1)
    last = house.ask("SELECT position, digest FROM LOGevent ORDER BY position DESC LIMIT 1")[0]
    from caucus.journals.chain import link  # noqa: PLC0415

    digest = link(bytes(last[1]), b"\x91\xcc\xff").hex()
    house.ask(f"INSERT INTO LOGevent VALUES ({last[0] + 1}, '\\x91ccff', '\\x{digest}')")
    journal = await open_postgres(house.dsn, reactor, reactor)
    with pytest.raises(Exception, match=f"event {last[0] + 1} cannot be read by this release"):
        await Backbone(journal, reactor).replay()


async def test_two_that_come_first_at_once_make_one_log(postgres: Cluster) -> None:
    dsn = postgres.dsn()
    opened = await gatherResults(
        [Deferred.fromCoroutine(open_postgres(dsn, reactor, reactor)) for _ in range(4)]
    )
    assert len({journal.journal_id for journal in opened}) == 1
    for journal in opened:
        await journal.close()


async def test_evidence_is_whole_at_another_daemon(house: House) -> None:
    from hashlib import sha256  # noqa: PLC0415

    one, two = await house.build(2)
    data = bytes(range(256)) * 4096
    name = sha256(data).hexdigest()
    await one.put_artifact("room", name, data)
    assert await two.get_artifact("room", name) == data
    assert await (await house.add()).get_artifact("room", name) == data


@pytest.mark.parametrize(
    ("dsn", "line"),
    [
        ("host=127.0.0.1 port=1 user=me password=s3cret", "port 1 failed"),
        ("postgresql://me:s3cret@127.0.0.1:1/x", "port 1 failed"),
        ("//me:s3cret@127.0.0.1:1/x", "port 1 failed"),
        ("host=127.0.0.1 s3cret", "no connection string"),
        ("postgresql://me:s3cret@[127.0.0.1/x", "no connection string"),
    ],
)
async def test_a_start_that_fails_says_why_without_the_password(dsn: str, line: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await open_postgres(dsn, reactor, reactor)
    assert line in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_server_that_keeps_nothing_is_refused(own_postgres: Cluster) -> None:
    own_postgres.stop("fast")
    own_postgres.settings["fsync"] = "off"
    own_postgres.start()
    with pytest.raises(ConfigurationError, match="fsync=off"):
        await open_postgres(own_postgres.dsn(), reactor, reactor)


async def test_a_release_that_does_not_know_what_is_written_does_not_start(house: House) -> None:
    await house.build(1)
    house.ask("UPDATE LOGmeta SET value = '99' WHERE name = 'writes'")
    with pytest.raises(ConfigurationError, match="write events of version 99"):
        await open_postgres(house.dsn, reactor, reactor)
