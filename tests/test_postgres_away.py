"""A database that goes, under backbones: what they tell, and what they know when it is back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from caucus.core.backbone import Backbone
from caucus.errors import OutcomeUnknown, StorageUnavailable, UnknownChannel
from caucus.journals.postgres import turns
from caucus.journals.postgres.opening import open_postgres
from caucus.journals.postgres.session import Session
from tests.house import LIMITS, House, at_commit, note, outcome, soon
from tests.postgres import Cluster
from tests.proxy import Proxy


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


async def test_a_daemon_counts_as_running_also_after_its_session_was_lost(house: House) -> None:
    await house.build(1)
    house.proxies[0].cut()
    await soon(lambda: house.backbones[0].why_not_ready() is not None)
    house.proxies[0].heal()
    await soon(lambda: house.backbones[0].why_not_ready() is None)
    await house.add()
    assert not house.journals[1].is_alone


async def test_a_start_whose_connection_is_cut_knows_everything_when_it_begins(house: House) -> None:
    (one,) = await house.build(1)
    await gatherResults([one.append("room", note(f"{number}")) for number in range(2500)])
    proxy = Proxy(house.cluster.port)
    house.proxies.append(proxy)
    dsn = house.dsn.replace(f":{house.cluster.port}/", f":{proxy.listens_at}/")
    journal = await open_postgres(dsn, reactor, reactor)
    house.journals.append(journal)
    seen: list[int] = []

    def apply(_event: Any, _evidence: bytes, position: int) -> None:
        seen.append(position)
        if position == 1001:
            proxy.cut()

    told = outcome(journal.replay(apply, lambda _: None))
    await deferLater(reactor, 0.6)
    assert told == []
    proxy.heal()
    await soon(lambda: bool(told))
    assert seen == list(range(1, house.journals[0].durable + 1))


async def test_what_cannot_be_applied_ends_the_daemon_and_is_not_passed_over(
    house: House, logged_failures: list[Failure]
) -> None:
    one, _two = await house.build(2)
    ended = outcome(house.journals[1].broken)

    def fail(_event: Any, _evidence: bytes, _position: int) -> None:
        raise RuntimeError("a fault")

    house.journals[1]._applied.apply = fail
    await one.append("room", note("too much"))
    await soon(lambda: bool(ended))
    assert "could not be applied" in ended[0]
    logged_failures.clear()


async def test_whoever_waits_for_a_kept_commit_is_told_however_much_came_after_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = await house.build(2)
    wire = house.proxies[0]
    at_commit(house, monkeypatch, wire.hold_answers)
    told = outcome(one.append("room", note("kept")))
    await soon(lambda: house.journals[0].position > house.journals[0].durable)
    await soon(lambda: house.ask("SELECT count(*) FROM LOGevent")[0][0] == house.journals[0].position)
    await gatherResults([two.append("room", note(f"{number}")) for number in range(1300)])
    monkeypatch.undo()
    wire.cut()
    wire.heal()
    await soon(lambda: bool(told), 3)
    assert told[0].cursor == 1


async def test_why_the_server_has_ended_a_session_is_told(house: House) -> None:
    await house.build(1)
    sessions = house.journals[0]._sessions
    told: list[list[str]] = [[] for _ in sessions]
    for session, troubles in zip(sessions, told, strict=True):
        session._lost = partial(_note_trouble, session, troubles, session._lost)
    house.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'caucus'")
    await soon(lambda: all(told))
    assert [one[0] for one in told] == ["terminating connection due to administrator command"] * 3


def _note_trouble(session: Session, troubles: list[str], lost: Callable[[], None]) -> None:
    troubles.append(session.trouble)
    lost()


async def test_a_primary_that_was_left_behind_is_not_believed(postgres: Cluster, house: House) -> None:
    """Turns are taken at one server, and another one answers the session that reads."""
    one, two = await house.build(2)
    left_behind = postgres.fork()
    try:
        await one.append("room", note("first"))
        wire, present = house.proxies[0], house.journals[0]._present
        wire.port = left_behind.port
        present.session.give_up("it is cut")
        await soon(lambda: "not the server where turns are taken" in present.session.trouble)
        await two.append("room", note("second"))
        assert await house.read(one) == ["first"]
        assert present.is_stale
        wire.port = postgres.port
        await soon(lambda: present.session.link is not None)
        assert await house.read(one) == ["first", "second"]
        assert not house.journals[0].broken.called
    finally:
        left_behind.remove()


async def test_whoever_reads_asks_for_the_server_of_the_turns_and_not_for_the_first_that_is_named(
    postgres: Cluster, house: House
) -> None:
    await house.build(1)
    left_behind = postgres.fork()
    wire = Proxy(left_behind.port)
    wire.cut()
    try:
        hosts = f"127.0.0.1:{wire.listens_at},127.0.0.1:{postgres.port}"
        dsn = house.dsn.replace(f"127.0.0.1:{postgres.port}", hosts)
        journal = await open_postgres(dsn, reactor, reactor)
        house.journals.append(journal)
        backbone = Backbone(journal, reactor, LIMITS)
        await backbone.replay()
        wire.heal()
        journal._present.session.give_up("it is cut")
        await house.backbones[0].append("room", note("later"))
        await soon(lambda: journal._present.session.link is not None)
        assert await house.read(backbone) == ["later"]
        assert not journal.is_stale
    finally:
        left_behind.remove()
        await wire.close()


async def test_whoever_reads_goes_where_turns_are_taken(postgres: Cluster, house: House) -> None:
    (one,) = await house.build(1)
    await one.append("room", note("first"))
    following = postgres.fork()
    try:
        wire, journal = house.proxies[0], house.journals[0]
        wire.port = following.port
        journal._turns.session.give_up("it is cut")
        await one.append("room", note("second"))
        await soon(lambda: journal._present.session.link is not None)
        assert await house.read(one) == ["first", "second"]
        postgres.ask(f"DROP SCHEMA {house.schema} CASCADE")
        assert await house.read(one) == ["first", "second"]
    finally:
        following.remove()
