"""No stranger at the door: hosts, origins, and tokens for reading."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet import reactor

from caucus import HTTPBackbone
from caucus.edge.door import Door
from caucus.errors import Unauthorized
from tests.providers import start_server
from tests.raw import Edge, make_edge

LOOPBACK = Door((), local=True, literals=False)
WIDE = Door(["Room.Example.", "10.1.2.3"], local=False, literals=True)


def status(door: Door, host: str, *origins: str) -> int:
    edge = make_edge(door=door)
    lines = ["GET /healthz HTTP/1.1", f"Host: {host}", *(f"Origin: {origin}" for origin in origins), "", ""]
    peer = edge.connect()
    peer.send("\r\n".join(lines).encode())
    (answer,) = peer.answers()
    if answer.status != 200:
        assert answer.code == {421: "misdirected_request", 403: "forbidden_origin"}[answer.status]
    return answer.status


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost:4317",
        "localhost.",
        "127.0.0.1",
        "127.0.0.1:80",
        "127.9.9.9",
        "[::1]",
        "[::1]:4317",
        "localhost:",
    ],
)
def test_every_listener_goes_by_the_loopback_names(host: str) -> None:
    assert status(LOOPBACK, host) == 200
    assert status(WIDE, host) == 200


@pytest.mark.parametrize(
    "host", ["10.1.2.3", "192.0.2.7:4317", "[2001:db8::1]", "room.example", "ROOM.example.:443"]
)
def test_a_wider_one_goes_by_any_literal_and_its_own_names(host: str) -> None:
    assert status(LOOPBACK, host) == 421
    assert status(WIDE, host) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "evil.example:4317",
        "",
        "a..b",
        "127.0.0.1.evil",
        "user@localhost",
        "localhost/x",
        "localhost:4317:1",
        "[::1",
        "::1",
        "[localhost]",
        "127.0.0.1, localhost",
        "0x7f.1",
        "é",
        "localhost:x",
    ],
)
def test_a_name_that_can_be_rebound_is_misdirected(host: str) -> None:
    assert status(LOOPBACK, host) == 421
    assert status(WIDE, host) == 421


def test_a_target_of_the_absolute_form_has_a_host_of_its_own() -> None:
    edge = make_edge()
    for target, expected in (
        ("http://localhost/healthz", 200),
        ("http://evil.example/healthz", 421),
        ("http://", 421),
    ):
        assert edge.ask("GET", target).status == expected


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://localhost:5173", 200),
        ("https://127.0.0.1", 200),
        ("http://[::1]:1", 200),
        ("http://evil.example", 403),
        ("http://localhost.evil.example", 403),
        ("null", 403),
        ("", 403),
        ("localhost", 403),
        ("http://localhost/x", 403),
    ],
)
def test_a_web_page_of_elsewhere_is_forbidden(origin: str, expected: int) -> None:
    assert status(LOOPBACK, "localhost", origin) == expected
    assert status(LOOPBACK, "localhost", "http://localhost", origin) == expected


def test_no_cors_headers_are_ever_sent() -> None:
    edge = make_edge()
    answer = edge.ask("OPTIONS", "/channels", headers=(("Origin", "http://localhost"),))
    assert answer.status == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_stranger_is_told_before_its_body_is_read() -> None:
    peer = make_edge().connect()
    peer.send(b"POST /channels HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 1000\r\n\r\n")
    assert [answer.status for answer in peer.answers()] == [421]


async def test_a_server_goes_by_what_it_is_bound_to_and_what_it_is_told(tmp_path: Any) -> None:
    server = await start_server(
        reactor,
        listen=["tcp:0:interface=0.0.0.0", f"unix:{tmp_path}/s", "tcp:0:interface=127.0.0.1"],
        allowed_hosts=["caucus.example"],
    )
    wide, unix, loopback = (one._site.door for one in server.listeners)
    assert (wide.local, unix.local, loopback.local) == (False, True, True)
    for door, host, welcome in (
        (wide, b"192.0.2.1", True),
        (loopback, b"192.0.2.1", False),
        (unix, b"localhost", True),
        (loopback, b"caucus.example", True),
        (unix, b"caucus.example:443", True),
    ):
        assert door._goes_by(host) == welcome
    await server.close()


def test_with_a_read_token_every_read_needs_a_token() -> None:
    edge: Edge = make_edge(read_token=True)
    edge.make_room()
    reads = [
        ("GET", "/channels", None),
        ("GET", "/channels/room", None),
        ("POST", "/channels/room/subscribe", None),
        ("POST", "/channels/room/read", {"cursor": 0}),
        ("GET", "/channels/room/stream", None),
        ("GET", f"/channels/room/artifacts/{'0' * 64}", None),
        ("GET", "/channels/nowhere", None),
    ]
    for method, path, body in reads:
        assert edge.ask(method, path, body).status == 401
        assert edge.ask(method, path, body, "nobody's").status == 401
    assert edge.ask("GET", "/channels/room", token="tok-alice").status == 200
    assert edge.ask("GET", "/healthz").status == 200


async def test_a_client_without_a_token_is_locked_out_of_reads() -> None:
    server = await start_server(reactor, tokens="tok:a:o", read_token=True)
    stranger, friend = HTTPBackbone(reactor, server.url), HTTPBackbone(reactor, server.url, "tok")
    with pytest.raises(Unauthorized):
        await stranger.list_channels()
    assert await friend.list_channels() == []
    for client in (stranger, friend):
        await client.close()
    await server.close()
