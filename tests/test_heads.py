"""Heads that came before are not parsed again; and all else about their requests is as if they were."""

from __future__ import annotations

import json
import random
from typing import Any, cast

import pytest
from httptools import HttpRequestParser

from caucus.edge.door import Door
from caucus.edge.llhttp import heads, intake
from tests.exchanges import Generator
from tests.raw import GET, READ, Edge, Peer, make_edge
from tests.test_transports import ROOMY, converse, pair

READING = b"POST /channels/room/read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12\r\n\r\n" + READ
POSTING = b"POST /channels/room/append HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %b\r\n"


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What llhttp is given, from here on."""
    fed: list[bytes] = []
    parser = HttpRequestParser

    class Told:
        def __init__(self, protocol: Any) -> None:
            self._parser = parser(protocol)

        def feed_data(self, data: bytes) -> None:
            fed.append(data)
            self._parser.feed_data(data)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._parser, name)

    monkeypatch.setattr(intake, "HttpRequestParser", Told)
    return fed


@pytest.fixture
def edge() -> Edge:
    edge = make_edge(http="llhttp", admin_token="adm", **ROOMY)
    edge.make_room()
    return edge


def post(token: str, body: str, more: bytes = b"") -> bytes:
    said = json.dumps({"type": "note", "msg_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "body": body}).encode()
    return POSTING % token.encode() + more + b"Content-Length: %d\r\n\r\n" % len(said) + said


def ask(peer: Peer, *requests: bytes) -> list[int]:
    """The statuses of their answers."""
    for request in requests:
        peer.send(request)
    return [answer.status for answer in peer.answers()]


@pytest.mark.parametrize("request_", [GET, READING, post("tok-bob", "x")], ids=["bare", "body", "token"])
def test_the_third_time_a_head_is_not_parsed(edge: Edge, parsed: list[bytes], request_: bytes) -> None:
    peer = edge.connect()
    first = ask(peer, request_, request_)
    assert len(parsed) == 2
    assert ask(peer, request_, request_) == [first[-1]] * 2
    assert ask(edge.connect(), request_) == [first[-1]]
    assert len(parsed) == 2


@pytest.mark.parametrize(
    "request_",
    [
        GET[:-2] + b"Expect: 100-continue\r\n\r\n",
        GET[:-2] + b"Upgrade: h2c\r\nConnection: upgrade\r\n\r\n",
        GET[:-2] + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        GET[:-2] + b"Cookie: a=b\r\n\r\n",
        GET[:-2] + b"X: " + b"x" * heads.LONGEST + b"\r\n\r\n",
        GET[:-2] + b"".join(b"X%d: x\r\n" % number for number in range(heads.HEADERS)) + b"\r\n",
        b"\r\n" + GET,
        b"GET /nope/%FF HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PUT /channels/room/artifacts/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n",
    ],
    ids=[
        "expect",
        "upgrade",
        "chunks",
        "cookie",
        "long",
        "many",
        "lines",
        "path",
        "bytes",
        "close",
        "1.0",
    ],
)
def test_with_what_is_not_plain_each_is_parsed(edge: Edge, parsed: list[bytes], request_: bytes) -> None:
    for _ in range(4):
        ask(edge.connect(), request_)
    assert len([one for one in parsed if one == request_]) == 4


@pytest.mark.parametrize("cut", range(1, len(READING)))
def test_what_comes_in_pieces_is_parsed(edge: Edge, cut: int) -> None:
    peer = edge.connect()
    assert ask(peer, READING, READING, READING) == [200] * 3
    assert ask(peer, READING[:cut], READING[cut:], READING) == [200] * 2


def test_what_is_pipelined_is_answered_in_order(edge: Edge) -> None:
    peer = edge.connect()
    ask(peer, READING, READING, GET, GET)
    peer.send(READING + GET + READING + READING[:-3])
    assert [b"messages" in one.body for one in peer.answers()] == [True, False, True]
    assert ask(peer, READING[-3:]) == [200]


def test_a_token_that_is_revoked_is_unknown_to_the_next_request(edge: Edge) -> None:
    minted = edge.ask("POST", "/admin/tokens", {"owner": "dave", "agent_id": "dave-1"}, "adm").json["token"]
    peer = edge.connect()
    assert ask(peer, *[post(minted, f"number {number}") for number in range(4)]) == [201] * 4
    assert edge.ask("POST", "/admin/tokens/revoke", {"agent_id": "dave-1"}, "adm").status == 200
    assert ask(peer, post(minted, "number 4")) == [401]


def test_each_token_is_its_own(edge: Edge) -> None:
    peer = edge.connect()
    for number in range(4):
        for token in ("tok-bob", "tok-cat", "tok-carol", "tok-alice"):
            peer.send(post(token, f"{token} {number}"))
    assert [one.status for one in peer.answers()] == [201, 401, 201, 201] * 4
    page = edge.ask("POST", "/channels/room/read", {"cursor": 0}).json
    assert [one["owner"] for one in page["messages"]] == ["bob", "carol", "alice"] * 4


def test_no_token_is_kept(edge: Edge) -> None:
    peer = edge.connect()
    ask(peer, *[post("tok-bob", f"number {number}") for number in range(3)])
    table: Any = edge.site
    assert len(table.heads._known) == 1
    assert "tok-bob" not in repr((table.heads._known, table.heads._once))


def test_another_door_looks_at_each_head_anew(edge: Edge) -> None:
    named = GET.replace(b"localhost", b"example.com")
    edge.site.door = Door(["example.com"], local=False, literals=False)
    peer = edge.connect()
    assert ask(peer, named, named, named) == [200] * 3
    edge.site.door = Door([], local=False, literals=False)
    assert ask(peer, GET, GET, GET) == [200] * 3
    assert ask(peer, named) == [421]


def test_a_head_that_was_let_in_is_heard_of_each_time(edge: Edge) -> None:
    ask(edge.connect(), *[post("tok-bob", f"number {number}") for number in range(3)])
    edge.clock.advance(50)
    assert ask(edge.connect(), post("tok-bob", "number 3")) == [201]
    edge.clock.advance(10)
    (bob,) = edge.ask("GET", "/who").json["agents"]
    assert bob["seen_ago"] == 10


def test_while_the_listener_closes_an_answer_is_the_last(edge: Edge) -> None:
    peer = edge.connect()
    ask(peer, GET, GET, GET)
    peer.send(READING[:-1])
    edge.site.close_connections(5)
    peer.send(READING[-1:] + GET)
    assert [one.headers.get("connection") for one in peer.answers()] == ["close"]
    other = edge.connect()
    other.send(GET)
    assert [one.headers.get("connection") for one in other.answers()] == ["close"]


def test_so_many_heads_are_kept_and_no_more() -> None:
    edge = make_edge(http="llhttp")
    peer, table = edge.connect(), cast("Any", edge.site).heads
    for number in range(heads.MOST + 50):
        one = GET[:-2] + b"X: %d\r\n\r\n" % number
        ask(peer, one, one, one)
    assert len(table) == heads.MOST
    for number in range(3 * heads.MOST):
        ask(peer, GET[:-2] + b"Y: %d\r\n\r\n" % number)
    assert len(table) <= 2 * heads.MOST


def test_requests_that_come_again_and_again_are_answered_alike(pytestconfig: pytest.Config) -> None:
    """Each comes four times, among others, cut at random: parsed, and not."""
    generator, chance = Generator(5), random.Random(5)
    fast, plain = pair(**ROOMY)
    asked = 0
    while asked < pytestconfig.getoption("--requests"):
        some = [generator.request() for _ in range(generator.count(5))]
        data = [*some] * 4
        chance.shuffle(data)
        asked += len(some)
        for start in range(0, len(data), 5):
            segments = generator.cut(b"".join(data[start : start + 5]))
            assert converse(fast, segments) == converse(plain, segments), segments
