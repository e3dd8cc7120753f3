"""The edge: malformed requests, caps and pipelining."""

from __future__ import annotations

from hashlib import sha256

import pytest

from caucus.edge.bounds import LINGER_BYTES
from tests.exchanges import DIFFERENT, MALFORMED, TOO_LARGE
from tests.providers import transport
from tests.raw import GET, POST, READ, Edge, make_edge, refusal


@pytest.fixture
def edge() -> Edge:
    opened = make_edge()
    opened.make_room()
    return opened


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize("step", [1, 10_000], ids=["bytewise", "whole"])
def test_a_malformed_request_is_answered_once_with_the_envelope(edge: Edge, name: str, step: int) -> None:
    if name == "two spaces" and transport() == "llhttp":
        pytest.skip(DIFFERENT[name][2])
    peer, raw = edge.connect(), MALFORMED[name]
    for start in range(0, len(raw), step):
        peer.send(raw[start : start + step])
    peer.send(GET)
    assert refusal(peer) == (400, "bad_request")


@pytest.mark.parametrize("raw", TOO_LARGE.values(), ids=TOO_LARGE.keys())
def test_headers_too_large_or_too_many_are_431(edge: Edge, raw: bytes) -> None:
    peer = edge.connect()
    peer.send(raw)
    assert refusal(peer) == (431, "headers_too_large")


def test_an_endless_line_is_refused(edge: Edge) -> None:
    peer = edge.connect()
    peer.send(b"A" * 40_000)
    assert refusal(peer) in ((431, "headers_too_large"), (400, "bad_request"))


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
    peer.transport.pause_after = 0
    peer.send(GET * 3)
    assert len(peer.answers()) == 1
    peer.send(GET)
    assert peer.answers() == []
    peer.transport.pause_after = None
    peer.channel.resumeProducing()
    assert [answer.status for answer in peer.answers()] == [200, 200, 200]
    edge.clock.advance(5)
    assert not peer.closed


def test_a_pipeliner_that_never_reads_is_cut_off(edge: Edge) -> None:
    peer = edge.connect()
    peer.transport.pause_after = 0
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
    peer.transport.pause_after = 1000
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
    peer.transport.pause_after = 1000
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


def test_a_pipeliner_that_takes_its_answers_slowly_is_not_read_ahead_of(edge: Edge) -> None:
    peer = edge.connect()
    peer.transport.pause_after = 20_000
    request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    asked = answered = 0
    for _ in range(300):
        while peer.transport.producerState == "producing":
            peer.send(request * 30)
            asked += 30
            assert (asked - answered) * len(request) < 40_000
        answered += len(peer.answers())
        peer.channel.resumeProducing()
    while answered < asked:
        answered += len(peer.answers())
        peer.channel.resumeProducing()
    assert peer.answers() == []
