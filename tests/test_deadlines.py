"""Deadlines at the edge, and how a connection ends."""

from __future__ import annotations

import json
import socket
from hashlib import sha256

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from caucus import HTTPBackbone
from caucus.core.backbone import Backbone
from tests.journals import SlowJournal
from tests.providers import start_server
from tests.raw import GET, POST, READ, Edge, make_edge, parse_answers, refusal


@pytest.fixture
def edge() -> Edge:
    opened = make_edge()
    opened.make_room()
    return opened


# Deadlines


def test_a_silent_connection_is_closed_without_an_answer(edge: Edge) -> None:
    peer = edge.connect()
    edge.clock.advance(9.9)
    assert not peer.closed
    edge.clock.advance(0.1)
    assert peer.closed
    assert peer.answers() == []


def test_headers_have_ten_seconds_however_they_trickle(edge: Edge) -> None:
    peer = edge.connect()
    for byte in b"GET /aaaaaaaaaaaaaa":
        peer.send(bytes([byte]))
        edge.clock.advance(0.5)
    assert peer.answers() == []
    edge.clock.advance(0.5)
    assert refusal(peer) == (408, "request_timeout")


def test_a_whole_request_has_thirty_seconds_however_it_trickles(edge: Edge) -> None:
    peer = edge.connect()
    peer.send(POST + b"Content-Length: 1000\r\n")
    edge.clock.advance(5)
    peer.send(b"\r\n")
    for _ in range(49):
        peer.send(b"a")
        edge.clock.advance(0.5)
    assert peer.answers() == []
    edge.clock.advance(0.5)
    assert refusal(peer) == (408, "request_timeout")


def test_an_idle_connection_is_kept_for_at_least_five_seconds_and_then_closed(edge: Edge) -> None:
    peer = edge.connect()
    for _ in range(3):
        peer.send(GET)
        (answer,) = peer.answers()
        assert answer.headers["keep-alive"] == "timeout=5"
        edge.clock.advance(5)
        assert not peer.closed
    edge.clock.advance(1)
    assert peer.closed
    assert peer.answers() == []


def test_a_request_that_begins_in_the_segment_of_the_last_one_has_ten_seconds_too(edge: Edge) -> None:
    peer = edge.connect()
    peer.send(GET + GET[:9])
    assert len(peer.answers()) == 1
    edge.clock.advance(9.9)
    assert not peer.closed
    edge.clock.advance(0.1)
    assert refusal(peer) == (408, "request_timeout")


def test_a_later_request_has_its_own_ten_seconds_for_headers(edge: Edge) -> None:
    peer = edge.connect()
    edge.clock.advance(8)
    peer.send(GET)
    peer.answers()
    edge.clock.advance(4)
    peer.send(b"G")
    edge.clock.advance(9)
    assert not peer.closed
    assert peer.answers() == []
    edge.clock.advance(1)
    assert refusal(peer) == (408, "request_timeout")


def test_a_peer_that_never_takes_its_answer_is_cut_off(edge: Edge) -> None:
    peer = edge.connect()
    peer.send(GET)
    edge.clock.advance(6)
    assert peer.closed
    assert not peer.transport.aborted
    edge.clock.advance(30)
    assert peer.transport.aborted


def test_a_lost_connection_leaves_no_timer_behind(edge: Edge) -> None:
    for raw in (b"", b"G", GET, POST + b"Content-Length: 9\r\n\r\n", b"nonsense\r\n"):
        peer = edge.connect()
        peer.send(raw)
        peer.lose()
    edge.clock.advance(15)  # who has made the room was there: that is told
    edge.site.access.flush()
    assert edge.clock.getDelayedCalls() == []
    assert edge.site.channels == set()


# On a real socket


class Collector(Protocol):
    """Sends and collects; ``closed`` fires with everything received once the server is done."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.received = b""
        self.closed: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(self.raw)

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.closed.callback(self.received)


async def send_all(port: int, raw: bytes) -> bytes:
    """Everything that a server says to these bytes until it closes."""
    collector = Collector(raw)
    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
    await connectProtocol(endpoint, collector)
    return await collector.closed


@pytest.mark.parametrize("count", [1, 3, 500])
async def test_a_peer_that_sends_no_more_still_gets_its_answers(count: int) -> None:
    server = await start_server(reactor)
    received = await deferToThread(ask_and_shut, server.port, GET * count)
    assert [answer.status for answer in parse_answers(received)] == [200] * count
    assert await deferToThread(ask_and_shut, server.port, GET[:-2]) == b""
    await server.close()


@pytest.mark.parametrize("count", [1, 5])
async def test_a_long_answer_is_sent_whole_to_a_peer_that_sends_no_more(count: int) -> None:
    data = b"x" * 1_000_000
    server = await start_server(reactor, tokens="tok:a:o")
    client = HTTPBackbone(reactor, server.url, "tok")
    await client.create_channel("room")
    address = sha256(data).hexdigest()
    await client.put_artifact("room", address, data)
    get = f"GET /channels/room/artifacts/{address} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    received = await deferToThread(ask_and_shut, server.port, get.encode() * count)
    assert [answer.body == data for answer in parse_answers(received)] == [True] * count
    await client.close()
    await server.close()


def ask_and_shut(port: int, raw: bytes) -> bytes:
    """What a server says to a peer that ends its side of the connection after this."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
        peer.sendall(raw)
        peer.shutdown(socket.SHUT_WR)
        received = b""
        while data := peer.recv(65536):
            received += data
    return received


CREATE = (
    b"POST /channels HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer tok-bob\r\n"
    b'Content-Length: 18\r\n\r\n{"channel":"room"}'
)


def test_a_write_that_waits_for_the_disk_has_no_deadline() -> None:
    journal = SlowJournal()
    edge = make_edge(backbone=Backbone(journal, Clock()))
    peer = edge.connect()
    peer.send(CREATE)
    for _ in range(60):
        edge.clock.advance(1)
    assert not peer.closed
    journal.sync()
    assert [answer.status for answer in peer.answers()] == [201]


def test_an_answer_under_way_is_sent_to_a_peer_that_sends_no_more() -> None:
    journal = SlowJournal()
    edge = make_edge(backbone=Backbone(journal, Clock()))
    peer = edge.connect()
    peer.send(CREATE)
    peer.channel.readConnectionLost()
    assert peer.answers() == []
    assert not peer.closed
    journal.sync()
    assert [answer.status for answer in peer.answers()] == [201]
    assert peer.closed


@pytest.mark.parametrize("size", [300_000, 3_000_000])
async def test_a_client_that_sends_on_gets_to_read_its_413(size: int) -> None:
    server = await start_server(reactor)
    head = f"POST /channels HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n".encode()
    received = await send_all(server.port, head + b"a" * size)
    (answer,) = parse_answers(received)
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (413, "payload_too_large")
    await server.close()


async def test_closing_waits_for_no_idle_connection() -> None:
    server = await start_server(reactor)
    waiting = Deferred.fromCoroutine(send_all(server.port, GET))
    await deferLater(reactor, 0.05)
    await server.close()
    assert [answer.status for answer in parse_answers(await waiting)] == [200]


def test_a_request_under_way_is_answered_before_its_connection_is_closed(edge: Edge) -> None:
    peer, idle, silent = edge.connect(), edge.connect(), edge.connect()
    idle.send(GET)
    peer.send(POST + b"Content-Length: 12\r\n\r\n" + READ[:5])
    gone = edge.site.close_connections(3)
    assert idle.closed
    assert silent.closed
    assert not peer.closed
    peer.send(READ[5:])
    (answer,) = peer.answers()
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert peer.closed
    for one in (peer, idle, silent):
        one.lose()
    assert gone.called


def test_a_request_that_is_arriving_while_the_server_closes_is_the_connections_last(edge: Edge) -> None:
    peer = edge.connect()
    peer.send(GET[:20])
    gone = edge.site.close_connections(3)
    peer.send(GET[20:])
    (answer,) = peer.answers()
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert peer.closed
    peer.lose()
    assert gone.called


def test_what_is_under_way_for_too_long_is_cut_off_on_closing(edge: Edge) -> None:
    peer = edge.connect()
    peer.send(b"GET /heal")
    gone = edge.site.close_connections(3)
    edge.clock.advance(3)
    assert peer.transport.aborted
    peer.lose()
    assert gone.called
