"""Feeds of many rooms: boards that one event changed, waits that end one another, and what that costs."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, race
from twisted.internet.task import Clock

from caucus.core.backbone import Backbone
from caucus.errors import InvalidRequest
from caucus.journals.memory import MemoryJournal
from caucus.model.events import Author, SeenAgent
from caucus.model.feed import BoardChanged
from caucus.model.records import Identity
from caucus.rules.presence import Heard
from tests.raw import make_edge
from tests.test_following import Net

ROOMS = tuple(f"room-{number}" for number in range(5))


def backbone(clock: Clock) -> Backbone:
    opened = Backbone(MemoryJournal(), clock)
    for room in ROOMS:
        opened.create_channel(room, created_by="o")
    return opened


def result(deferred: Deferred[Any]) -> Any:
    found: list[Any] = []
    deferred.addBoth(found.append)
    return found[0]


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.advance(1_700_000_000)
    return clock


@pytest.fixture
def lapsed(clock: Clock) -> tuple[Backbone, str]:
    """Where in each room a lease has lapsed in one step, and the position before that."""
    opened = backbone(clock)
    for number, room in enumerate(ROOMS):
        given = {"type": "claim", "msg_id": f"{number:026d}", "target": "t", "lease_ttl": 20}
        opened.claim(room, {**given, "agent_id": "a", "owner": "o", "body": "b"})
    position = result(opened.read_feed()).since
    clock.advance(30)
    note = {"type": "note", "msg_id": "9" * 26, "agent_id": "a", "owner": "o", "body": "x"}
    opened.append(ROOMS[0], note)
    return opened, position


@pytest.mark.parametrize("limit", [1, 2, 4, 100])
def test_no_board_is_lost_between_two_pages(lapsed: tuple[Backbone, str], limit: int) -> None:
    opened, since = lapsed
    told = []
    while events := (page := result(opened.read_feed(since=since, limit=limit))).events:
        told += events
        since = page.since
    assert [one.channel for one in told if isinstance(one, BoardChanged)] == list(ROOMS)
    assert len(told) == len(ROOMS) + 1


async def _collect(opened: Backbone, since: str, most: int) -> list[Any]:
    feed = opened.feed(since=since)
    return [await anext(feed) for _ in range(most)]


def test_whoever_iterates_is_told_of_every_board(lapsed: tuple[Backbone, str]) -> None:
    opened, since = lapsed
    told = result(Deferred.fromCoroutine(_collect(opened, since, len(ROOMS) + 1)))
    assert [one.channel for one in told if isinstance(one, BoardChanged)] == list(ROOMS)


def test_a_stream_that_is_cut_after_the_first_board_is_told_of_the_others_when_it_resumes() -> None:
    edge = make_edge()
    for room in ROOMS:
        edge.backbone.create_channel(room, created_by="o")
        claim = {"type": "claim", "msg_id": "9" * 26, "target": "t", "lease_ttl": 20, "body": "b"}
        edge.backbone.claim(room, {**claim, "agent_id": "a", "owner": "o"})
    position = edge.ask("GET", "/feed").json["since"]
    edge.clock.advance(30)
    edge.ask("POST", "/channels/room-0/append", {"type": "note", "msg_id": "8" * 26, "body": "x"}, "tok-bob")
    peer = edge.connect()
    head = b"GET /feed HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nLast-Event-ID: "
    peer.send(head + position.encode() + b"\r\n\r\n")
    edge.clock.advance(0)
    frames = [one for one in peer.transport.value().decode().split("\n\n") if '"board":true' in one]
    assert len(frames) == len(ROOMS)
    first = frames[0].partition("id: ")[2].partition("\n")[0]
    again = edge.ask("GET", f"/feed?since={first}").json["events"]
    assert {one["channel"] for one in again if "board" in one} >= set(ROOMS[1:])


@pytest.mark.parametrize("how", ["time", "stop"])
def test_a_wait_that_ends_another_holds_up_nobody(clock: Clock, how: str) -> None:
    opened = backbone(clock)
    both: list[Deferred[Any]] = [opened.read_feed(wait=5), opened.read_since("room-0", 0, None, 5)]
    racing: Deferred[tuple[int, Any]] = race(both)
    other = opened.read_since("room-0", 0, None, 5)
    if how == "time":
        clock.advance(6)
    else:
        opened.stop_waiting()
    assert racing.called
    assert other.called


def test_what_a_colleague_has_acked_for_the_owner_is_still_open_for_the_agent(clock: Clock) -> None:
    opened = backbone(clock)
    laptop, desk = Identity("alice-laptop", "alice"), Identity("alice-desk", "alice")
    note = {"type": "note", "msg_id": "9" * 26, "agent_id": "c", "owner": "carol", "body": "x"}
    opened.append("room-0", {**note, "to": ["alice-laptop", "alice"]})
    opened.ack("room-0", 1, desk)
    assert result(opened.read_inbox(desk)).items == ()
    assert [one.state for one in result(opened.read_inbox(laptop)).items] == ["sent"]
    opened.ack("room-0", 1, laptop)
    assert result(opened.read_inbox(laptop)).items == ()


def test_all_rooms_are_looked_through_once_for_all_who_wait(clock: Clock) -> None:
    opened = backbone(clock)
    waiting = [opened.read_feed(wait=50) for _ in range(100)]
    note = {"type": "note", "msg_id": "9" * 26, "agent_id": "c", "owner": "carol", "body": "x"}
    opened.append("room-0", note)
    told = [result(one).events for one in waiting]
    assert len(told[0]) == 1
    assert all(one is told[0] for one in told)


def test_a_client_that_would_begin_too_many_rooms_at_cursors_is_told_so() -> None:
    with pytest.raises(InvalidRequest):
        Net().follow(*(f"{number:064}:0" for number in range(200)))


def test_whoever_is_told_late_pushes_out_nobody_who_was_heard_of_since() -> None:
    heard = Heard(2)
    heard.hear(Author("one", "o"), 1000.0)
    heard.hear(Author("two", "o"), 1001.0)
    heard.apply([SeenAgent(Author("stale", "o"), 900, ())], 1002.0)
    assert [agent.agent_id for agent, _seconds, _channels in heard.seen(1002.0)] == ["two", "one"]
