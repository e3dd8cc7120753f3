"""What strangers can take: nothing of a closed connection stays, and what they send at once has bounds."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from zope.interface import directlyProvides, implementer, providedBy

from caucus.core.backbone import Backbone
from caucus.edge import bounds
from tests.journals import SlowJournal
from tests.providers import transport
from tests.raw import GET, POST, READ, Edge, make_edge, refusal

CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
LONG_CHUNK = b"%x\r\n%b\r\n" % (300_000, b"x" * 300_000)
UPLOAD = (
    b"PUT /channels/room/artifacts/%b HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer tok-bob\r\n"
    % (b"0" * 64)
)
MESSAGE = b'{"type": "note", "msg_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "body": "hello"}'
APPEND = b"POST /channels/room/append HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer tok-bob\r\n"


def sized(head: bytes, body: bytes, more: int = 0) -> bytes:
    """A request with a body, and with ``more`` bytes of it still to come."""
    return head + b"Content-Length: %d\r\n\r\n" % (len(body) + more) + body


LEFT_BEHIND: dict[str, Callable[[], list[bytes]]] = {
    "half a head": lambda: [POST + b"X-A: b"],
    "half a body": lambda: [sized(POST, READ, 10)],
    "half a chunk": lambda: [POST + CHUNKED + b"a\r\nxxx"],
    "half an upload": lambda: [sized(UPLOAD, b"x" * 500_000, 10)],
    "a refused body": lambda: [POST + CHUNKED, LONG_CHUNK],
    "a refused upload": lambda: [sized(UPLOAD, b"", 2_000_000)],
    "a refused path": lambda: [sized(POST.replace(b"room", b"%zz"), READ)],
    "a malformed head": lambda: [b"GET / HTTP/1.1\r\nno header\r\n\r\n"],
    "an answered read": lambda: [sized(POST, READ)],
    "a refused read": lambda: [sized(POST, b'{"cursor":9}')],
    "an unknown channel": lambda: [sized(POST.replace(b"room", b"nowhere"), READ)],
    "an unknown route": lambda: [GET.replace(b"/healthz", b"/nothing")],
    "a wrong method": lambda: [GET.replace(b"GET", b"POST")],
    "an append": lambda: [sized(APPEND, MESSAGE)],
    "a refused append": lambda: [sized(APPEND, MESSAGE.replace(b"hello", b""))],
    "a repeated append": lambda: [sized(APPEND, MESSAGE), sized(APPEND, MESSAGE)],
    "a pipeline": lambda: [GET + sized(POST, READ) + GET + sized(POST, READ, 10)],
    "a stream": lambda: [b"GET /channels/room/stream?since=0 HTTP/1.1\r\nHost: localhost\r\n\r\n"],
}


@pytest.fixture
def without_collections() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_collections")
@pytest.mark.parametrize("what", LEFT_BEHIND)
def test_nothing_of_a_closed_connection_outlives_it_by_a_cycle(what: str) -> None:
    edge = make_edge()
    edge.make_room()
    requests = watched_requests(edge)
    peer = edge.connect()
    connection = weakref.ref(peer.channel)
    for data in LEFT_BEHIND[what]():
        peer.send(data)
    peer.lose()
    del peer
    assert connection() is None
    assert left_of(requests) == []
    assert edge.site.crowd.arriving == edge.site.crowd.connections == 0


@pytest.mark.usefixtures("without_collections")
@pytest.mark.parametrize("kept", [True, False])
def test_nothing_of_a_request_outlives_it_that_waited_for_the_disk_to_be_refused(kept: bool) -> None:
    journal = SlowJournal()
    clock = Clock()
    edge = make_edge(backbone=Backbone(journal, clock), clock=clock)
    requests = watched_requests(edge)
    peer = edge.connect()
    peer.send(sized(APPEND.replace(b"/room/append", b""), b'{"channel": "room"}'))
    journal.sync()
    peer.send(sized(APPEND, MESSAGE))
    again = edge.connect()
    again.send(sized(APPEND, MESSAGE))
    if kept:
        journal.sync()
    else:
        journal.lose()
    assert [one.status for one in again.answers()] == [409 if kept else 503]
    for one in (peer, again):
        one.lose()
    assert left_of(requests) == []


def watched_requests(edge: Edge) -> list[weakref.ref[object]]:
    """Those that are still there, of all that are made from now on."""
    made: list[weakref.ref[object]] = []
    make: Any = edge.site.requestFactory

    def make_watched(*given: Any) -> Any:
        request = make(*given)
        made.append(weakref.ref(request))
        return request

    directlyProvides(make_watched, providedBy(make))
    edge.site.requestFactory = make_watched  # type: ignore[assignment]
    return made


def left_of(requests: list[weakref.ref[Any]]) -> list[Any]:
    """Those that are still there. Klein keeps a shell, without connection, headers and body."""
    left = [request for request in (one() for one in requests) if request is not None]
    if transport() == "twisted":
        return [one for one in left if not is_shell(one)]
    return left


def is_shell(request: Any) -> bool:
    is_closed = getattr(request, "content", None) is None or request.content.closed
    return (
        is_closed
        and getattr(request, "channel", None) is None
        and not list(request.requestHeaders.getAllRawHeaders())
    )


# Caps


def test_the_connection_over_the_cap_is_closed_at_once_and_the_others_go_on() -> None:
    edge = make_edge(max_connections=2)
    first, second, third = (edge.connect() for _ in range(3))
    assert third.transport.aborted
    assert third.transport.value() == b""
    for peer in (first, second):
        peer.send(GET)
        assert [one.status for one in peer.answers()] == [200]
    third.lose()
    first.lose()
    fourth = edge.connect()
    fourth.send(GET)
    assert [one.status for one in fourth.answers()] == [200]
    assert edge.site.crowd.turned_away == 1


def test_connections_that_are_turned_away_are_told_of_once_a_minute() -> None:
    edge = make_edge(max_connections=1)
    edge.connect()
    with warnings() as lines:
        for _ in range(3):
            edge.connect().lose()
        edge.clock.advance(59)
        edge.connect().lose()
        edge.clock.advance(1)
        edge.connect().lose()
    assert lines == [
        f"1 connections are open (--max-connections): {count} more were closed at once" for count in (1, 4)
    ]


def test_what_arrives_over_all_connections_has_a_cap_and_is_counted_down_again() -> None:
    edge = make_edge(max_arriving_bytes=100)
    edge.make_room()
    first, second = edge.connect(), edge.connect()
    first.send(sized(POST, b" " * 60, more=len(READ)))
    second.send(sized(POST, b" " * 60, more=len(READ)))
    (answer,) = second.answers()
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert answer.json["error"]["code"] == "overloaded"
    assert answer.json["error"]["retry_after"] == 1
    first.send(READ)
    assert [one.status for one in first.answers()] == [200]
    third = edge.connect()
    third.send(sized(POST, b" " * 60, more=len(READ)))
    third.lose()
    fourth = edge.connect()
    fourth.send(sized(POST, b" " * 60, more=len(READ)))
    fourth.send(READ)
    assert [one.status for one in fourth.answers()] == [200]


def test_a_refused_body_counts_no_more_though_its_peer_lingers() -> None:
    edge = make_edge(max_arriving_bytes=300_000)
    slow = edge.connect()
    slow.send(POST + CHUNKED)
    slow.send(LONG_CHUNK)
    assert refusal(slow) == (413, "payload_too_large")
    assert edge.site.crowd.arriving == 0


def test_strangers_take_room_from_strangers_only() -> None:
    edge = make_edge(max_arriving_bytes=150)
    edge.make_room()
    stranger, other, known = (edge.connect() for _ in range(3))
    stranger.send(sized(POST, b" " * 50, more=70))
    other.send(sized(POST, b" " * 50, more=70))
    assert [one.code for one in other.answers()] == ["overloaded"]
    known.send(sized(APPEND, MESSAGE[:30], more=len(MESSAGE) - 30))
    known.send(MESSAGE[30:])
    assert [one.status for one in known.answers()] == [201]


def test_a_body_that_is_alone_or_whole_at_once_is_let_in() -> None:
    edge = make_edge(max_arriving_bytes=100, max_artifact_bytes=1000)
    edge.make_room()
    alone, whole = edge.connect(), edge.connect()
    alone.send(sized(UPLOAD, b"x" * 400, more=100))
    whole.send(sized(APPEND, MESSAGE))
    assert [one.status for one in whole.answers()] == [201]
    alone.send(b"x" * 100)
    assert [one.code for one in alone.answers()] == ["artifact_integrity"]
    assert edge.site.crowd.arriving == 0


def test_what_comes_in_the_segment_of_a_refused_chunk_counts_no_more() -> None:
    edge = make_edge()
    peer = edge.connect()
    peer.send(POST + CHUNKED + LONG_CHUNK + b"%x\r\n%b\r\n" % (50_000, b"x" * 50_000) + b"5\r\nxx")
    assert refusal(peer) == (413, "payload_too_large")
    assert edge.site.crowd.arriving == 0


# Turns


def test_a_pipeliner_has_a_turn_and_then_others_have_theirs() -> None:
    edge = make_edge()
    peer, other = edge.connect(), edge.connect()
    answered: list[int] = []
    edge.clock.callLater(0, lambda: answered.append(len(peer.answers())))
    peer.send(GET * 1000)
    assert len(peer.answers()) <= bounds.TURN + 1
    other.send(GET)
    assert [one.status for one in other.answers()] == [200]
    edge.clock.advance(0)
    assert len(answered) == 1
    assert answered[0] + len(peer.answers()) + bounds.TURN + 1 >= 1000


def test_a_pipeliner_who_sends_no_more_is_answered_all_the_same() -> None:
    edge = make_edge()
    peer = edge.connect()
    peer.send(GET * 100)
    peer.channel.readConnectionLost()
    edge.clock.advance(0)
    assert [one.status for one in peer.answers()] == [200] * 100
    assert peer.closed


def test_a_pipeliner_who_leaves_in_between_leaves_nothing_behind() -> None:
    edge = make_edge()
    peer = edge.connect()
    peer.send(GET * 100)
    peer.lose()
    edge.site.access.flush()
    edge.clock.advance(0)
    assert [call for call in edge.clock.getDelayedCalls() if call.getTime() <= edge.clock.seconds()] == []


def test_what_follows_the_request_of_a_stream_is_nobodys_and_its_end_is_heard() -> None:
    edge = make_edge()
    edge.make_room()
    peer = edge.connect()
    peer.send(b"GET /channels/room/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    for _ in range(20):
        peer.send(b"x" * 8192)
    assert peer.transport.producerState == "producing"
    assert not peer.closed


@contextmanager
def warnings() -> Iterator[list[str]]:
    """What is warned of meanwhile."""
    lines: list[str] = []

    @implementer(ILogObserver)
    def observe(event: LogEvent) -> None:
        if event["log_level"] is LogLevel.warn:
            lines.append(str(formatEvent(event)))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)
