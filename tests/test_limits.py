"""`docs/limits.md` says what bounds everything that lives long: each bound is reached here."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.web.http_headers import _nameEncoder

from caucus import standard
from caucus.answered import KEPT_FOR_A_SCOPE, AnsweredRequests
from caucus.backbone import Backbone
from caucus.errors import MisdirectedRequest, RateLimited, StorageUnavailable
from caucus.exchange import CONNECTIONS, KEEP_SECONDS, Exchange
from caucus.follow import QUEUE_BYTES, QUEUE_MESSAGES, STALL_SECONDS, Follow, _Body
from caucus.journals import sqlite
from caucus.limits import Limits
from caucus.messages import Message
from caucus.records import AnswerPlace, RequestKey
from caucus.seatbelts import _FORGOTTEN_AT_ONCE, Duplicates, RateBudget
from caucus.web import access, bounds, dispatch, door
from caucus.web.outlet import UNSENT
from caucus.web.transport import HELD
from caucus.wire.frames import EVENT_BYTES, SLICE, EventParser, NotEvents
from tests import test_client_away
from tests.journals import SlowJournal
from tests.providers import transport
from tests.raw import GET, POST, READ, Answer, Edge, make_edge

DOCS = (Path(__file__).parent.parent / "docs" / "limits.md").read_text()
REACHED: dict[str, Callable[[], Any]] = {}
ROOMY: dict[str, Any] = {"max_posts_per_minute": 10**6, "max_channel_creates_per_minute": 10**6}
ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def reaches(what: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    def keep(test: Callable[[], Any]) -> Callable[[], Any]:
        REACHED[what] = test
        return test

    return keep


def rows() -> list[str]:
    cells = re.findall(r"^\| ([^|]+?) \|", DOCS, re.MULTILINE)
    return [cell for cell in cells if cell not in ("what", "---")]


def test_each_row_of_the_docs_is_reached_and_nothing_else_is() -> None:
    assert rows() == list(REACHED)


def codes(answers: Sequence[Answer]) -> list[str | None]:
    return [one.code if one.status >= 400 else None for one in answers]


def post(edge: Edge, body: str, token: str = "tok-alice") -> Answer:
    message = {"type": "note", "msg_id": ULID, "body": body}
    return edge.ask("POST", "/channels/room/append", message, token)


def claim(edge: Edge, target: str) -> Answer:
    message = {"type": "claim", "msg_id": ULID, "body": "mine", "target": target}
    return edge.ask("POST", "/channels/room/claim", message, "tok-alice")


def upload(edge: Edge, data: bytes) -> Answer:
    return edge.ask("PUT", f"/channels/room/artifacts/{sha256(data).hexdigest()}", data, "tok-alice")


def edge_with_a_room(**limits: int) -> Edge:
    edge = make_edge(**{**ROOMY, **limits})
    edge.make_room()
    return edge


# The process


@reaches("channels")
def _channels() -> None:
    edge = edge_with_a_room(max_channels=2)
    made = [edge.ask("POST", "/channels", {"channel": name}, "tok-bob") for name in ("a", "b")]
    assert codes(made) == [None, "channel_limit"]


@reaches("messages of a channel")
def _messages() -> None:
    edge = edge_with_a_room(max_messages_per_channel=2)
    assert codes([post(edge, body) for body in "abc"]) == [None, None, "channel_full"]


@reaches("held targets of a channel")
def _targets() -> None:
    edge = edge_with_a_room(max_messages_per_channel=2)
    assert codes([claim(edge, target) for target in "abc"]) == [None, None, "channel_full"]


@reaches("bytes of evidence")
def _evidence() -> None:
    edge = edge_with_a_room(max_artifact_bytes=4, max_channel_artifact_bytes=6, max_total_artifact_bytes=5)
    assert codes([upload(edge, data) for data in (b"12345", b"1234", b"123", b"1")]) == [
        "artifact_too_large",
        None,
        "artifact_too_large",
        None,
    ]


@reaches("pieces of evidence")
def _pieces() -> None:
    edge = edge_with_a_room(max_artifacts=2)
    assert codes([upload(edge, data) for data in (b"", b"1", b"2", b"1")]) == [
        None,
        None,
        "artifact_limit",
        None,
    ]


@reaches("minted tokens")
def _tokens() -> None:
    edge = make_edge(admin_token="adm", max_minted_tokens=1)
    minted = [
        edge.ask("POST", f"/admin/tokens{action}", {"agent_id": name, "owner": "o"}, "adm")
        for action, name in (("", "a"), ("", "b"), ("/rotate", "a"))
    ]
    assert codes(minted) == [None, "token_limit", None]


def keyed(number: int, scope: bytes = b"s") -> RequestKey:
    return RequestKey(scope, b"%d" % number, b"f")


@reaches("idempotency keys of a token")
def _keys_of_a_token() -> None:
    requests = AnsweredRequests(10**6)
    for number in range(KEPT_FOR_A_SCOPE + 1):
        requests.keep(keyed(number), AnswerPlace("room", 1), 1, 0.0)
    assert len(requests) == KEPT_FOR_A_SCOPE
    assert requests.find(keyed(0), 0.0) is None


@reaches("idempotency keys in all")
def _keys() -> None:
    requests = AnsweredRequests(100)
    for number in range(60):
        requests.keep(keyed(number, b"quiet"), AnswerPlace("room", 1), 1, 0.0)
    for number in range(60):
        requests.keep(keyed(number, b"busy"), AnswerPlace("room", 1), 1, 0.0)
    assert len(requests) == 100
    found = [requests.find(keyed(number, b"quiet"), 0.0) is not None for number in (0, 19, 20, 59)]
    assert found == [False, False, True, True]
    assert requests.find(keyed(0, b"busy"), 0.0) is not None


@reaches("agents that a budget keeps in mind")
def _budgets() -> None:
    budget = RateBudget(1, 60, 2, "channel")
    for name in "abc":
        budget.charge(name, 0.0)
    budget.check("a", 0.0)  # forgotten
    for name in "bc":
        with pytest.raises(RateLimited):
            budget.check(name, 0.0)
    assert len(budget._charges) == 2


@reaches("instants of an agent's posts")
def _instants() -> None:
    budget = RateBudget(10, 1, 2, "channel")
    for second in range(3 * _FORGOTTEN_AT_ONCE):
        budget.check("a", second / 10)
        budget.charge("a", second / 10)
    assert len(budget._charges["a"]._times) <= 10 + _FORGOTTEN_AT_ONCE + 1
    with pytest.raises(RateLimited):
        budget.check("a", (3 * _FORGOTTEN_AT_ONCE - 1) / 10)


@reaches("last posts of a channel")
def _last_posts() -> None:
    duplicates = Duplicates(60, 2)
    for name in "abc":
        duplicates.remember(name, 1, 0.0)
    assert [duplicates.last(name) is not None for name in "abc"] == [False, True, True]


@reaches("connections")
def _connections() -> None:
    edge = make_edge(max_connections=2)
    assert [edge.connect().transport.aborted for _ in range(3)] == [False, False, True]
    assert edge.site.crowd.connections == 2


@reaches("bodies that are arriving")
def _arriving() -> None:
    edge = make_edge(max_arriving_bytes=10)
    peers = [edge.connect() for _ in range(2)]
    for peer in peers:
        peer.send(POST + b"Content-Length: 100\r\n\r\n" + b" " * 6)
    assert [codes(peer.answers()) for peer in peers] == [[], ["overloaded"]]
    assert edge.site.crowd.arriving == 6


@reaches("streams")
def _streams() -> None:
    edge = edge_with_a_room(max_streams=1)
    opened = [edge.connect() for _ in range(2)]
    for peer in opened:
        peer.send(b"GET /channels/room/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert [peer.transport.value()[9:12] for peer in opened] == [b"200", b"503"]


class _NoDisk:
    """A worker and a database of which nothing comes back."""

    path = Path("room.db")
    busy = 0

    def run(self, *_: object) -> Deferred[Any]:
        return Deferred()


def _stuck(clock: Clock) -> Backbone:
    disk: Any = _NoDisk()
    journal = sqlite.SQLiteJournal(disk, disk, disk, clock, clock)
    return Backbone(journal, clock, Limits(**{**ROOMY, "max_channel_artifact_bytes": 10**9}))


@reaches("events that wait for the disk")
def _events() -> None:
    clock = Clock()
    backbone = _stuck(clock)
    backbone.create_channel("room")
    assert backbone.why_not_ready() is None
    clock.advance(sqlite.STALL_SECONDS)
    assert isinstance(backbone.why_not_ready(), StorageUnavailable)
    backbone = _stuck(clock)
    backbone.create_channel("room")
    for number in range(sqlite.MOST_EVENTS):
        backbone.append("room", Message("note", str(number), agent_id="a", owner="o")).addErrback(bool)
    assert backbone.journal.position == sqlite.MOST_EVENTS
    assert isinstance(backbone.why_not_ready(), StorageUnavailable)
    backbone = _stuck(clock)
    backbone.create_channel("room")
    for number in range(2 * sqlite.MOST_BYTES // 10**6):
        data = b"%d" % number + b"x" * 10**6
        backbone.put_artifact("room", sha256(data).hexdigest(), data).addErrback(bool)
    assert backbone.journal.position <= 2 + sqlite.MOST_BYTES // 10**6
    assert isinstance(backbone.why_not_ready(), StorageUnavailable)


@reaches("steps that undo events")
def _steps() -> None:
    journal = SlowJournal()
    backbone = Backbone(journal, Clock(), Limits(**ROOMY))
    backbone.create_channel("room")
    for number in range(100):
        backbone.append("room", Message("note", str(number), agent_id="a", owner="o"))
    waiting = len(backbone._state._steps)
    journal.sync()
    backbone.append("room", Message("note", "last", agent_id="a", owner="o"))
    assert len(backbone._state._steps) < 10 < waiting


@reaches("lines of the access log that wait")
def _lines() -> None:
    clock = Clock()
    log = access.AccessLog(clock, clock.seconds)
    for _ in range(access.FLUSH_LINES):
        log.add("peer", b"GET", b"/", 200, 1, 0.1, None)
    assert log._lines == []
    log.add("peer", b"GET", b"/", 200, 1, 0.1, None)
    clock.advance(access.FLUSH_SECONDS)
    assert log._lines == []
    log.flush()


@reaches("text that waits for standard output or error")
def _text() -> None:
    import os  # noqa: PLC0415

    reading, writing = os.pipe()
    writer = standard.LineWriter(writing)
    for _ in range(3):
        writer.write("x" * (standard.MOST_BYTES // 2 - 1) + "\n")
    assert (writer._size <= standard.MOST_BYTES, writer._dropped) == (True, 1)
    size = 0
    while size < standard.MOST_BYTES:
        size += len(os.read(reading, 65_536))
    writer.drain(5)
    for descriptor in (reading, writing):
        os.close(descriptor)


@reaches("names that were refused")
def _names() -> None:
    looked = door.Door((), local=True, literals=False)
    for number in range(400):
        with pytest.raises(MisdirectedRequest):
            looked.check(None, [b"host-%d" % number], [])
    assert len(looked._told) == 100
    assert looked._goes_by.cache_info().currsize == 256


@reaches("paths whose route is known")
def _paths() -> None:
    edge = make_edge()
    for number in range(dispatch.PLACES + 10):
        edge.ask("GET", f"/channels/c{number}")
    edge.ask("GET", "/channels/" + "c" * dispatch.PLACE_LENGTH)
    known: Any = edge.site.admit
    assert known.__self__._place.cache_info().currsize == dispatch.PLACES


@reaches("names of headers that Twisted remembers")
def _header_names() -> None:
    edge = make_edge(http="twisted")
    peer = edge.connect()
    name = b"X" * (bounds.NAME_LENGTH + 1)
    peer.send(GET[:-2] + name + b": 1\r\n\r\n")
    assert codes(peer.answers()) == ["headers_too_large"]
    assert name not in _nameEncoder._canonicalHeaderCache


# A connection


@reaches("a head")
def _head() -> None:
    edge = make_edge()
    heads = [
        GET[:-2] + b"X: " + b"x" * bounds.MAX_HEAD + b"\r\n\r\n",
        GET[:-2] + b"X: 1\r\n" * bounds.MAX_HEADERS + b"\r\n",
    ]
    for head in heads:
        peer = edge.connect()
        peer.send(head)
        assert codes(peer.answers()) == ["headers_too_large"]
    peer = edge.connect()
    peer.send(GET[:-2])
    edge.clock.advance(bounds.HEADER_SECONDS + 1)
    assert codes(peer.answers()) == ["request_timeout"]


@reaches("a body")
def _body() -> None:
    edge = edge_with_a_room(max_artifact_bytes=10)
    assert edge.ask("POST", "/channels/room/read", b" " * 262_145).code == "payload_too_large"
    assert upload(edge, b"x" * 11).code == "artifact_too_large"
    peer = edge.connect()
    peer.send(POST + b"Content-Length: 100\r\n\r\n")
    edge.clock.advance(bounds.REQUEST_SECONDS + 1)
    assert codes(peer.answers()) == ["request_timeout"]


@reaches("what comes while a request is answered")
def _pipelined() -> None:
    edge = edge_with_a_room()
    peer = edge.connect()
    peer.transport.pause_after = 0
    peer.send(GET)
    for _ in range(100):
        if peer.transport.producerState == "paused":
            break
        peer.send(GET * 100)
    assert peer.transport.producerState == "paused"
    if transport() == "llhttp":
        assert HELD < len(peer.channel._rest) <= HELD + 100 * len(GET)


@reaches("an answer that is not taken")
def _not_taken() -> None:
    edge = edge_with_a_room()
    for number in range(20):
        post(edge, str(number) + "x" * 15_000)
    peer = edge.connect()
    peer.transport.pause_after = 0
    peer.send(POST + b"Content-Length: %d\r\n\r\n" % len(READ) + READ)
    assert len(peer.transport.value()) < SLICE + 16_000
    edge.clock.advance(bounds.REQUEST_SECONDS + 1)
    assert peer.transport.aborted
    assert UNSENT == SLICE


@reaches("a stream's reader that reads nothing")
def _reader() -> None:
    for how in ("new", "silent"):
        edge = edge_with_a_room(max_stream_buffer_bytes=40_000)
        for number in range(20):
            post(edge, str(number) + "x" * 15_000)
        peer = edge.connect()
        peer.transport.pause_after = 0
        peer.send(b"GET /channels/room/stream?since=0 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        peer.channel.resumeProducing()
        edge.clock.advance(0)
        assert len(peer.transport.value()) < SLICE + 16_500
        if how == "new":
            for number in range(3):
                post(edge, f"new {number}" + "x" * 15_000)
        else:
            edge.clock.advance(bounds.REQUEST_SECONDS + 1)
        assert peer.transport.aborted


@reaches("a refused peer that is still sending")
def _still_sending() -> None:
    for how in ("much", "long"):
        edge = make_edge()
        peer = edge.connect()
        peer.send(b"nonsense\r\n\r\n")
        assert codes(peer.answers()) == ["bad_request"]
        if how == "much":
            for _ in range(bounds.LINGER_BYTES // 2**20 + 1):
                peer.send(b"x" * 2**20)
        else:
            edge.clock.advance(bounds.LINGER_SECONDS + 1)
        assert peer.closed


@reaches("an idle connection")
def _idle() -> None:
    edge = make_edge()
    peer = edge.connect()
    peer.send(GET)
    edge.clock.advance(bounds.IDLE_SECONDS + 1)
    assert peer.closed


# A client


reaches("an answer")(test_client_away.test_an_answer_over_the_cap_is_refused_while_it_arrives)


@reaches("an event of a stream")
def _event() -> None:
    for piece in (b"x" * 65_536, b"x" * 65_535 + b"\ndata: "):
        parser = EventParser()
        parser.feed(b"data: ")
        for _ in range(EVENT_BYTES // len(piece) - 1):
            assert parser.feed(piece) == []
        with pytest.raises(NotEvents):
            [parser.feed(piece) for _ in range(3)]


@reaches("messages that wait for whoever follows")
def _queue() -> None:
    for size, most in ((1, QUEUE_MESSAGES), (100_000, QUEUE_BYTES // 100_000 + 1)):
        follow = Follow(lambda at, again: Deferred(), 0, Clock())
        body = _Body(Clock(), follow._take, follow._lost, lambda: None)
        channel = StringTransport()
        body.makeConnection(channel)
        count = 0
        while channel.producerState == "producing":
            text = b'{"type":"note","msg_id":"m","body":"%b"}' % (b"x" * size)
            body.dataReceived(b"data: %b\n\n" % text)
            count += 1
        assert count <= most
        body._disarm()


@reaches("connections that are kept")
def _kept() -> None:
    pool = Exchange(Clock(), "http://127.0.0.1:1", treq=_no_treq())._pool
    assert (pool.maxPersistentPerHost, pool.cachedConnectionTimeout) == (CONNECTIONS, KEEP_SECONDS) == (8, 4)


@reaches("silence")
def _silence() -> None:
    clock = Clock()
    lost: list[bool] = []
    body = _Body(clock, lambda events: False, lambda *, is_broken: lost.append(is_broken), lambda: None)
    channel = StringTransport()
    body.makeConnection(channel)
    clock.advance(STALL_SECONDS - 1)
    body.dataReceived(b": hi\n\n")
    clock.advance(STALL_SECONDS - 1)
    assert not channel.disconnecting
    clock.advance(1)
    assert channel.disconnecting


def _no_treq() -> Any:
    return object()


@pytest.mark.parametrize("what", list(REACHED))
async def test_the_bound_is_reached(what: str) -> None:
    await maybeDeferred(REACHED[what])
