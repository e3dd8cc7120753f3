"""What is the llhttp transport's own: what it bounds, what it leaves to the reactor, how it fails."""

from __future__ import annotations

import socket
import ssl
from hashlib import sha256
from pathlib import Path

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from caucus import HTTPBackbone, settings
from caucus.core.backbone import Backbone
from caucus.edge import twisted_names
from caucus.edge.body import BodyCap
from caucus.edge.bounds import MAX_HEAD
from caucus.edge.llhttp import outlet
from caucus.edge.llhttp.intake import PIECE
from caucus.edge.request import PHRASES, Request
from caucus.errors import ConfigurationError
from caucus.wire.refusals import STATUS
from tests.journals import SlowJournal
from tests.providers import start_server
from tests.raw import GET, POST, READ, Edge, Peer, make_edge, parse_answers, refusal
from tests.test_daemon import make_certificate


@pytest.fixture
def edge() -> Edge:
    opened = make_edge(http="llhttp")
    opened.make_room()
    return opened


def statuses(peer: Peer) -> list[int]:
    return [answer.status for answer in peer.answers()]


def test_one_timer_serves_every_connection_and_none_is_left_without_one(edge: Edge) -> None:
    edge.clock.advance(15)  # who has made the room was there: that is told
    peers = [edge.connect() for _ in range(100)]
    edge.site.access.flush()
    assert len(edge.clock.getDelayedCalls()) == 1
    for peer in peers:
        peer.lose()
    assert edge.clock.getDelayedCalls() == []


def test_a_pipeliner_has_no_more_requests_made_than_are_in_one_piece(edge: Edge) -> None:
    peer = edge.connect()
    peer.transport.pause_after = 0
    peer.send(GET * 1000)
    assert len(peer.channel._intake.ready) <= PIECE // len(GET)
    peer.transport.pause_after = None
    peer.channel.resumeProducing()
    edge.clock.advance(0)
    assert statuses(peer) == [200] * 1000


def test_a_pipeliner_is_not_read_from_while_it_is_far_ahead(edge: Edge) -> None:
    peer = edge.connect()
    peer.transport.pause_after = 0
    peer.send(GET * 1000)
    peer.send(GET)
    assert peer.transport.producerState == "paused"
    peer.transport.pause_after = None
    peer.channel.resumeProducing()
    edge.clock.advance(0)
    assert peer.transport.producerState == "producing"
    assert statuses(peer) == [200] * 1001


@pytest.mark.parametrize("past", [0, 1])
@pytest.mark.parametrize("trailers", [False, True])
def test_a_head_has_the_same_most_bytes_however_it_is_cut(edge: Edge, past: int, trailers: bool) -> None:
    lines = [b"POST /channels/room/read HTTP/1.1", b"Host: localhost", b"Transfer-Encoding: chunked"]
    used = sum(map(len, lines))
    filler = [b"X: " + b"a" * 997] * 15
    filler.append(b"X: " + b"a" * (MAX_HEAD + past - used - 15_000 - 3))
    body = [b"c", READ, b"0"]
    parts = [*lines, b"", *body, *filler] if trailers else [*lines, *filler, b"", *body]
    raw = b"\r\n".join([*parts, b"", b""])
    for size in (1, 100, 8192, len(raw)):
        peer = edge.connect()
        for start in range(0, len(raw), size):
            peer.send(raw[start : start + size])
        assert statuses(peer) == [431 if past else 200]


def test_what_arrives_behind_a_long_answer_has_its_time_from_the_end_of_that(edge: Edge) -> None:
    data = b"x" * 1_000_000
    address = sha256(data).hexdigest()
    stored = edge.ask("PUT", f"/channels/room/artifacts/{address}", data, "tok-bob")
    assert stored.status == 201
    peer = edge.connect()
    peer.transport.pause_after = 0
    peer.send(b"GET /channels/room/artifacts/%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % address.encode())
    peer.send(POST[:10])
    for _ in range(40):
        peer.transport.clear()
        peer.channel.resumeProducing()
        edge.clock.advance(2)
    peer.transport.clear()
    peer.send(POST[10:] + b"Content-Length: 12\r\n\r\n" + READ)
    assert statuses(peer) == [200]


def test_empty_lines_do_not_keep_a_connection(edge: Edge) -> None:
    peer = edge.connect()
    peer.send(GET)
    for _ in range(3):
        edge.clock.advance(2)
        if not peer.closed:
            peer.send(b"\r\n")
    assert statuses(peer) == [200]
    assert peer.closed


def test_a_peer_that_sends_no_more_gets_what_is_held_back_for_it(edge: Edge) -> None:
    peer = edge.connect()
    peer.transport.pause_after = 0
    peer.send(GET * 3)
    peer.channel.readConnectionLost()
    assert not peer.closed
    peer.transport.pause_after = None
    peer.channel.resumeProducing()
    assert statuses(peer) == [200] * 3
    assert peer.closed


@pytest.mark.parametrize(
    "endless",
    [b"0\r\nX: ", b"1;x=", b"1\r\na\r\n0\r\nX: y\r\n" + b"Y", b"000"],
    ids=["trailer", "extension", "name", "size"],
)
def test_what_follows_a_body_is_bounded_as_its_head_is(edge: Edge, endless: bytes) -> None:
    peer = edge.connect()
    peer.send(POST + b"Transfer-Encoding: chunked\r\n\r\n" + endless)
    filler = b"0" * 1000
    for _ in range(25):
        if not peer.transport.half_closed:
            peer.send(filler)
    assert refusal(peer) in ((431, "headers_too_large"), (400, "bad_request"))


def test_a_long_body_in_small_pieces_is_no_head(edge: Edge) -> None:
    peer = edge.connect()
    body = READ + b" " * 60_000
    peer.send(POST + b"Content-Length: %d\r\n\r\n" % len(body))
    for start in range(0, len(body), 1000):
        peer.send(body[start : start + 1000])
    assert statuses(peer) == [200]


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 12\r\n\r\n" + READ,
        b"Transfer-Encoding: chunked\r\n\r\nc\r\n" + READ + b"\r\n0\r\n\r\n",
    ],
)
def test_the_body_of_a_request_that_would_upgrade_is_no_request(edge: Edge, framing: bytes) -> None:
    raw = POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + framing + GET
    for cut in range(1, len(raw)):
        peer = edge.connect()
        peer.send(raw[:cut])
        peer.send(raw[cut:])
        assert statuses(peer) == [200, 200]


def test_a_failure_before_the_body_is_one_fixed_message(edge: Edge, logged_failures: list[Failure]) -> None:
    def admit(request: Request) -> BodyCap:
        raise RuntimeError("secret")

    edge.site.admit = admit
    peer = edge.connect()
    peer.send(GET)
    assert refusal(peer) == (500, "internal_error")
    assert [failure.type for failure in logged_failures] == [RuntimeError]
    logged_failures.clear()


def test_a_failure_in_a_route_is_500_and_the_connection_goes_on(
    edge: Edge, logged_failures: list[Failure]
) -> None:
    def handle(request: Request) -> None:
        raise RuntimeError("secret")

    right, edge.site.handle = edge.site.handle, handle  # type: ignore[union-attr]
    peer = edge.connect()
    peer.send(GET)
    edge.site.handle = right  # type: ignore[union-attr]
    peer.send(GET)
    assert statuses(peer) == [500, 200]
    assert [failure.type for failure in logged_failures] == [RuntimeError]
    logged_failures.clear()


def test_an_answer_that_comes_after_its_peer_has_gone_is_dropped() -> None:
    clock, journal = Clock(), SlowJournal()
    edge = make_edge(backbone=Backbone(journal, clock), http="llhttp")
    peer = edge.connect()
    head = b"POST /channels HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer tok-bob\r\n"
    peer.send(head + b'Content-Length: 18\r\n\r\n{"channel":"room"}' + GET)
    peer.lose()
    journal.sync()
    assert peer.answers() == []


def test_what_is_pipelined_behind_an_answer_that_waits_is_answered_after_it() -> None:
    clock, journal = Clock(), SlowJournal()
    edge = make_edge(backbone=Backbone(journal, clock), http="llhttp")
    peer = edge.connect()
    head = b"POST /channels HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer tok-bob\r\n"
    peer.send(head + b'Content-Length: 18\r\n\r\n{"channel":"room"}' + GET)
    peer.send(b"GET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n" + b"nonsense\r\n\r\n")
    edge.clock.advance(100)
    assert peer.answers() == []
    journal.sync()
    assert statuses(peer) == [201, 200, 404, 400]


async def test_an_answer_that_a_socket_takes_in_parts_arrives_whole_and_in_order() -> None:
    server = await start_server(reactor, http="llhttp", tokens="tok:a:o", limits=None)
    client = HTTPBackbone(reactor, server.url, "tok")
    await client.create_channel("room", purpose="x" * 1000)
    asked = b"GET /channels/room HTTP/1.1\r\nHost: localhost\r\n\r\n"
    received = await deferToThread(ask_slowly, server.port, asked * 3000)
    answers = parse_answers(received)
    assert len(answers) == 3000
    assert all(answer.json["purpose"] == "x" * 1000 for answer in answers)
    await client.close()
    await server.close()


def ask_slowly(port: int, raw: bytes) -> bytes:
    """What a server says to a peer that reads only after it has sent all, through small buffers."""
    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.settimeout(10)
        peer.connect(("127.0.0.1", port))
        sent = 0
        received = b""
        while sent < len(raw):
            sent += peer.send(raw[sent : sent + 5000])
            received += peer.recv(2000)
        peer.shutdown(socket.SHUT_WR)
        while data := peer.recv(65536):
            received += data
        return received


def test_a_started_request_is_told_when_its_peer_has_gone(edge: Edge) -> None:
    told: list[Deferred[None]] = []

    def handle(request: Request) -> None:
        told.append(request.notifyFinish())

    edge.site.handle = handle  # type: ignore[union-attr]
    peer = edge.connect()
    peer.send(GET)
    peer.lose()
    failures: list[Failure] = []
    told[0].addErrback(failures.append)
    assert len(failures) == 1


def test_a_twisted_without_the_names_that_it_keeps_to_itself_answers_by_its_own_writes(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlet, "knows_sockets", lambda: False)
    peer = edge.connect()
    peer.send(GET)
    assert statuses(peer) == [200]


def test_a_twisted_that_does_not_fit_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "missing_from_channels", lambda: ("_dataBuffer",))
    with pytest.raises(ConfigurationError, match=r"which has no _dataBuffer$"):
        settings.require_transport("twisted")
    assert settings.require_transport("llhttp") == "llhttp"


def test_this_twisted_has_all_names() -> None:
    assert (twisted_names.knows_sockets(), twisted_names.missing_from_channels()) == (True, ())


def test_each_status_has_a_phrase_of_ours() -> None:
    assert set(STATUS.values()) <= set(PHRASES)
    assert (PHRASES[413], PHRASES[422]) == (b"Content Too Large", b"Unprocessable Content")


@pytest.mark.parametrize("head", [GET[:-2] + b"Connection: close\r\n\r\n", GET.replace(b"1.1", b"1.0")])
def test_a_transport_that_is_told_to_close_has_no_producer_to_wait_for(edge: Edge, head: bytes) -> None:
    peer = edge.connect()
    peer.send(head)
    assert statuses(peer) == [200]
    assert peer.transport.disconnecting
    assert peer.transport.producer is None


async def test_over_tls_an_answer_that_is_the_last_ends_its_connection(tmp_path: Path) -> None:
    make_certificate(tmp_path / "pem")
    listen = f"ssl:0:interface=127.0.0.1:privateKey={tmp_path}/pem"
    running = await start_server(reactor, listen=[listen])
    request = GET[:-2] + b"Connection: close\r\n\r\n"
    answer = await deferToThread(talk_tls, running.port, request)
    assert answer.endswith(b'{"ok":true}')
    await running.close()


def talk_tls(port: int, request: bytes) -> bytes:
    """Everything that a server sends until it closes, which it has 5 s for."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        context.wrap_socket(plain) as peer,
    ):
        peer.sendall(request)
        data = b""
        while piece := peer.recv(65_536):
            data += piece
    return data
