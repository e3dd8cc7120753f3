"""Streams of much: read over turns of the reactor, by readers who take little, or leave."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from caucus.core.backbone import Backbone
from caucus.journals.memory import MemoryJournal
from caucus.limits import Limits
from tests.journals import SlowJournal
from tests.raw import Edge, make_edge
from tests.test_stream import ROOMY, Listener, post


@pytest.fixture
def edge() -> Edge:
    opened = make_edge(**ROOMY)
    opened.make_room()
    return opened


def test_a_long_log_is_read_over_turns_of_the_reactor_and_others_are_answered_in_between(edge: Edge) -> None:
    post(edge, *map(str, range(1000)))
    listener = Listener(edge, "?since=0")
    read = listener.bodies(turn=False)
    assert len(read) == 100
    post(edge, "new")
    assert read + listener.bodies() == [*map(str, range(1000)), "new"]


def test_a_reader_of_long_messages_that_reads_none_is_sent_one_slice(edge: Edge) -> None:
    post(edge, *(str(number) + "x" * 15_000 for number in range(20)))
    peer = edge.connect()
    peer.transport.pause_after = 0
    peer.send(b"GET /channels/room/stream?since=0 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    peer.channel.resumeProducing()
    for _ in range(5):
        edge.clock.advance(0)
    assert len(peer.transport.value()) < 65_536 + 16_000


def test_what_becomes_readable_at_once_is_sent_over_turns_too() -> None:
    clock = Clock()
    journal = SlowJournal()
    backbone = Backbone(journal, clock, Limits(**ROOMY))
    edge = make_edge(backbone=backbone, clock=clock, **ROOMY)
    backbone.create_channel("room")
    journal.sync()
    listener = Listener(edge)
    post(edge, *map(str, range(250)))
    assert listener.bodies() == []
    journal.sync()
    read = listener.bodies(turn=False)
    assert read == []
    for count in (100, 200, 250):
        _turn(clock)
        read += listener.bodies(turn=False)
        assert read == [*map(str, range(count))]


def _turn(clock: Clock) -> None:
    """What is due now, and not what becomes due by that: as a reactor's turn, and unlike ``advance``."""
    for call in [one for one in clock.calls if one.getTime() <= clock.seconds()]:
        clock.calls.remove(call)
        call.called = 1
        call.func(*call.args, **call.kw)


@pytest.mark.parametrize(
    ("query", "headers", "comment"),
    [
        ("?since=" + "0" * 5000, "", b": from 0 on"),
        ("", f"Last-Event-ID: {'0' * 5000}1\r\n", b": resumed from 1 on"),
        ("", f"Last-Event-ID: {'9' * 5000}\r\n", b": the last event is not known here; from 0 on"),
    ],
)
def test_zeros_in_front_of_a_cursor_are_nothing(edge: Edge, query: str, headers: str, comment: bytes) -> None:
    post(edge, "a")
    listener = Listener(edge, query, headers)
    assert listener.status == 200
    assert listener.take().startswith(comment)


def test_a_reader_who_left_while_the_backbone_was_asked_takes_no_place() -> None:
    clock = Clock()
    asked: list[Deferred[int]] = []

    class Slow(Backbone):
        def subscribe(self, channel: str) -> Deferred[int]:
            asked.append(Deferred())
            return asked[-1]

    backbone = Slow(MemoryJournal(), clock)
    backbone.create_channel("room")
    edge = make_edge(backbone=backbone, clock=clock, max_streams=1)
    for _ in range(3):
        peer = edge.connect()
        peer.send(b"GET /channels/room/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        peer.lose()
        asked[-1].callback(0)
    peer = edge.connect()
    peer.send(b"GET /channels/room/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    asked[-1].callback(0)
    assert peer.transport.value().startswith(b"HTTP/1.1 200 ")
    peer.lose()


def test_a_feed_whose_last_reader_has_gone_reads_no_more() -> None:
    clock = Clock()
    journal = SlowJournal()
    backbone = Backbone(journal, clock, Limits(**ROOMY))
    edge = make_edge(backbone=backbone, clock=clock, **ROOMY)
    backbone.create_channel("room")
    journal.sync()
    listener = Listener(edge)
    post(edge, *map(str, range(1000)))
    journal.sync()
    listener.peer.lose()
    looks: list[int] = []
    backbone.look = lambda *given: looks.append(1)  # type: ignore[method-assign,assignment]
    clock.advance(0)
    assert looks == []
