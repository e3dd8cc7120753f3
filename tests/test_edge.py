"""The edge: malformed requests, caps and pipelining."""

from __future__ import annotations

from hashlib import sha256

import pytest

from caucus.web.connection import LINGER_BYTES
from tests.raw import GET, POST, READ, Edge, make_edge, refusal


@pytest.fixture
def edge() -> Edge:
    opened = make_edge()
    opened.make_room()
    return opened


MALFORMED = {
    "no Host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
    "two Hosts in HTTP/1.0": b"GET /healthz HTTP/1.0\r\nHost: localhost\r\nHost: b\r\n\r\n",
    "no version": b"GET /healthz\r\n\r\n",
    "HTTP/2.0": b"GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n",
    "a method that is no token": b"G@T /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "two spaces": b"GET  /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "white space first": b"GET /healthz HTTP/1.1\r\n X: b\r\nHost: localhost\r\n\r\n",
    "a folded header": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: b\r\n c\r\n\r\n",
    "a header without a colon": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nXb\r\n\r\n",
    "a space before the colon": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX : b\r\n\r\n",
    "NUL in a header": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
    "a bare LF in a header": b"GET /healthz HTTP/1.1\r\nHost: localhost\nX: b\r\n\r\n",
    "bare LFs throughout": b"GET /healthz HTTP/1.1\nHost: localhost\n\n",
    "a bare LF at the end": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\n",
    "a bare CR in a header": b"GET /healthz HTTP/1.1\r\nHost: localhost\rX: b\r\n\r\n",
    "HTTP/0.9": b"GET /healthz\r\n",
    "two codings": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "a length in hexadecimal": POST + b"Content-Length: 0x3\r\n\r\nabc",
    "a list of lengths": POST + b"Content-Length: 3, 3\r\n\r\nabc",
    "a length of 5,000 digits": POST + b"Content-Length: " + b"1" * 5000 + b"\r\n\r\n",
    "a method in lower case": b"get /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a target without a slash": b"GET healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a target that is a host and port": b"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n",
    "length and chunks": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "a signed length": POST + b"Content-Length: +3\r\n\r\nabc",
    "a negative length": POST + b"Content-Length: -1\r\n\r\n",
    "an unknown coding": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a bad chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n",
    "a chunk without its end": POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcXX0\r\n\r\n",
}


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED.keys())
@pytest.mark.parametrize("step", [1, 10_000], ids=["bytewise", "whole"])
def test_a_malformed_request_is_answered_once_with_the_envelope(edge: Edge, raw: bytes, step: int) -> None:
    peer = edge.connect()
    for start in range(0, len(raw), step):
        peer.send(raw[start : start + step])
    peer.send(GET)
    assert refusal(peer) == (400, "bad_request")


TOO_LARGE = {
    "a long request line": b"GET /" + b"a" * 17_000 + b" HTTP/1.1\r\n",
    "an endless line": b"A" * 40_000,
    "a long header": b"GET / HTTP/1.1\r\nX: " + b"a" * 17_000 + b"\r\n",
    "long headers": b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 9000 + b"\r\nY: " + b"a" * 9000 + b"\r\n",
    "a long header name": b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X" * 257 + b": b\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: b\r\n" * 101 + b"\r\n",
}


@pytest.mark.parametrize("raw", TOO_LARGE.values(), ids=TOO_LARGE.keys())
def test_headers_too_large_or_too_many_are_431(edge: Edge, raw: bytes) -> None:
    peer = edge.connect()
    peer.send(raw)
    assert refusal(peer) == (431, "headers_too_large")


def test_http_1_0_needs_no_host_and_is_closed_after_its_answer(edge: Edge) -> None:
    peer = edge.connect()
    peer.send(b"GET /healthz HTTP/1.0\r\n\r\n")
    (answer,) = peer.answers()
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert peer.closed


@pytest.mark.parametrize("value", [b"close", b"Close", b"keep-alive, close", b"close, TE"])
def test_a_connection_is_closed_when_the_peer_asks_for_it(edge: Edge, value: bytes) -> None:
    peer = edge.connect()
    peer.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: " + value + b"\r\n\r\n" + GET)
    (answer,) = peer.answers()
    assert answer.headers["connection"] == "close"
    assert "keep-alive" not in answer.headers
    assert peer.closed


def test_pipelined_requests_are_answered_in_order(edge: Edge) -> None:
    peer = edge.connect()
    read = POST + b"Content-Length: 12\r\n\r\n" + READ
    peer.send(GET + read + b"GET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n" + GET)
    assert [answer.status for answer in peer.answers()] == [200, 200, 404, 200]
    assert not peer.closed


def test_pipelined_requests_wait_until_the_answer_before_them_is_taken(edge: Edge) -> None:
    peer = edge.connect()
    peer.channel.pauseProducing()  # as the transport does when it can take no more
    peer.send(GET * 3)
    assert len(peer.answers()) == 1
    peer.send(GET)
    assert peer.answers() == []
    peer.channel.resumeProducing()
    assert [answer.status for answer in peer.answers()] == [200, 200, 200]
    edge.clock.advance(5)
    assert not peer.closed


def test_a_pipeliner_that_never_reads_is_cut_off(edge: Edge) -> None:
    peer = edge.connect()
    peer.channel.pauseProducing()
    peer.send(GET * 3)
    edge.clock.advance(29)
    assert not peer.closed
    edge.clock.advance(1)
    assert peer.transport.aborted
    peer.lose()
    assert len(peer.answers()) == 1


def test_a_chunked_body_is_a_body(edge: Edge) -> None:
    peer = edge.connect()
    peer.send(
        POST
        + b"Transfer-Encoding: chunked\r\n\r\n3\r\n"
        + READ[:3]
        + b"\r\n9;x=y\r\n"
        + READ[3:]
        + b"\r\n0\r\nT: x\r\n\r\n"
    )
    (answer,) = peer.answers()
    assert answer.json == {"messages": [], "cursor": 0}


def test_a_client_that_expects_it_is_told_to_continue(edge: Edge) -> None:
    peer = edge.connect()
    peer.send(POST + b"Expect: 100-continue\r\nContent-Length: 12\r\n\r\n")
    assert [answer.status for answer in peer.answers()] == [100]
    peer.send(READ)
    assert [answer.status for answer in peer.answers()] == [200]


# Long answers


def test_a_long_page_is_sent_as_the_peer_takes_it(edge: Edge) -> None:
    for number in range(25):
        body = f"{number} " + "x" * 15_990
        message = {"type": "note", "msg_id": "0" * 26, "body": body}
        assert edge.ask("POST", "/channels/room/append", message, "tok-bob").status == 201
    whole = edge.ask("POST", "/channels/room/read", READ)
    assert [one["body"][:2] for one in whole.json["messages"][:3]] == ["0 ", "1 ", "2 "]
    assert whole.json["cursor"] == 25
    peer = edge.connect()
    peer.transport.pause_after = 1
    peer.send(POST + b"Content-Length: 12\r\n\r\n" + READ)
    received = b""
    while len(received) < len(whole.body):
        step = peer.transport.value()
        peer.transport.clear()
        assert 0 < len(step) < 100_000
        received += step
        edge.clock.advance(20)  # slow, but it takes something
        peer.channel.resumeProducing()
    received += peer.transport.value()
    assert received.endswith(whole.body)
    assert not peer.closed


def test_a_peer_that_stops_taking_a_long_answer_is_cut_off(edge: Edge) -> None:
    data = b"x" * 1_000_000
    address = sha256(data).hexdigest()
    target = f"/channels/room/artifacts/{address}"
    assert edge.ask("PUT", target, data, "tok-bob").status == 201
    assert edge.ask("GET", target).body == data
    peer = edge.connect()
    peer.transport.pause_after = 1
    peer.send(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert len(peer.transport.value()) < 100_000
    edge.clock.advance(30)
    assert peer.transport.aborted
    peer.lose()
    edge.site.access.flush()
    assert edge.clock.getDelayedCalls() == []


# Bodies


def test_a_body_at_the_cap_is_read(edge: Edge) -> None:
    answer = edge.ask("POST", "/channels/room/read", READ + b" " * (262_144 - len(READ)))
    assert answer.status == 200


def test_a_body_over_the_cap_is_refused_by_its_length_alone(edge: Edge) -> None:
    peer = edge.connect()
    peer.send(POST + b"Expect: 100-continue\r\nContent-Length: 262145\r\n\r\n")
    assert refusal(peer) == (413, "payload_too_large")


def test_a_chunked_body_over_the_cap_is_cut_off_while_it_arrives(edge: Edge) -> None:
    peer = edge.connect()
    peer.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(4):
        peer.send(b"10000\r\n" + b"a" * 65_536 + b"\r\n")
        assert peer.answers() == []
    peer.send(b"1\r\na\r\n")
    assert refusal(peer) == (413, "payload_too_large")


def test_a_refused_peer_may_go_on_sending_for_a_while(edge: Edge) -> None:
    peer = edge.connect()
    peer.send(POST + b"Content-Length: 9999999999\r\n\r\n")
    assert refusal(peer) == (413, "payload_too_large")
    for _ in range(LINGER_BYTES // 65_536):
        peer.send(b"a" * 65_536)
    assert not peer.closed
    peer.send(b"a")
    assert peer.transport.aborted


def test_a_refused_peer_is_not_listened_to_for_long(edge: Edge) -> None:
    peer = edge.connect()
    peer.send(b"nonsense\r\n")
    edge.clock.advance(5)
    assert peer.transport.disconnecting
    assert not peer.transport.aborted
    edge.clock.advance(5)
    assert peer.transport.aborted


def test_an_upload_without_a_token_is_refused_before_its_first_byte(edge: Edge) -> None:
    peer = edge.connect()
    put = f"PUT /channels/room/artifacts/{'0' * 64} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
    peer.send(put.encode())
    assert refusal(peer) == (401, "unauthorized")


def test_an_upload_has_a_cap_of_its_own() -> None:
    edge = make_edge(max_artifact_bytes=300_000)
    target = f"/channels/nowhere/artifacts/{'0' * 64}"
    assert edge.ask("PUT", target, b"[" * 300_000, "tok-bob").code == "unknown_channel"
    assert edge.ask("PUT", target, b"[" * 300_001, "tok-bob").code == "artifact_too_large"
