"""The bounds of what lives as long as a connection, or a client."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from caucus.client.exchange import CONNECTIONS, KEEP_SECONDS, Exchange
from caucus.client.follow import Follow
from caucus.client.live import QUEUE_BYTES, QUEUE_MESSAGES, STALL_SECONDS, _Body
from caucus.edge import bounds
from caucus.edge.llhttp.connection import HELD
from caucus.edge.llhttp.outlet import UNSENT
from caucus.wire.frames import EVENT_BYTES, SLICE, EventParser, NotEvents
from tests import test_client_away, test_heads
from tests.bounds import codes, edge_with_a_room, post, reaches, upload
from tests.providers import transport
from tests.raw import GET, POST, READ, make_edge


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


reaches("heads that came before")(test_heads.test_so_many_heads_are_kept_and_no_more)


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


@reaches("requests in one turn of the reactor")
def _turn() -> None:
    edge = edge_with_a_room()
    peer = edge.connect()
    peer.send(GET * 100)
    assert len(peer.answers()) <= bounds.TURN + 1
    edge.clock.advance(0)
    assert len(peer.answers()) >= 100 - bounds.TURN - 1


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
                edge.clock.advance(0)
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
