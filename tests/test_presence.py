"""Who is there: streams, cables, restarts, and what becomes of marks that are not durable."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from caucus.core.backbone import Backbone
from caucus.interfaces import IJournal
from caucus.journals.memory import MemoryJournal
from caucus.limits import Limits
from caucus.model.events import Event, OwingBegan, Seen
from caucus.model.messages import Message
from caucus.model.records import Identity
from tests.cable import SECONDS
from tests.journals import SlowJournal
from tests.raw import Edge, make_edge

ALICE, BOB = Identity("alice-agent", "alice"), Identity("bob-agent", "bob")
ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def there(edge: Edge) -> dict[str, Any]:
    return {one["agent_id"]: one for one in edge.ask("GET", "/who").json["agents"]}


def open_stream(edge: Edge, target: str, token: str = "tok-alice") -> Any:
    peer = edge.connect()
    lines = [
        f"GET {target} HTTP/1.1",
        "Host: localhost",
        "Accept: text/event-stream",
        f"Authorization: Bearer {token}",
    ]
    peer.send("\r\n".join([*lines, "", ""]).encode())
    return peer


def test_a_request_of_any_kind_with_a_token_is_seen() -> None:
    edge = make_edge()
    edge.make_room()
    assert list(there(edge)) == ["bob-agent"]
    edge.ask("GET", "/nowhere", token="tok-alice")
    edge.ask("GET", "/channels", token="not a token")
    edge.ask("GET", "/healthz")
    found = there(edge)
    assert sorted(found) == ["alice-agent", "bob-agent"]
    assert found["alice-agent"] == {
        "agent_id": "alice-agent",
        "owner": "alice",
        "seen_ago": 0,
        "streams": 0,
        "channels": [],
        "holding": 0,
        "waiting": 0,
    }


def test_channels_are_those_that_an_agent_asked_about_and_that_there_are() -> None:
    edge = make_edge()
    edge.make_room()
    edge.ask("POST", "/channels/room/read", {"cursor": 0}, "tok-alice")
    edge.ask("POST", "/channels/nowhere/read", {"cursor": 0}, "tok-alice")
    assert there(edge)["alice-agent"]["channels"] == ["room"]
    assert [one["agent_id"] for one in edge.ask("GET", "/who?channel=room").json["agents"]] == ["alice-agent"]
    assert edge.ask("GET", "/who?channel=nowhere").code == "unknown_channel"
    edge.ask("GET", "/feed?room=room", token="tok-carol")
    assert there(edge)["carol-agent"]["channels"] == ["room"]


def test_open_streams_are_counted_for_whoever_has_opened_them_until_they_go() -> None:
    edge = make_edge()
    edge.make_room()
    peers = [open_stream(edge, target) for target in ("/feed", "/channels/room/stream", "/feed?room=room")]
    other = open_stream(edge, "/feed", "tok-carol")
    open_stream(edge, "/feed", "nobody's")
    assert (there(edge)["alice-agent"]["streams"], there(edge)["carol-agent"]["streams"]) == (3, 1)
    for peer in (peers[0], other):
        peer.lose()
    assert (there(edge)["alice-agent"]["streams"], there(edge)["carol-agent"]["streams"]) == (2, 0)


def test_a_stream_is_no_sign_of_life_after_it_was_opened() -> None:
    edge = make_edge()
    edge.make_room()
    open_stream(edge, "/feed")
    for _ in range(10):
        edge.clock.advance(15)
    assert there(edge)["alice-agent"]["seen_ago"] == 150


@pytest.mark.deadline(180)
def test_a_stream_whose_cable_was_pulled_is_not_shown_for_longer_than_the_edge_waits(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    alone = [str(unshare), "--map-root-user", "--net"]
    if unshare is None or subprocess.run([*alone, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no network of its own can be had here: nothing was pulled")
    command = [*alone, sys.executable, "-m", "tests.cable", str(tmp_path)]
    done = subprocess.run(
        command, cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=False, timeout=170
    )
    assert done.returncode == 0, done.stderr
    assert 0 < float(done.stdout) < SECONDS


def test_those_who_were_there_are_known_after_a_restart() -> None:
    clock, events = Clock(), list[Event]()
    clock.advance(1_700_000_000)
    first = backbone_on(SlowJournal(events), clock)
    first.heard_of(ALICE)
    clock.advance(16)
    settle(first)
    clock.advance(100)
    second = backbone_on(SlowJournal(events), clock)
    (seen,) = result(second.who())
    assert (seen.identity, seen.seen_ago) == (ALICE, 116)


def test_what_is_told_comes_every_fifteen_seconds_at_most_and_only_of_those_who_were_there() -> None:
    clock, journal = Clock(), SlowJournal()
    backbone = backbone_on(journal, clock)
    for _ in range(100):
        backbone.heard_of(ALICE)
        backbone.heard_of(BOB)
        clock.advance(0.1)
    clock.advance(10)
    settle(backbone)
    told = [event for event in journal.events if isinstance(event, Seen)]
    assert [sorted(one.agent.agent_id for one in event.agents) for event in told] == [
        ["alice-agent", "bob-agent"]
    ]
    clock.advance(1000)
    assert sum(isinstance(event, Seen) for event in journal.events) == 1


def test_marks_that_are_lost_are_taken_back_and_not_shown_before_they_are_durable() -> None:
    clock, journal = Clock(), SlowJournal()
    backbone = backbone_on(journal, clock)
    backbone.create_channel("room")
    say(backbone, "q", "bob", "carol")
    settle(backbone)
    lost = [backbone.ack("room", 1, BOB), say(backbone, "a", reply_to=ULID, by=Identity("carol", "carol"))]
    assert states(backbone) == ["sent", "sent"]
    assert len(result(backbone.read_inbox(BOB)).items) == 1
    assert result(backbone.read_inbox(Identity("x", "carol"))).items[0].state == "sent"
    further = say(backbone, "more", "bob")
    for one in (*lost, further):
        one.addErrback(lambda _: None)
    journal.lose()
    journal.refusing = False
    assert states(backbone) == ["sent", "sent"]
    assert len(result(backbone.read_inbox(BOB, everything=True)).items) == 1
    acked = backbone.ack("room", 1, BOB)
    assert states(backbone) == ["sent", "sent"]
    settle(backbone)
    assert result(acked).acked
    assert states(backbone) == ["acked", "sent"]


def test_what_was_said_before_a_log_knew_of_it_is_not_owed() -> None:
    clock, events = Clock(), list[Event]()
    older = backbone_on(SlowJournal(events), clock)
    older.create_channel("room")
    say(older, "before", "bob")
    settle(older)
    events[:] = [event for event in events if not isinstance(event, OwingBegan)]
    newer = backbone_on(SlowJournal(events), clock)
    say(newer, "after", "bob")
    settle(newer)
    assert [item.message.body for item in result(newer.read_inbox(BOB)).items] == ["after"]
    assert result(newer.get_message("room", 1)).receipts == ()
    again = backbone_on(SlowJournal(events), clock)
    assert [item.message.body for item in result(again.read_inbox(BOB)).items] == ["after"]
    assert sum(isinstance(event, OwingBegan) for event in events) == 1


def test_an_ack_with_a_key_is_answered_again() -> None:
    edge = make_edge()
    edge.make_room()
    message = {"type": "note", "msg_id": ULID, "body": "q", "to": ["bob"]}
    edge.ask("POST", "/channels/room/append", message, "tok-alice")
    body, key = {"channel": "room", "cursor": 1}, (("Idempotency-Key", "one"),)
    answers = [edge.ask("POST", "/inbox/ack", body, "tok-bob", key) for _ in range(2)]
    assert [(one.status, one.json) for one in answers] == [(200, {"acked": True})] * 2
    assert edge.ask("POST", "/inbox/ack", {**body, "x": 1}, "tok-bob", key).status == 400
    assert edge.ask("POST", "/inbox/ack", {"channel": "room"}, "tok-bob").code == "invalid_cursor"
    assert edge.ask("POST", "/inbox/ack", body, "tok-carol").code == "forbidden"
    assert edge.ask("POST", "/inbox/ack", body).code == "unauthorized"
    assert edge.ask("GET", "/inbox").code == "unauthorized"
    assert edge.ask("GET", "/whoami").code == "unauthorized"


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("POST", "/channels/room/read", {"cursor": 0}),
        ("GET", "/feed?room=room:0", None),
        ("GET", "/inbox", None),
        ("GET", "/channels/room/messages/1", None),
    ],
)
def test_whatever_shows_a_message_serves_it(method: str, target: str, body: object) -> None:
    edge = make_edge()
    edge.make_room()
    message = {"type": "note", "msg_id": ULID, "body": "q", "to": ["bob"]}
    edge.ask("POST", "/channels/room/append", message, "tok-alice")
    others = ("tok-alice", None) if target != "/inbox" else ("tok-alice",)
    for token in others:
        edge.ask(method, target, body, token)
        assert state_of(edge) == "sent"
    edge.ask(method, target, body, "tok-bob")
    assert state_of(edge) == "served"


@pytest.mark.parametrize("target", ["/feed?room=room", "/feed", "/channels/room/stream", "/feed?room=room:0"])
def test_a_stream_serves_what_it_shows(target: str) -> None:
    edge = make_edge()
    edge.make_room()
    reader = open_stream(edge, target, "tok-bob")
    open_stream(edge, target, "tok-carol")
    reader.channel.pauseProducing()
    message = {"type": "note", "msg_id": ULID, "body": "q", "to": ["bob"]}
    edge.ask("POST", "/channels/room/append", message, "tok-alice")
    edge.clock.advance(0)
    assert state_of(edge) == "sent"
    reader.channel.resumeProducing()
    edge.clock.advance(0)
    assert state_of(edge) == "served"


def state_of(edge: Edge) -> str:
    told = edge.ask("GET", "/channels/room/messages/1").json
    (receipt,) = told["receipts"]
    return str(receipt["state"])


def test_a_channel_that_is_not_durable_is_none_that_was_asked_about() -> None:
    clock, journal = Clock(), SlowJournal()
    backbone = backbone_on(journal, clock)
    backbone.create_channel("ghost")
    backbone.heard_of(ALICE, "ghost")
    assert result(backbone.who())[0].channels == ()


def test_each_owner_who_wrote_is_known_and_only_once_that_is_durable() -> None:
    clock, journal = Clock(), SlowJournal()
    backbone = backbone_on(journal, clock)
    backbone.create_channel("room")
    say(backbone, "q", "dora", "erik", "bot")
    settle(backbone)
    assert result(backbone.get_message("room", 1)).unreachable == ("dora", "erik", "bot")
    say(backbone, "mine", by=Identity("bot", "dora"))
    settle(backbone)
    say(backbone, "mine too", by=Identity("bot", "erik")).addErrback(lambda _: None)
    assert result(backbone.get_message("room", 1)).unreachable == ("erik",)
    journal.lose()
    journal.refusing = False
    say(backbone, "mine again", by=Identity("bot", "erik"))
    assert result(backbone.get_message("room", 1)).unreachable == ("erik",)
    settle(backbone)
    assert result(backbone.get_message("room", 1)).unreachable == ()


def test_what_is_closed_is_not_looked_at_again() -> None:
    clock, journal = Clock(), SlowJournal()
    backbone = backbone_on(journal, clock)
    backbone.create_channel("room")
    for number in range(5):
        say(backbone, f"q{number}", "bob")
    settle(backbone)
    for cursor in (1, 2, 4):
        backbone.ack("room", cursor, BOB)
    assert len(result(backbone.read_inbox(BOB)).items) == 5
    settle(backbone)
    for _ in range(2):
        assert [item.message.body for item in result(backbone.read_inbox(BOB)).items] == ["q2", "q4"]
    inbox = backbone._core.state.receipts.inboxes["bob"]
    assert inbox.first_open(journal.durable) == 2


def backbone_on(journal: IJournal, clock: Clock) -> Backbone:
    backbone = Backbone(journal, clock, Limits(max_posts_per_minute=1000))
    backbone.replay()
    backbone.begin_run()
    settle(backbone)
    return backbone


def settle(backbone: Backbone) -> None:
    if not isinstance(backbone.journal, MemoryJournal):
        backbone.journal.sync()  # type: ignore[attr-defined]


def say(
    backbone: Backbone, body: str, *to: str, by: Identity = ALICE, reply_to: str | None = None
) -> Deferred[Any]:
    message = Message(
        "note", body, agent_id=by.agent_id, owner=by.owner, to=to or None, msg_id=ULID, reply_to=reply_to
    )
    return backbone.append("room", message)


def states(backbone: Backbone) -> list[str]:
    return [one.state for one in result(backbone.get_message("room", 1)).receipts]


def result(operation: Deferred[Any]) -> Any:
    found: list[Any] = []
    operation.addBoth(found.append)
    if isinstance(found[0], Failure):
        found[0].raiseException()
    return found[0]


def test_that_a_session_was_told_is_taken_back_where_it_is_lost() -> None:
    clock, journal = Clock(), SlowJournal()
    backbone = backbone_on(journal, clock)
    backbone.create_channel("room")
    settle(backbone)
    first = result(backbone.read_feed(("room",))).since
    backbone.note_told(BOB, "one", "room", first)
    say(backbone, "q")
    settle(backbone)
    then = result(backbone.read_feed(("room",))).since
    for session in ("one", "two"):
        backbone.note_told(BOB, session, "room", then).addErrback(lambda _: None)
    assert result(backbone.told_up_to(BOB, "one", "room")) == then
    journal.lose()
    journal.refusing = False
    assert result(backbone.told_up_to(BOB, "one", "room")) == first
    assert result(backbone.told_up_to(BOB, "two", "room")) is None
