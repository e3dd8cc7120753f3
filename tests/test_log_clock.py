"""The log's clock: the database's time, whatever the daemons' clocks say, and whichever server tells it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import Clock, deferLater

from caucus.core.backbone import Backbone
from caucus.journals.postgres.log_clock import LogClock
from caucus.journals.postgres.opening import open_postgres
from tests.house import claim, soon
from tests.postgres import Cluster


def test_between_two_times_that_were_told_it_goes_on_with_what_passes_here() -> None:
    here = Clock()
    clock = LogClock(here)
    clock.heard(1000.0)
    here.advance(2.5)
    assert clock.seconds() == 1002.5
    clock.heard(1002.0)
    assert clock.seconds() == 1002.0


def test_while_something_is_decided_it_stands() -> None:
    here = Clock()
    clock = LogClock(here)
    clock.heard(1000.0)
    here.advance(1)
    clock.stand()
    assert clock.seconds() == 1000.0
    clock.go_on()
    assert clock.seconds() == 1001.0


def test_what_it_says_for_decisions_never_falls() -> None:
    clock = LogClock(Clock())
    clock.heard(1000.0)
    clock.not_before(1005.0)
    assert clock.seconds() == 1005.0
    clock.heard(999.0)
    assert clock.seconds() == 1005.0


@pytest.mark.parametrize("ahead", [-3600.0, 0.0, 3600.0])
def test_another_server_goes_on_where_the_first_one_was(ahead: float) -> None:
    here = Clock()
    clock = LogClock(here)
    clock.heard(1000.0)
    here.advance(7)
    clock.move_to(b"second", 1007.0 + ahead, b"first", 0.0)
    assert clock.seconds() == 1007.0
    clock.heard(1017.0 + ahead)
    assert clock.seconds() == 1017.0


def test_a_clock_that_was_set_back_is_told_and_goes_on_once_it_is_shifted() -> None:
    here = Clock()
    clock = LogClock(here)
    clock.move_to(b"one", 1000.0, b"one", 0.0)
    here.advance(5)
    assert not clock.heard(1005.0 - 3600)
    assert clock.seconds() == 1005.0
    clock.move_to(b"one", 1005.0 - 3600, b"one", 0.0)
    assert clock.seconds() == 1005.0
    assert clock.shift == 3600
    assert clock.heard(1010.0 - 3600)
    assert clock.seconds() == 1010.0


async def test_a_lease_ends_also_where_the_servers_clock_was_set_back(postgres: Cluster) -> None:
    dsn, added = postgres.dsn(), [0.0]
    opened: list[tuple[Any, Backbone]] = []
    for _ in range(2):
        journal = await open_postgres(dsn, reactor, reactor, LogClock(reactor, lambda _time: added[0]))
        backbone = Backbone(journal, reactor)
        await backbone.replay()
        await backbone.begin_run()
        opened.append((journal, backbone))
    one, two = (backbone for _journal, backbone in opened)
    await one.create_channel("room")
    await one.claim("room", claim("alice", lease_ttl=2))
    added[0] = -3600.0
    await deferLater(reactor, 3.2)
    claims = [await backbone.list_claims("room") for backbone in (one, two)]
    assert claims == [[], []]
    assert (await two.claim("room", claim("bob"))).outcome == "granted"
    assert abs(opened[0][0].seconds() - opened[1][0].seconds()) < 0.2
    for journal, backbone in opened:
        await backbone.end_run()
        await journal.close()


@pytest_twisted.async_yield_fixture
async def own(own_postgres: Cluster) -> AsyncIterator[Cluster]:
    yield own_postgres


@pytest.mark.parametrize("ahead", [3600.0, -3600.0])
async def test_a_server_whose_clock_is_off_lapses_no_lease_early_or_late(ahead: float, own: Cluster) -> None:
    added = [0.0]
    dsn = own.dsn()
    opened: list[tuple[Any, Backbone]] = []
    for _ in range(2):
        journal = await open_postgres(dsn, reactor, reactor, LogClock(reactor, lambda _time: added[0]))
        backbone = Backbone(journal, reactor)
        await backbone.replay()
        await backbone.begin_run()
        opened.append((journal, backbone))
    one, two = (backbone for _journal, backbone in opened)
    await one.create_channel("room")
    began = opened[0][0].seconds()
    await one.claim("room", claim("alice", lease_ttl=5))
    own.stop("fast")
    await soon(lambda: all(backbone.why_not_ready() is not None for backbone in (one, two)))
    added[0] = ahead  # as if another server had come in its place
    own.start()
    for _ in range(2):
        assert (await two.claim("room", claim("bob"))).outcome == "already_claimed"
        await deferLater(reactor, 0.1)
    assert abs(opened[1][0].seconds() - began) < 5
    late = await open_postgres(dsn, reactor, reactor, LogClock(reactor, lambda _time: added[0]))
    assert abs(late.seconds() - began) < 5
    await late.close()
    await deferLater(reactor, 5.5 - (opened[0][0].seconds() - began))
    assert (await two.claim("room", claim("bob"))).outcome == "granted"
    for journal, backbone in opened:
        await backbone.end_run()
        await journal.close()


async def test_who_comes_to_another_server_first_lets_those_go_first_who_know_the_time(own: Cluster) -> None:
    added = [0.0]
    dsn = own.dsn()

    def ahead(_time: float) -> float:
        return added[0]

    known = await open_postgres(dsn, reactor, reactor, LogClock(reactor, ahead))
    backbone = Backbone(known, reactor)
    await backbone.replay()
    await backbone.begin_run()
    began = known.seconds()
    own.stop("fast")
    await soon(lambda: backbone.why_not_ready() is not None)
    added[0] = 3600.0
    own.start()
    fresh = await open_postgres(dsn, reactor, reactor, LogClock(reactor, ahead))
    assert 0 < fresh.seconds() - began < 10
    assert abs(fresh.seconds() - known.seconds()) < 0.5
    await fresh.close()
    await backbone.end_run()
    await known.close()


class OffClock(Clock):
    """The reactor's timers, on a clock that is an hour off."""

    def seconds(self) -> float:
        return float(reactor.seconds()) + 3600

    def callLater(self, delay: float, *args: Any, **kwargs: Any) -> Any:
        return reactor.callLater(delay, *args, **kwargs)


async def test_daemons_whose_clocks_are_an_hour_apart_agree_when_a_lease_ends(postgres: Cluster) -> None:
    dsn, off = postgres.dsn(), OffClock()
    first = await open_postgres(dsn, reactor, reactor)
    second = await open_postgres(dsn, reactor, off)
    one = Backbone(first, reactor)
    two = Backbone(second, off, wall=lambda: reactor.seconds() - 7200)
    for backbone in (one, two):
        await backbone.replay()
        await backbone.begin_run()
    await one.create_channel("room")
    began = first.seconds()
    await two.claim("room", claim("alice", lease_ttl=1))
    for backbone in (one, two):
        assert (await backbone.claim("room", claim("bob"))).outcome == "already_claimed"
    assert abs(first.seconds() - second.seconds()) < 0.5
    await deferLater(reactor, 1.05 - (first.seconds() - began))
    assert (await one.claim("room", claim("bob"))).outcome == "granted"
    for backbone, journal in ((one, first), (two, second)):
        await backbone.end_run()
        await journal.close()
