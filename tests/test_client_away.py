"""The client and what is no backbone: pages, proxies, peers that close, drip or never end."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, cast

import pytest
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionRefusedError  # noqa: A004
from twisted.internet.interfaces import IHostnameResolver
from twisted.internet.task import Clock, deferLater
from zope.interface import implementer

from caucus import HTTPBackbone, Message
from caucus.client.exchange import LOST, NO_CONNECTION
from caucus.errors import (
    AnswerTooLarge,
    CaucusError,
    HttpError,
    StorageUnavailable,
    Unreachable,
)
from tests.providers import start_server
from tests.test_client import JSON, Counterpart, answering

NOTE = Message("note", "text")
EVENTS = b"Content-Type: text/event-stream\r\n"
HTML = b"Content-Type: text/html; charset=utf-8\r\n"
CHANNELS = answering(b"200 OK", b'{"channels":[]}')
APPENDED = answering(
    b"201 Created",
    b'{"message":{"type":"note","body":"text","msg_id":"01ARZ3NDEKTSV4RRFFQ69G5FAV"},"cursor":1}',
)


def stream(body: bytes, headers: bytes = EVENTS) -> bytes:
    """A response that ends with its connection."""
    return b"HTTP/1.1 200 OK\r\n" + headers + b"Connection: close\r\n\r\n" + body


def close(transport: Any) -> None:
    transport.loseConnection()


async def a_while() -> None:
    """Long enough for whatever does not wait for the clock."""
    await deferLater(reactor, 0.05)


# Following


async def test_a_stream_that_closes_at_once_is_opened_anew_ever_more_seldom() -> None:
    clock = Clock()
    async with Counterpart(stream(b": hi\n\n"), close) as there:
        client = HTTPBackbone(reactor, there.url, clock=clock)
        reading = Deferred.fromCoroutine(client.follow("room", 0).__anext__())
        for attempt, longest in enumerate((0.5, 1, 2, 4), start=1):
            await there.until(attempt)
            await a_while()
            assert len(there.received) == attempt
            clock.advance(longest)
        reading.cancel()
        reading.addErrback(lambda _: None)
        await client.close()


async def test_a_stream_that_repeats_itself_and_closes_is_not_asked_without_a_pause() -> None:
    clock = Clock()
    event = b'id: 1\ndata: {"type":"note","body":"b","msg_id":"m"}\n\n'
    async with Counterpart(stream(event), close) as there:
        client = HTTPBackbone(reactor, there.url, clock=clock)
        follow = client.follow("room", 0)
        assert (await follow.__anext__()).cursor == 1
        reading = Deferred.fromCoroutine(follow.__anext__())
        await a_while()
        assert len(there.received) == 1
        clock.advance(0.5)
        await there.until(2)
        await a_while()
        assert len(there.received) == 2
        reading.cancel()
        reading.addErrback(lambda _: None)
        await client.close()


@pytest.mark.parametrize(
    "answer",
    [
        stream(b"<html>", HTML),
        stream(b"", b""),
        stream(b'{"ok":true}', JSON),
        stream(b"<!doctype html><p>hello</p>\n"),
        stream(b"dear reader\n\n"),
        stream(b"id: nine\ndata: {}\n\n"),
        stream(b"id: " + b"9" * 5000 + b"\ndata: {}\n\n"),
        stream(b"id: 1\ndata: {nonsense\n\n"),
        stream(b"id: 1\ndata: {}\n\n"),
        stream(b"data: " + b"x" * 1_100_000),
    ],
    ids=["page", "untyped", "json", "named so", "prose", "id", "long id", "no json", "no message", "endless"],
)
async def test_what_is_no_stream_of_messages_is_raised_and_not_tried_again(answer: bytes) -> None:
    async with Counterpart(answer, close) as there:
        follow = there.client.follow("room", 0)
        with pytest.raises(HttpError) as caught:
            await follow.__anext__()
        assert caught.value.status == 200
        assert len(there.received) == 1


# Asking


@pytest.mark.parametrize(
    "away",
    [
        answering(b"502 Bad Gateway", b"oops", b"Content-Type: text/plain\r\n"),
        answering(b"503 Service Unavailable", b"<html>", HTML),
        answering(b"504 Gateway Timeout", b"", b""),
        answering(b"200 OK", b"<html>starting</html>", HTML),
        answering(b"404 Not Found", b"<html>no such site</html>", HTML),
        answering(
            b"503 Service Unavailable", b'{"error":{"code":"overloaded","message":"","retry_after":1}}'
        ),
    ],
    ids=["502", "503", "504", "page", "404 page", "overloaded"],
)
async def test_a_proxy_whose_server_is_away_is_asked_again_with_the_same_key(away: bytes) -> None:
    clock = Clock()
    async with Counterpart(away) as there:
        client = HTTPBackbone(reactor, there.url, "s3cret", clock=clock, retry_seconds=10)
        for operation, answer in (
            (client.list_channels, CHANNELS),
            (lambda: client.append("room", NOTE), APPENDED),
        ):
            there.answer = away
            there.received.clear()
            asking: Deferred[Any] = operation()
            await there.until(1)
            await a_while()
            assert len(there.received) == 1
            there.answer = answer
            clock.advance(0.1)
            await asking
            keys = [line for one in there.received for line in one.split(b"\r\n") if b"Idempotency" in line]
            assert len(there.received) == 2
            assert len(set(keys)) == len(keys) / 2
        await client.close()


async def test_who_waits_for_a_claim_waits_on_when_its_server_is_started_again() -> None:
    clock = Clock()
    claim = (
        b'{"claim":7,"fence":8,"targets":["t"],"agent_id":"a","owner":"o","note":"n","ts":"t","msg_id":"m",'
    )
    held = answering(b"200 OK", claim + b'"cursor":1,"lease_ttl":900,"expires_in":900}')
    async with Counterpart(b"") as there:
        client = HTTPBackbone(reactor, there.url, "s3cret", clock=clock, retry_seconds=10)
        asking = client.get_claim("room", 7, wait=50)
        await there.until(1)
        clock.advance(40)  # longer than the timeout, and than anything else is tried again for
        there.answer = held
        for peer in there._peers:
            close(peer.transport)
        await a_while()
        clock.advance(0.1)
        assert (await asking).claim == 7
        assert [one.split(b" ")[1] for one in there.received] == [b"/channels/room/claims/7?wait=50"] * 2
        await client.close()


async def test_a_proxy_that_stays_is_an_http_error_at_the_end() -> None:
    clock = Clock()
    async with Counterpart(answering(b"502 Bad Gateway", b"")) as there:
        client = HTTPBackbone(reactor, there.url, clock=clock, retry_seconds=1)
        asking = client.list_channels()
        for attempt in range(1, 20):
            await there.until(attempt)
            await a_while()
            if asking.called:
                break
            clock.advance(0.5)
        with pytest.raises(HttpError) as caught:
            await asking
        assert caught.value.status == 502
        await client.close()


@pytest.mark.parametrize(
    "headers",
    [
        b"Retry-After: 3\r\n",
        b"Date: Thu, 26 Nov 2026 10:00:00 GMT\r\nRetry-After: Thu, 26 Nov 2026 10:00:03 GMT\r\n",
    ],
    ids=["seconds", "date"],
)
async def test_what_retry_after_says_is_waited_for(headers: bytes) -> None:
    clock = Clock()
    async with Counterpart(answering(b"503 Service Unavailable", b"", headers)) as there:
        client = HTTPBackbone(reactor, there.url, clock=clock, retry_seconds=10)
        asking = client.list_channels()
        await there.until(1)
        await a_while()
        there.answer = CHANNELS
        clock.advance(2.9)
        await a_while()
        assert len(there.received) == 1
        clock.advance(0.1)
        assert await asking == []
        await client.close()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (answering(b"503 Service Unavailable", b"", b"Retry-After: 11\r\n"), HttpError),
        (answering(b"500 Internal Server Error", b"oops", b""), HttpError),
        (
            answering(
                b"503 Service Unavailable",
                b'{"error":{"code":"storage_unavailable","message":"has stalled Wait ~1s"}}',
            ),
            StorageUnavailable,
        ),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", Unreachable),
    ],
    ids=["longer than there is time", "500", "a refusal", "ssh"],
)
async def test_what_asking_again_does_not_help_is_told_at_once(
    answer: bytes, kind: type[CaucusError]
) -> None:
    async with Counterpart(answer, close) as there:
        client = HTTPBackbone(reactor, there.url, clock=Clock(), retry_seconds=10)
        with pytest.raises(kind) as caught:
            await client.list_channels()
        assert len(there.received) == 1
        if isinstance(caught.value, Unreachable):
            assert caught.value.reason not in (LOST, NO_CONNECTION)
            assert not caught.value.retryable
        await client.close()
    await a_while()  # it hears of the end a little later than its peer


async def test_a_long_answer_over_a_slow_link_is_read_and_one_that_stops_is_given_up() -> None:
    clock = Clock()
    body = b'{"channels":[' + b" " * 1000 + b"]}"
    whole = answering(b"200 OK", body)
    peers: list[Any] = []
    async with Counterpart(b"", peers.append) as there:
        client = HTTPBackbone(reactor, there.url, clock=clock, timeout=35)
        for is_whole in (True, False):
            peers.clear()
            asking: Deferred[Any] = client.list_channels()
            await there.until(1 if is_whole else 2)
            for start in range(0, len(whole), 100):
                clock.advance(34)
                if is_whole or start < 500:
                    peers[0].write(whole[start : start + 100])
                await a_while()
                if asking.called:
                    break
            if is_whole:
                assert await asking == []
            else:
                with pytest.raises(Unreachable, match="it took too long"):
                    await asking
        await client.close()
    await a_while()


async def test_an_answer_over_the_cap_is_refused_while_it_arrives() -> None:
    async with Counterpart(answering(b"200 OK", b"x" * 10_000)) as there:
        client = HTTPBackbone(reactor, there.url, max_answer_bytes=1000)
        with pytest.raises(AnswerTooLarge) as caught:
            await client.list_channels()
        assert caught.value.limit == 1000
        there.answer = answering(b"500 Internal Server Error", b"x" * 10_000)
        with pytest.raises(HttpError):
            await client.list_channels()
        await client.close()


async def test_evidence_that_is_not_what_its_address_says_is_a_page() -> None:
    data = b"evidence"
    address = sha256(data).hexdigest()
    octets = b"Content-Type: application/octet-stream\r\n"
    async with Counterpart(answering(b"200 OK", data, octets)) as there:
        assert await there.client.get_artifact("room", address) == data
        there.answer = answering(b"200 OK", b"<html>", octets)
        with pytest.raises(HttpError):
            await there.client.get_artifact("room", address)


# Names


@implementer(IHostnameResolver)
class AllHere:
    """Every name is the loopback address."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def resolveHostName(
        self,
        resolutionReceiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Any = None,
        transportSemantics: str = "TCP",
    ) -> Any:
        self.names.append(hostName)
        resolutionReceiver.resolutionBegan(self)
        resolutionReceiver.addressResolved(IPv4Address("TCP", "127.0.0.1", portNumber))
        resolutionReceiver.resolutionComplete()
        return resolutionReceiver


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("caucus_backbone", "caucus_backbone"),
        ("Room.Example.", "room.example"),
        ("bücher.example", "xn--bcher-kva.example"),
    ],
)
async def test_a_name_is_looked_up_and_sent_as_it_is_in_ascii(name: str, sent: str) -> None:
    running: Any = reactor
    resolver = AllHere()
    before = running.installNameResolver(resolver)
    server = await start_server(reactor, allowed_hosts=[sent])
    client = HTTPBackbone(reactor, f"http://{name}:{server.port}", retry_seconds=0)
    try:
        assert await client.list_channels() == []
        assert [one.rstrip(".") for one in resolver.names] == [sent]
    finally:
        running.installNameResolver(before)
        await client.close()
        await server.close()


async def test_a_callers_own_client_is_given_the_url_as_it_is() -> None:
    asked: list[str] = []

    class Own:
        def request(self, method: str, url: str, **_: Any) -> Deferred[Any]:
            asked.append(url)
            return fail(ConnectionRefusedError())

    client = HTTPBackbone(
        Clock(), "http://room.example:4317/caucus", treq=cast("Any", Own()), retry_seconds=0
    )
    with pytest.raises(Unreachable):
        await client.list_channels()
    assert asked == ["http://room.example:4317/caucus/channels"]
