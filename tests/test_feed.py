"""The live feed: frames of many channels on one connection, positions, and who reads slowly."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from caucus.core.backbone import Backbone
from caucus.errors import StorageUnavailable
from caucus.limits import Limits
from caucus.model.events import RunBegan
from caucus.model.messages import Message
from caucus.rules.runs import MOST
from caucus.testing.shared import SharedLog
from tests.journals import SlowJournal
from tests.raw import Edge, Peer, make_edge

ROOMY: dict[str, Any] = {"max_posts_per_minute": 10**6, "max_messages_per_channel": 10**6}
ROOMS = ("room", "ops", "dev")


@pytest.fixture
def edge() -> Edge:
    return edge_with_rooms()


def edge_with_rooms(**limits: int) -> Edge:
    opened = make_edge(**{**ROOMY, **limits})
    for channel in ROOMS:
        opened.backbone.create_channel(channel)
    return opened


def post(edge: Edge, *posts: str) -> None:
    """Append messages, each given as ``channel body``."""
    for one in posts:
        channel, _, body = one.partition(" ")
        message = Message("note", body, agent_id="a", owner="o")
        edge.backbone.append(channel, message).addErrback(lambda failure: failure.raiseException())
    edge.clock.advance(0)


class Listener:
    """A peer that has opened a feed."""

    def __init__(self, edge: Edge, query: str = "", *headers: str) -> None:
        self.peer: Peer = edge.connect()
        lines = [
            f"GET /feed{query} HTTP/1.1",
            "Host: localhost",
            "Accept: text/event-stream",
            *headers,
            "",
            "",
        ]
        self.peer.send("\r\n".join(lines).encode())
        self.head, _, rest = self.peer.transport.value().partition(b"\r\n\r\n")
        self.peer.transport.clear()
        self.status = int(self.head.split(b" ")[1])
        self.text = unchunked(rest) if self.status == 200 else rest
        self.position = ""

    def take(self) -> bytes:
        """What has come since the last look."""
        text, self.text = self.text + unchunked(self.peer.transport.value()), b""
        self.peer.transport.clear()
        return text

    def events(self) -> list[dict[str, Any]]:
        """The events since the last look."""
        found = []
        for frame in self.take().decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in frame.splitlines() if not line.startswith(":"))
            self.position = fields.get("id", self.position)
            if "data" in fields:
                event = json.loads(fields["data"])
                assert ("reset" in event) == (fields.get("event") == "reset")
                found.append(event)
        return found

    def told(self) -> list[str]:
        """The messages since the last look, as ``channel body``; of other events what they have."""
        return [
            f"{one['channel']} {one['message']['body']}" if "message" in one else " ".join(sorted(one))
            for one in self.events()
        ]


def unchunked(data: bytes) -> bytes:
    text = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        text += data[: int(size, 16)]
        data = data[int(size, 16) + 2 :]
    return text


def test_a_feed_opens_with_its_position_and_says_what_it_is(edge: Edge) -> None:
    listener = Listener(edge, "?room=room")
    for line in (b"text/event-stream; charset=utf-8", b"cache-control: no-cache, no-transform"):
        assert line in listener.head.lower()
    comment, position, *_ = listener.take().split(b"\n")
    assert comment.removeprefix(b": from ").removesuffix(b" on") == position.removeprefix(b"id: ")


def test_a_frame_is_pushed_in_the_turn_after_its_append_to_whoever_reads_the_channel(edge: Edge) -> None:
    both, all_of_them, other = (Listener(edge, query) for query in ("?room=room&room=ops", "", "?room=dev"))
    post(edge, "room one", "ops two")
    assert both.told() == all_of_them.told() == ["room one", "ops two"]
    assert other.told() == []
    post(edge, "dev three")
    assert (both.told(), all_of_them.told(), other.told()) == ([], ["dev three"], ["dev three"])


def test_the_cursor_of_a_message_is_what_append_answered(edge: Edge) -> None:
    post(edge, "room one")
    listener = Listener(edge, "?room=room")
    post(edge, "room two")
    (event,) = listener.events()
    assert event["cursor"] == 2
    assert edge.ask("POST", "/channels/room/read", {"cursor": 2}).json["messages"] == []


@pytest.mark.parametrize("header", [True, False])
def test_a_feed_goes_on_after_its_position(edge: Edge, header: bool) -> None:
    first = Listener(edge, "?room=room&room=ops")
    post(edge, "room a", "ops b")
    assert first.told() == ["room a", "ops b"]
    first.peer.lose()
    post(edge, "ops c", "dev d", "room e")
    resumed = [f"Last-Event-ID: {first.position}"] if header else []
    query = "&since=x" if header else f"&since={first.position}"
    second = Listener(edge, f"?room=room&room=ops{query}", *resumed)
    assert second.told() == ["ops c", "room e"]
    post(edge, "room f")
    assert second.told() == ["room f"]


def test_rooms_that_begin_behind_catch_up_and_may_be_resumed_in_the_middle() -> None:
    edge = edge_with_rooms(max_read_limit=1)
    post(edge, *(f"{channel} {number}" for number in range(3) for channel in ROOMS))
    whole = Listener(edge, "?room=room:1&room=ops:0&room=dev")
    for _ in range(10):
        edge.clock.advance(0)
    expected = ["ops 0", "room 1", "ops 1", "room 2", "ops 2"]
    text = whole.take()
    frames = [frame for frame in text.decode().split("\n\n") if "data" in frame]
    assert [json.loads(frame.partition("data: ")[2])["message"]["body"] for frame in frames] == list("01122")
    for number, frame in enumerate(frames):
        position = frame.removeprefix("id: ").partition("\n")[0]
        later = Listener(edge, "?room=room&room=ops&room=dev", f"Last-Event-ID: {position}")
        for _ in range(10):
            edge.clock.advance(0)
        assert later.told() == expected[number + 1 :]
        later.peer.lose()


@pytest.mark.parametrize("last", ["x", "0@0", "é", "1" * 300])
def test_a_position_that_is_not_known_is_told_and_begins_anew(edge: Edge, last: str) -> None:
    post(edge, "room a", "ops b")
    listener = Listener(edge, "?room=room&room=ops", f"Last-Event-ID: {last}")
    reset, *_ = listener.events()
    assert sorted(reset["reset"]) == ["ops", "room"]
    again = Listener(edge, "?room=room&room=ops", f"Last-Event-ID: {listener.position}")
    assert again.told() == []


def test_a_feed_of_all_tells_of_new_channels(edge: Edge) -> None:
    listener, named = Listener(edge), Listener(edge, "?room=room")
    edge.backbone.create_channel("later")
    post(edge, "later hello")
    made, said = listener.events()
    assert (made["created"]["channel"], said["message"]["body"]) == ("later", "hello")
    assert named.events() == []


def test_what_cannot_be_fed_is_refused(edge: Edge) -> None:
    for query, status in (("?room=BAD", 400), ("?room=nowhere", 404), ("?room=room:x", 400)):
        assert Listener(edge, query).status == status
    assert edge.ask("POST", "/feed", b"").status == 405
    assert edge.ask("GET", "/feed?limit=x").code == "invalid_request"
    assert edge.ask("GET", "/feed?wait=x").code == "invalid_request"
    assert edge.ask("GET", "/feed?room=%ff").code == "invalid_request"


def test_an_empty_parameter_is_none(edge: Edge) -> None:
    post(edge, "room a")
    assert edge.ask("GET", "/feed?room=room&since=&wait=&limit=").json["events"] == []


def test_feeds_and_streams_share_their_cap() -> None:
    edge = edge_with_rooms(max_streams=2)
    first = Listener(edge)
    edge.connect().send(b"GET /channels/room/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    refused = Listener(edge)
    assert (refused.status, json.loads(refused.text)["error"]["code"]) == (503, "stream_capacity")
    first.peer.lose()
    assert Listener(edge).status == 200


def test_each_reader_is_kept_alive_after_fifteen_quiet_seconds_of_its_own(edge: Edge) -> None:
    busy, quiet = Listener(edge, "?room=room"), Listener(edge, "?room=ops")
    busy.take()
    quiet.take()
    edge.clock.advance(10)
    post(edge, "room noise")
    busy.take()
    edge.clock.advance(5)
    assert (busy.take(), quiet.take()) == (b"", b": keep-alive\n\n")
    edge.clock.advance(10)
    assert (busy.take(), quiet.take()) == (b": keep-alive\n\n", b"")
    edge.clock.advance(15)
    edge.clock.advance(15)
    assert (busy.take(), quiet.take()) == (b": keep-alive\n\n" * 2, b": keep-alive\n\n" * 2)


def test_a_paused_reader_catches_up_when_it_reads_again(edge: Edge) -> None:
    slow, quick = Listener(edge, "?room=room&room=ops"), Listener(edge, "?room=room&room=ops")
    slow.peer.channel.pauseProducing()
    post(edge, "room a", "dev b", "ops c")
    assert (slow.told(), quick.told()) == ([], ["room a", "ops c"])
    slow.peer.channel.resumeProducing()
    post(edge, "room d")
    assert (slow.told(), quick.told()) == (["room a", "ops c", "room d"], ["room d"])


def test_a_reader_that_was_paused_and_missed_nothing_gets_nothing_again(edge: Edge) -> None:
    listener = Listener(edge, "?room=room:0")
    post(edge, "room a", "room b")
    assert listener.told() == ["room a", "room b"]
    listener.peer.channel.pauseProducing()
    post(edge, "ops elsewhere")
    listener.peer.channel.resumeProducing()
    post(edge, "room c")
    assert listener.told() == ["room c"]


def test_a_reader_too_far_behind_is_dropped_and_the_others_go_on() -> None:
    edge = edge_with_rooms(max_stream_buffer_bytes=2000)
    slow, quick = Listener(edge, "?room=room"), Listener(edge)
    slow.peer.channel.pauseProducing()
    post(edge, *(f"dev {number}{'x' * 100}" for number in range(30)))
    assert not slow.peer.closed
    post(edge, *(f"room {number}{'x' * 500}" for number in range(4)))
    assert slow.peer.transport.aborted
    slow.peer.lose()
    assert len(quick.told()) == 34


def test_a_long_log_is_read_over_turns_and_what_is_new_comes_after_it(edge: Edge) -> None:
    post(edge, *(f"{ROOMS[number % 3]} {number}" for number in range(1000)))
    listener = Listener(edge, "?room=room:0&room=ops:0&room=dev:0")
    read = listener.told()
    assert len(read) == 100
    post(edge, "room new")
    for _ in range(12):
        edge.clock.advance(0)
    assert [one.partition(" ")[2] for one in read + listener.told()] == [*map(str, range(1000)), "new"]


def test_what_becomes_readable_at_once_is_sent_over_turns_and_nothing_comes_twice() -> None:
    clock, journal = Clock(), SlowJournal()
    backbone = Backbone(journal, clock, Limits(**ROOMY))
    edge = make_edge(backbone=backbone, clock=clock, **ROOMY)
    for channel in ROOMS:
        backbone.create_channel(channel)
    journal.sync()
    early = Listener(edge, "?room=room&room=ops")
    post(edge, *(f"{ROOMS[number % 2]} {number}" for number in range(250)))
    assert early.told() == []
    journal.sync()
    late = Listener(edge, "?room=room:0")  # before the frames for the others are made
    for _ in range(5):
        clock.advance(0)
    assert [one.partition(" ")[2] for one in early.told()] == [*map(str, range(250))]
    assert late.told() == [f"room {number}" for number in range(0, 250, 2)]


def test_readers_leave_nothing_behind(edge: Edge) -> None:
    listeners = [Listener(edge), Listener(edge, "?room=room&room=ops"), Listener(edge, "?room=room")]
    for one in listeners:
        one.peer.lose()
    edge.site.access.flush()
    assert edge.clock.getDelayedCalls() == []
    backbone: Any = edge.backbone
    assert backbone._core.feeds._watchers == {}
    post(edge, "room a")
    assert Listener(edge, "?room=room:0").told() == ["room a"]


def test_a_feed_that_fails_ends_so_that_its_readers_come_back(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, logged_failures: list[Failure]
) -> None:
    listener = Listener(edge)

    def broken(*_given: object) -> None:
        raise RuntimeError("lost it")

    monkeypatch.setattr(edge.backbone, "look_on", broken)
    post(edge, "room a")
    assert listener.peer.transport.value().endswith(b"0\r\n\r\n")
    assert [failure.type for failure in logged_failures] == [RuntimeError]
    logged_failures.clear()


def test_one_that_resumes_is_open_and_silent_until_it_is_known_what_is_durable() -> None:
    clock = Clock()
    log = SharedLog(clock, 1)
    mine, others = Backbone(log.journal(), clock), Backbone(log.journal(), clock)
    for one in (mine, others):
        one.replay()
    edge = make_edge(backbone=mine, clock=clock)
    others.create_channel("room")
    log.run()
    finish(mine.subscribe("room"), log)
    finish(others.append("room", Message("note", "one", agent_id="a", owner="o")), log)
    position = finish(others.read_feed(("room",)), log).since
    finish(others.append("room", Message("note", "two", agent_id="a", owner="o")), log)
    known = finish(others.read_feed(("room",)), log).since
    for query, header, told in (
        ("/feed?room=room", f"Last-Event-ID: {position}", ["two"]),
        ("/feed?room=room", f"Last-Event-ID: {known}", []),
        ("/channels/room/stream", "Last-Event-ID: 1", ["two"]),
        ("/channels/room/stream", "Last-Event-ID: 2", []),
    ):
        peer = edge.connect()
        head = f"GET {query} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n{header}\r\n\r\n"
        peer.send(head.encode())
        opened, _, text = peer.transport.value().partition(b"\r\n\r\n")
        assert opened.startswith(b"HTTP/1.1 200 ")
        assert unchunked(text) == b": where you were is looked up\n\n"
        peer.transport.clear()
        finish(mine.subscribe("room"), log)
        text = unchunked(peer.transport.value())
        assert b"reset" not in text
        assert b"not known" not in text
        frames = [frame for frame in text.split(b"\n\n") if b"data: " in frame]
        assert len(frames) == len(told)
        peer.lose()


def test_cancelling_whoever_iterates_in_process_ends_the_wait() -> None:
    backbone = Backbone(SlowJournal(), Clock())
    waiting = Deferred.fromCoroutine(backbone.feed().__anext__())
    ended: list[Any] = []
    waiting.addErrback(lambda failure: ended.append(failure.type))
    waiting.cancel()
    assert ended == [CancelledError]
    assert backbone._core.waits == set()


@pytest.mark.parametrize("target", ["/feed?room=room&since=0@1", "/channels/room/stream"])
def test_a_stream_that_cannot_be_opened_keeps_no_place(target: str) -> None:
    edge = edge_with_rooms(max_streams=1)
    backbone: Any = edge.backbone
    read = backbone.journal.read
    for _ in range(3):
        backbone.journal.read = lambda *_given: fail(StorageUnavailable())
        peer = edge.connect()
        given = ["Host: localhost", "Accept: text/event-stream", "Last-Event-ID: 0"]
        peer.send("\r\n".join([f"GET {target} HTTP/1.1", *given, "", ""]).encode())
        peer.lose()
        backbone.journal.read = read
    assert Listener(edge).status == 200


def test_positions_of_forgotten_runs_do_not_loop() -> None:
    edge = edge_with_rooms()
    backbone: Any = edge.backbone
    post(edge, *(f"room {number}" for number in range(150)))

    def begin(core: Any, _key: object, now: float, number: int) -> None:
        core.record(RunBegan(core.clock.instant(now), f"{number}"), now)

    for number in range(MOST + 10):
        backbone._core.write(begin, None, number)
    first = edge.ask("GET", "/feed?room=room&since=x@1").json
    second = edge.ask("GET", f"/feed?room=room&since={first['since']}").json
    assert ("reset" in first, "reset" in second) == (True, False)
    assert len(first["events"] + second["events"]) == 151  # with the channel's beginning


def finish(operation: Deferred[Any], log: SharedLog) -> Any:
    """What an operation over a shared log gives."""
    found: list[Any] = []
    operation.addBoth(found.append)
    log.run()
    if isinstance(found[0], Failure):
        found[0].raiseException()
    return found[0]
