"""The client beyond the interface: servers that are not there, or are no backbones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock, deferLater
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool

from caucus import HTTPBackbone, Identity, Message
from caucus.errors import (
    ArtifactIntegrity,
    HttpError,
    InvalidChannelName,
    InvalidMessage,
    Unauthorized,
    UnknownChannel,
    Unreachable,
)
from tests.providers import MemoryEndpoint, MemoryEndpoints, start_server
from tests.raw import make_edge

NOTE = Message("note", "text")
JSON = b"Content-Type: application/json\r\n"


class Scripted(Protocol):
    """Answers every piece of input with the same bytes, then does ``after``; remembers what it got."""

    def __init__(
        self,
        answer: bytes,
        after: Callable[[Any], None],
        received: list[bytes],
        connected_to: list[Scripted],
    ) -> None:
        self.answer = answer
        self.after = after
        self.received = received
        self.connected_to = connected_to

    def connectionMade(self) -> None:
        self.gone: Deferred[None] = Deferred()
        self.connected_to.append(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.gone.callback(None)

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.received.append(data)
        self.transport.write(self.answer)
        self.after(self.transport)


def answering(status: bytes, body: bytes, headers: bytes = JSON) -> bytes:
    length = b"Content-Length: %d\r\n" % len(body)
    return b"HTTP/1.1 " + status + b"\r\n" + headers + length + b"Connection: close\r\n\r\n" + body


class Counterpart:
    """A scripted server on a real socket, and a client to it that tries once."""

    reactor: Any = reactor

    def __init__(self, answer: bytes, after: Callable[[Any], None] = lambda transport: None) -> None:
        self.received: list[bytes] = []
        self.answer, self.after = answer, after
        self._peers: list[Scripted] = []
        self._factory = Factory.forProtocol(
            lambda: Scripted(self.answer, self.after, self.received, self._peers)
        )

    async def __aenter__(self) -> Counterpart:
        self.port: Any = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(self._factory)
        self.url = f"http://127.0.0.1:{self.port.getHost().port}"
        self.client = HTTPBackbone(reactor, self.url, "s3cret", retry_seconds=0)
        return self

    async def until(self, received: int) -> None:
        """Wait until so much was received."""
        while len(self.received) < received:
            await deferLater(reactor, 0.005)

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()
        for peer in self._peers:
            peer.transport.loseConnection()  # type: ignore[union-attr]
            await peer.gone
        await self.port.stopListening()


async def test_a_server_that_is_not_there_is_unreachable_and_may_be_retried() -> None:
    port: Any = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(Factory())
    url = f"http://127.0.0.1:{port.getHost().port}"
    await port.stopListening()
    client = HTTPBackbone(reactor, url, "s3cret", retry_seconds=0)
    for operation in (client.list_channels, lambda: client.append("room", NOTE)):
        with pytest.raises(Unreachable) as caught:
            await operation()
        assert caught.value.retryable
        assert "Trying again can help" in str(caught.value)
        assert "s3cret" not in str(caught.value)


async def test_a_connection_lost_under_a_write_leaves_its_outcome_unknown() -> None:
    async with Counterpart(b"", lambda transport: transport.abortConnection()) as there:
        for operation in (there.client.subscribe("room"), there.client.read_since("room", 0)):
            with pytest.raises(Unreachable) as read:
                await operation
            assert read.value.retryable
        with pytest.raises(Unreachable) as written:
            await there.client.append("room", NOTE)
    assert not written.value.retryable
    assert "not safe" in str(written.value)


async def test_an_answer_cut_short_is_no_answer() -> None:
    cut = answering(b"200 OK", b'{"channels":[]}')[:-4]
    async with Counterpart(cut, lambda transport: transport.loseConnection()) as there:
        with pytest.raises(Unreachable):
            await there.client.list_channels()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (b"200 OK", b"<html>hello</html>"),
        (b"200 OK", b"[]"),
        (b"200 OK", b'{"channels":[{}]}'),
        (b"200 OK", b'{"channels":[]'),
        (b"200 OK", b"\xff"),
        (b"204 No Content", b""),
        (b"502 Bad Gateway", b"<html>oops</html>"),
        (b"404 Not Found", b'{"error":"nope"}'),
    ],
)
async def test_what_no_backbone_says_is_an_http_error(status: bytes, body: bytes) -> None:
    async with Counterpart(answering(status, body)) as there:
        with pytest.raises(HttpError) as caught:
            await there.client.list_channels()
    assert caught.value.status == int(status[:3])


async def test_redirects_are_refused_and_the_token_goes_nowhere_else() -> None:
    other = b"Location: http://127.0.0.1:1/channels\r\n"
    async with Counterpart(answering(b"307 Temporary Redirect", b"", other)) as there:
        with pytest.raises(HttpError) as caught:
            await there.client.list_channels()
        assert caught.value.status == 307
        assert len(there.received) == 1


async def test_the_token_is_in_the_authorization_header_and_nowhere_else() -> None:
    async with Counterpart(answering(b"404 Not Found", b"")) as there:
        with pytest.raises(HttpError):
            await there.client.append("room", NOTE)
        assert repr(there.client).startswith("<HTTPBackbone http://127.0.0.1:")
        assert "s3cret" not in repr(there.client)
    sent = b"".join(there.received)
    assert sent.count(b"s3cret") == 1
    assert b"\r\nAuthorization: Bearer s3cret\r\n" in sent


async def test_an_operation_that_takes_too_long_is_given_up() -> None:
    clock = Clock()
    async with Counterpart(b"") as there:
        client = HTTPBackbone(
            reactor, f"http://127.0.0.1:{there.port.getHost().port}", clock=clock, timeout=7
        )
        started = (
            (client.list_channels, True),
            (lambda: client.append("room", NOTE), False),
        )
        for start, retryable in started:
            operation: Deferred[Any] = start()
            clock.advance(6.9)
            assert not operation.called
            clock.advance(0.1)
            with pytest.raises(Unreachable) as caught:
                await operation
            assert caught.value.retryable is retryable
        assert clock.getDelayedCalls() == []


@pytest.mark.parametrize("seconds", [0, 0.05], ids=["connecting", "waiting"])
async def test_an_operation_can_be_cancelled(seconds: float) -> None:
    async with Counterpart(b"") as there:
        operation: Deferred[Any] = there.client.list_channels()
        if seconds:
            await deferLater(reactor, seconds)
        operation.cancel()
        with pytest.raises(CancelledError):
            await operation


async def test_a_connection_is_used_again_for_less_than_the_server_keeps_it() -> None:
    edge = make_edge()
    endpoint = MemoryEndpoint(edge.site, [])
    pool = HTTPConnectionPool(edge.clock)
    pool.cachedConnectionTimeout = 4
    treq = HTTPClient(Agent.usingEndpointFactory(edge.clock, MemoryEndpoints(endpoint), pool))
    client = HTTPBackbone(edge.clock, "http://localhost", treq=treq, clock=edge.clock)

    async def ask() -> None:
        operation = client.list_channels()
        while sum(pump.pump() for pump in endpoint.pumps):
            pass
        assert await operation == []

    for _ in range(3):
        await ask()
        edge.clock.advance(3.9)
    assert len(endpoint.pumps) == 1
    edge.clock.advance(0.2)
    await ask()
    assert len(endpoint.pumps) == 2


async def test_a_token_that_the_server_does_not_know_is_unauthorized() -> None:
    server = await start_server(reactor, tokens="good:a:o")
    for token in ("", "bad"):
        client = HTTPBackbone(reactor, server.url, token)
        with pytest.raises(Unauthorized):
            await client.create_channel("room")
        await client.close()
    await server.close()


async def test_an_unknown_channel_is_told_from_an_unknown_artifact() -> None:
    server = await start_server(reactor, tokens="good:a:o")
    client = HTTPBackbone(reactor, server.url, "good")
    await client.create_channel("room")
    assert await client.get_artifact("room", "0" * 64) is None
    with pytest.raises(UnknownChannel):
        await client.get_artifact("nowhere", "0" * 64)
    await client.close()
    await server.close()


async def test_a_unix_socket_is_dialled_by_its_url(tmp_path: Any) -> None:
    server = await start_server(reactor, listen=[f"unix:{tmp_path}/room.sock"], tokens="good:a:o")
    assert server.url.startswith("http+unix://%2F")
    client = HTTPBackbone(reactor, server.url, "good")
    assert (await client.create_channel("room")).created_by == "o"
    await client.close()
    await server.close()


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:4317",
        "ftp://x",
        "http://",
        "http://me:pw@x",
        "http://x?q",
        "http://x#f",
        "http://127.0.0.1:notaport",
        "http://127.0.0.1:65536",
        "http://127.0.0.1:0",
        "http://127.0.0.1:-1",
        " http://127.0.0.1:4317",
        "http://127.0.0.1:4317\n",
        "http://exa\tmple",
        f"http://{'a' * 64}.example",
        f"http://{'a.' * 130}example",
        "http://a..b",
        "http://a%20b",
        "http://a,b",
        "http://[::1",
        "http://[nonsense]",
        "http://\u2603\ufe0f..x",
        "https://under_score.example",
        "http+unix://",
        "http+unix://%2Ftmp%2Fa%00b",
        "http+unix://" + "%2F" * 108,
    ],
)
def test_a_url_that_is_no_servers_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="URL of a backbone"):
        HTTPBackbone(reactor, url)


@pytest.mark.parametrize("token", ["\ud800", "tok\r\nX: y", "é"])
def test_a_token_that_no_header_can_carry_is_refused_at_once(token: str) -> None:
    with pytest.raises(ValueError, match="a token is printable ASCII") as caught:
        HTTPBackbone(reactor, "http://127.0.0.1:1", token)
    assert token not in str(caught.value)


async def test_a_url_may_have_a_path() -> None:
    async with Counterpart(answering(b"200 OK", b'{"channels":[]}')) as there:
        client = HTTPBackbone(reactor, f"http://127.0.0.1:{there.port.getHost().port}/caucus/")
        assert await client.list_channels() == []
        await client.close()
    assert there.received[0].startswith(b"GET /caucus/channels HTTP/1.1\r\n")


async def test_what_json_cannot_say_does_not_leave() -> None:
    client = HTTPBackbone(reactor, "http://127.0.0.1:1")
    for value in (object(), "\ud800", {1: object()}):
        with pytest.raises(InvalidMessage):
            await client.append("room", {"body": value})
    with pytest.raises(InvalidChannelName):
        await client.describe_channel("..")


@pytest.mark.parametrize(
    "module", ["caucus", "caucus.client", "caucus.client.backbone", "caucus.testing.kit"]
)
def test_importing_the_client_imports_no_reactor(module: str) -> None:
    check = f"import sys, {module}; sys.exit('twisted.internet.reactor' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_the_public_names_are_all_there() -> None:
    import caucus  # noqa: PLC0415

    for name in caucus.__all__:
        assert getattr(caucus, name).__name__ == name
        assert name in dir(caucus)
    with pytest.raises(AttributeError, match="nonsense"):
        caucus.nonsense  # noqa: B018


@pytest.mark.parametrize("message", [None, b"{}", "text", 7])
async def test_what_is_no_message_is_refused_before_anything_is_sent(message: Any) -> None:
    client = HTTPBackbone(reactor, "http://127.0.0.1:1", "tok")
    for operation in (client.append, client.claim, client.mark_claim_done):
        with pytest.raises(InvalidMessage, match="must be a Message"):
            await operation("room", message)
    with pytest.raises(InvalidMessage, match="must be a Message"):
        await client.reassign_claim("room", message, Identity("a", "o"))


async def test_evidence_over_http_is_what_it_is_in_process() -> None:
    server = await start_server(reactor, tokens="tok:a:o")
    client = HTTPBackbone(reactor, server.url, "tok")
    await client.create_channel("room")
    odd: Any = bytearray(b"data")
    address = sha256(b"data").hexdigest()
    assert (await client.put_artifact("room", address, odd)).size == 4
    nothing: Any = None
    assert await client.get_artifact("room", nothing) is None
    with pytest.raises(ArtifactIntegrity):
        await client.put_artifact("room", nothing, b"data")
    await client.close()
    await server.close()
