"""Backbones over one PostgreSQL: what they make of each other, and of what they find there."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from caucus.core.backbone import Backbone
from caucus.errors import ConfigurationError, StorageUnavailable
from caucus.journals.postgres.opening import open_postgres
from caucus.model.events import RunBegan
from tests.house import LIMITS, House, claim, note, soon
from tests.postgres import Cluster


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
        ("postgresql://me:not@s3cret@127.0.0.1/x", "an @ in the host"),
        ("host=127.0.0.1 port=s3cret", "the port is no number"),
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


async def test_a_role_that_may_only_use_the_tables_is_enough(house: House) -> None:
    await house.build(1)
    house.cluster.ask(f"CREATE ROLE {house.schema}_user LOGIN")
    house.cluster.ask(f"GRANT USAGE ON SCHEMA {house.schema} TO {house.schema}_user")
    house.ask(f"GRANT SELECT ON LOGmeta TO {house.schema}_user")
    house.ask(f"GRANT SELECT, INSERT ON LOGevent, LOGevidence TO {house.schema}_user")
    house.ask(f"GRANT SELECT, UPDATE ON LOGclock TO {house.schema}_user")
    journal = await open_postgres(house.dsn.replace("postgres@", f"{house.schema}_user@"), reactor, reactor)
    house.journals.append(journal)
    backbone = Backbone(journal, reactor, LIMITS)
    house.backbones.append(backbone)
    await backbone.replay()
    await backbone.append("room", note("with few rights"))
    assert await house.read(house.backbones[0]) == ["with few rights"]


@pytest.mark.parametrize(
    ("given", "lacking"),
    [
        ("SELECT ON LOGmeta", "SELECT ON event"),
        ("SELECT ON LOGmeta, LOGevent, LOGevidence, LOGclock", "INSERT ON event"),
        ("SELECT, INSERT ON LOGmeta, LOGevent, LOGevidence, LOGclock", "UPDATE ON clock"),
    ],
    ids=["read", "insert", "update"],
)
async def test_rights_that_are_lacking_stop_a_start_in_one_line(
    house: House, given: str, lacking: str
) -> None:
    await house.build(1)
    house.cluster.ask(f"CREATE ROLE {house.schema}_none LOGIN")
    house.cluster.ask(f"GRANT USAGE ON SCHEMA {house.schema} TO {house.schema}_none")
    house.ask(f"GRANT {given} TO {house.schema}_none")
    with pytest.raises(ConfigurationError, match=f"permission denied: the role lacks {lacking}$"):
        await open_postgres(house.dsn.replace("postgres@", f"{house.schema}_none@"), reactor, reactor)


async def test_evidence_that_is_gone_stops_a_start_in_one_line(house: House) -> None:
    from hashlib import sha256  # noqa: PLC0415

    (one,) = await house.build(1)
    await one.put_artifact("room", sha256(b"evidence").hexdigest(), b"evidence")
    house.ask("DELETE FROM LOGevidence")
    journal = await open_postgres(house.dsn, reactor, reactor)
    with pytest.raises(Exception, match="the evidence of event 4 is not what was written"):
        await Backbone(journal, reactor).replay()
