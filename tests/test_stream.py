"""The live stream: frames in the same turn, resumption, slow readers, and the end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from caucus.core.backbone import Backbone
from caucus.errors import OutcomeUnknown
from caucus.limits import Limits
from caucus.model.messages import Message
from tests.journals import SlowJournal
from tests.raw import Edge, Peer, make_edge

ROOMY: dict[str, Any] = {"max_posts_per_minute": 10**6, "max_messages_per_channel": 10**6}


@pytest.fixture
def edge() -> Edge:
    opened = make_edge(**ROOMY)
    opened.make_room()
    return opened


def post(edge: Edge, *bodies: str) -> None:
    for body in bodies:
        message = Message("note", body, agent_id="a", owner="o")
        edge.backbone.append("room", message).addErrback(lambda failure: failure.raiseException())


class Listener:
    """A peer that has opened a stream."""

    def __init__(
        self, edge: Edge, query: str = "", headers: str = "", channel: str = "room", version: str = "1.1"
    ) -> None:
        self.clock = edge.clock
        self.peer: Peer = edge.connect()
        target = f"/channels/{channel}/stream{query}"
        self.peer.send(f"GET {target} HTTP/{version}\r\nHost: localhost\r\n{headers}\r\n".encode())
        data = self.peer.transport.value()
        self.head, _, rest = data.partition(b"\r\n\r\n")
        self.peer.transport.clear()
        self.chunked = b"Transfer-Encoding: chunked" in self.head
        self.text = self.unchunk(rest) if self.status == 200 else rest

    @property
    def status(self) -> int:
        return int(self.head.split(b" ")[1])

    def unchunk(self, data: bytes) -> bytes:
        text = b""
        while self.chunked and data:
            size, _, data = data.partition(b"\r\n")
            text += data[: int(size, 16)]
            data = data[int(size, 16) + 2 :]
        return text if self.chunked else data

    def take(self, *, turn: bool = True) -> bytes:
        """What has come since the last look, once the ``turn`` is over."""
        if turn:
            self.clock.advance(0)
        text, self.text = self.text + self.unchunk(self.peer.transport.value()), b""
        self.peer.transport.clear()
        return text

    def events(self, *, turn: bool = True) -> list[tuple[int, Any]]:
        """Ids and messages since the last look."""
        found = []
        for frame in self.take(turn=turn).decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in frame.splitlines() if not line.startswith(":"))
            if fields:
                found.append((int(fields["id"]), json.loads(fields["data"])))
        return found

    def bodies(self, *, turn: bool = True) -> list[str]:
        return [message["body"] for _, message in self.events(turn=turn)]

    def pause(self) -> None:
        """As the transport does when it can take no more."""
        self.peer.channel.pauseProducing()

    def resume(self) -> None:
        self.peer.channel.resumeProducing()


def test_a_stream_opens_with_a_comment_and_says_what_it_is(edge: Edge) -> None:
    listener = Listener(edge)
    headers = listener.head.lower()
    for line in (
        b"text/event-stream; charset=utf-8",
        b"cache-control: no-cache, no-transform",
        b"x-accel-buffering: no",
    ):
        assert line in headers
    assert listener.take() == b": from the head on\n\n"


def test_a_frame_is_pushed_as_soon_as_its_writer_is_answered(edge: Edge) -> None:
    post(edge, "before")
    listener = Listener(edge)
    post(edge, "one")
    assert listener.peer.transport.value() == b""
    read = edge.ask("POST", "/channels/room/read", {"cursor": 1}).body
    data = read[len(b'{"messages":[') : -len(b'],"cursor":2}')]
    assert listener.take() == b": from the head on\n\nid: 2\ndata: " + data + b"\n\n"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?since=0", ["a", "b", "c"]),
        ("?since=2&since=x", ["c"]),
        ("?since=3", []),
        ("?since=" + "0" * 30 + "2", ["c"]),
        ("?x=1&since=%31", ["b", "c"]),
    ],
)
def test_a_stream_replays_from_since_and_goes_on(edge: Edge, query: str, expected: list[str]) -> None:
    post(edge, "a", "b", "c")
    listener = Listener(edge, query)
    assert listener.bodies() == expected
    post(edge, "d")
    assert listener.events()[0][0] == 4


@pytest.mark.parametrize("since", ["x", "", "-1", "1.5", "٣", "+1", "9007199254740992", "1" * 100])
def test_a_malformed_since_is_refused_before_the_channel(edge: Edge, since: str) -> None:
    from urllib.parse import quote  # noqa: PLC0415

    answer = edge.ask("GET", f"/channels/nowhere/stream?since={quote(since)}")
    assert answer.code == "invalid_request"


def test_a_since_beyond_the_head_is_refused(edge: Edge) -> None:
    assert edge.ask("GET", "/channels/room/stream?since=1").code == "invalid_cursor"
    assert edge.ask("GET", "/channels/nowhere/stream?since=1").code == "unknown_channel"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD"])
def test_a_stream_takes_get_only(edge: Edge, method: str) -> None:
    answer = edge.ask(method, "/channels/room/stream", b"{")
    assert (answer.status, answer.headers["allow"]) == (405, "GET")


def test_last_event_id_resumes_and_wins_over_since(edge: Edge) -> None:
    post(edge, "a", "b", "c")
    listener = Listener(edge, "?since=0", "Last-Event-ID: 2\r\n")
    assert listener.bodies() == ["c"]
    assert Listener(edge, "?since=x", "Last-Event-ID: 3\r\n").take() == b": resumed from 3 on\n\n"


@pytest.mark.parametrize("last", ["x", "-1", "4", "1" * 30])
def test_a_last_event_id_that_is_not_known_starts_at_the_beginning(edge: Edge, last: str) -> None:
    post(edge, "a", "b", "c")
    listener = Listener(edge, "", f"Last-Event-ID: {last}\r\n")
    assert listener.text.startswith(b": the last event is not known here; from 0 on\n\n")
    assert listener.bodies() == ["a", "b", "c"]


def test_a_long_log_is_replayed_whole_and_in_order() -> None:
    edge = make_edge(max_read_limit=7, **ROOMY)
    edge.make_room()
    post(edge, *(f"m{number}" for number in range(100)))
    listener = Listener(edge, "?since=0")
    edge.clock.advance(0)
    assert [cursor for cursor, _ in listener.events()] == list(range(1, 101))


def test_after_fifteen_seconds_of_quiet_a_comment_keeps_it_alive(edge: Edge) -> None:
    listener = Listener(edge)
    listener.take()
    edge.clock.advance(10)
    post(edge, "noise")
    listener.take()
    edge.clock.advance(14.9)
    assert listener.take() == b""
    edge.clock.advance(0.1)
    assert listener.take() == b": keep-alive\n\n"
    for _ in range(4):
        edge.clock.advance(15)
    assert listener.take() == b": keep-alive\n\n" * 4


def test_a_paused_reader_catches_up_when_it_reads_again(edge: Edge) -> None:
    slow, quick = Listener(edge), Listener(edge)
    slow.pause()
    post(edge, "a", "b")
    assert (slow.bodies(), quick.bodies()) == ([], ["a", "b"])
    slow.resume()
    post(edge, "c")
    assert (slow.bodies(), quick.bodies()) == (["a", "b", "c"], ["c"])


def test_a_reader_too_far_behind_is_dropped_and_the_others_go_on() -> None:
    edge = make_edge(max_stream_buffer_bytes=2000, **ROOMY)
    edge.make_room()
    slow, quick = Listener(edge), Listener(edge)
    slow.pause()
    post(edge, *(str(number) * 100 for number in range(4)))
    edge.clock.advance(0)
    assert not slow.peer.closed
    post(edge, "x" * 1000)
    edge.clock.advance(0)
    assert slow.peer.transport.aborted
    slow.peer.lose()
    assert len(quick.bodies()) == 5
    post(edge, "y")
    assert quick.bodies() == ["y"]


def test_only_what_is_new_counts_against_a_slow_reader() -> None:
    edge = make_edge(max_stream_buffer_bytes=2000, **ROOMY)
    edge.make_room()
    post(edge, *(f"old {number}" for number in range(100)))
    slow = Listener(edge, "?since=0")
    slow.pause()
    post(edge, "new")
    assert not slow.peer.closed
    slow.resume()
    edge.clock.advance(0)
    assert slow.bodies()[-1] == "new"


def test_a_reader_that_takes_nothing_is_dropped_even_in_a_quiet_channel(edge: Edge) -> None:
    listener = Listener(edge)
    listener.pause()
    edge.clock.advance(29)
    assert not listener.peer.closed
    listener.resume()
    listener.pause()
    edge.clock.advance(29)
    assert not listener.peer.closed
    edge.clock.advance(1)
    assert listener.peer.transport.aborted


def test_only_so_many_streams_are_open_and_a_slot_is_free_at_once() -> None:
    edge = make_edge(max_streams=2)
    edge.make_room()
    first, _second = Listener(edge), Listener(edge)
    refused = Listener(edge)
    assert (refused.status, json.loads(refused.text)["error"]["code"]) == (503, "stream_capacity")
    assert edge.ask("GET", "/channels/room/stream?since=9").code == "invalid_cursor"
    first.peer.lose()
    assert Listener(edge).status == 200


def test_a_stream_in_http_1_0_has_no_chunks(edge: Edge) -> None:
    listener = Listener(edge, version="1.0")
    post(edge, "a")
    assert not listener.chunked
    assert listener.bodies() == ["a"]


def test_open_streams_have_no_deadline_and_leave_nothing_behind(edge: Edge) -> None:
    listener = Listener(edge)
    for _ in range(40):
        edge.clock.advance(15)
    assert not listener.peer.closed
    listener.peer.lose()
    edge.site.access.flush()
    assert edge.clock.getDelayedCalls() == []
    post(edge, "a")


def test_messages_show_on_a_stream_once_they_are_durable() -> None:
    clock, journal = Clock(), SlowJournal()
    backbone = Backbone(journal, clock, Limits(max_posts_per_minute=100))
    backbone.create_channel("room")
    journal.sync()
    edge = make_edge(backbone=backbone)
    listener = Listener(edge)
    post(edge, "a", "b", "c")
    assert listener.bodies() == []
    journal.sync(3)
    assert listener.bodies() == ["a", "b"]
    journal.sync()
    assert listener.bodies() == ["c"]


def test_a_message_that_the_journal_loses_never_shows(edge: Edge) -> None:
    journal = SlowJournal()
    backbone = Backbone(journal, Clock(), Limits())
    backbone.create_channel("room")
    journal.sync()
    edge = make_edge(backbone=backbone)
    listener = Listener(edge)
    message = Message("note", "lost", agent_id="a", owner="o")
    lost = backbone.append("room", message)
    journal.lose()
    lost.addErrback(lambda failure: None)
    assert listener.bodies() == []


def test_a_stream_that_is_opened_during_a_commit_shows_what_it_brings() -> None:
    journal = SlowJournal()
    backbone = Backbone(journal, Clock(), Limits(max_posts_per_minute=100))
    backbone.create_channel("room")
    journal.sync()
    edge = make_edge(backbone=backbone)
    post(edge, "a", "b")
    listener = Listener(edge)
    journal.sync(2)
    assert listener.bodies() == ["a"]
    journal.sync()
    assert listener.bodies() == ["b"]


def test_a_message_that_is_found_after_its_waits_were_given_up_shows() -> None:
    journal = SlowJournal()
    backbone = Backbone(journal, Clock(), Limits())
    backbone.replay()
    backbone.create_channel("room")
    journal.sync()
    edge = make_edge(backbone=backbone)
    listener = Listener(edge)
    posting = backbone.append("room", Message("note", "found", agent_id="a", owner="o"))
    posting.addErrback(lambda failure: failure.trap(OutcomeUnknown))
    journal.give_up()
    assert listener.bodies() == []
    journal.lose(kept=4)
    assert listener.bodies() == ["found"]


def test_a_backbone_that_fails_to_answer_ends_the_streams_so_that_readers_come_back(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, logged_failures: list[Failure]
) -> None:
    listener = Listener(edge)

    def broken(*_given: object) -> None:
        raise RuntimeError("lost it")

    monkeypatch.setattr(edge.backbone, "look", broken)
    post(edge, "a")
    edge.clock.advance(0)
    assert listener.peer.transport.value().endswith(b"0\r\n\r\n")
    assert [failure.type for failure in logged_failures] == [RuntimeError]
    logged_failures.clear()
    assert edge.ask("GET", "/healthz").status == 200


def test_a_reader_that_joins_while_another_replays_misses_nothing(edge: Edge) -> None:
    post(edge, "a", "b")
    early = Listener(edge, "?since=0")
    early.pause()
    late = Listener(edge, "?since=1")
    post(edge, "c")
    early.resume()
    post(edge, "d")
    assert early.bodies() == ["a", "b", "c", "d"]
    assert late.bodies() == ["b", "c", "d"]


def test_a_backbone_that_cannot_be_watched_has_no_streams() -> None:
    from zope.interface import implementer  # noqa: PLC0415

    from caucus.interfaces import IBackbone  # noqa: PLC0415

    inner = Backbone(SlowJournal(), Clock())

    @implementer(IBackbone)
    class Plain:
        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

    plain: Any = Plain()
    inner.create_channel("room")
    inner.journal.sync()  # type: ignore[attr-defined]
    assert make_edge(backbone=plain).ask("GET", "/channels/room/stream").code == "not_found"
