"""Raw HTTP against the edge in memory: bytes in, answers out, time on a clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from attrs import frozen
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from caucus.access.tokens import Tokens
from caucus.core.backbone import Backbone
from caucus.edge.door import Door
from caucus.interfaces import IBackbone
from caucus.journals.memory import MemoryJournal
from caucus.limits import Limits
from caucus.listening import AnySite
from tests.providers import make_site, transport

TOKENS = "tok-alice:alice-agent:alice,tok-bob:bob-agent:bob,tok-carol:carol-agent:carol"
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /channels/room/read HTTP/1.1\r\nHost: localhost\r\n"
READ = b'{"cursor":0}'


@frozen
class Answer:
    """One answer: its status, its headers by lower-case name, its body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        """The code of the error envelope, or ``None`` if it is none."""
        error = self.json.get("error")
        return error["code"] if error else None


def parse_answers(data: bytes, *, head: bool = False) -> list[Answer]:
    """Every answer in what a server sent; all of ours say their length."""
    answers = []
    while data:
        top, _, data = data.partition(b"\r\n\r\n")
        first, *lines = top.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        status = int(first.split(" ")[1])
        length = 0 if head or status == 100 else int(headers["content-length"])
        answers.append(Answer(status, headers, data[:length]))
        data = data[length:]
    return answers


class Transport(StringTransport):
    """Remembers how it was ended."""

    aborted = False
    half_closed = False
    pause_after: int | None = None
    """Pause the producer whenever so many bytes wait, as a real transport does."""

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.pause_after is not None and len(self.value()) > self.pause_after:
            self.producer.pauseProducing()  # type: ignore[union-attr]

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def abortConnection(self) -> None:
        self.aborted = True
        self.disconnected = True

    def loseWriteConnection(self) -> None:
        self.half_closed = True


@frozen
class Edge:
    """A server without a socket: open connections to it, and move its clock."""

    site: AnySite
    clock: Clock
    backbone: IBackbone

    def connect(self) -> Peer:
        channel: Any = self.site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 50000))
        transport = Transport(peerAddress=IPv4Address("TCP", "127.0.0.1", 50000))
        channel.makeConnection(transport)
        return Peer(channel, transport)

    def ask(
        self,
        method: str,
        target: str,
        body: object = None,
        token: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> Answer:
        """One request on a connection of its own; ``body`` is sent as it is, or as JSON."""
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        given = [("Host", "localhost:4317"), *headers]
        if token is not None:
            given.append(("Authorization", f"Bearer {token}"))
        if body is not None:
            given.append(("Content-Length", str(len(data))))
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in given), "", ""]
        peer = self.connect()
        peer.send("\r\n".join(lines).encode("utf-8") + data)
        (answer,) = peer.answers(head=method == "HEAD")
        peer.lose()
        return answer

    def make_room(self, token: str = "tok-bob") -> None:
        assert self.ask("POST", "/channels", {"channel": "room"}, token).status == 201


@frozen
class Peer:
    """The other end of one connection."""

    channel: Any
    transport: Transport

    def send(self, data: bytes) -> None:
        self.channel.dataReceived(data)

    def answers(self, *, head: bool = False) -> list[Answer]:
        """The answers since the last look."""
        data = self.transport.value()
        self.transport.clear()
        return parse_answers(data, head=head)

    def lose(self) -> None:
        """Go away; a transport lets go of its producer then."""
        self.transport.producer = None
        self.channel.connectionLost(Failure(ConnectionDone()))

    @property
    def request(self) -> Any:
        """The request that is arriving."""
        return self.channel.requests[0] if transport() == "twisted" else self.channel._intake.arriving

    @property
    def closed(self) -> bool:
        return self.transport.aborted or self.transport.disconnecting


def refusal(peer: Peer) -> tuple[int, str | None]:
    """The one answer that a refused peer gets before the server stops sending."""
    (answer,) = peer.answers()
    assert answer.headers["connection"] == "close"
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert peer.transport.half_closed
    return answer.status, answer.code


def make_edge(
    tokens: Tokens | str = TOKENS,
    backbone: IBackbone | None = None,
    *,
    admin_token: str = "",
    audit: Callable[[str], None] | None = None,
    door: Door | None = None,
    read_token: bool = False,
    http: str | None = None,
    clock: Clock | None = None,
    **limits: int,
) -> Edge:
    """A fresh edge over a fresh backbone, with tokens for alice, bob and carol, as on loopback."""
    if clock is None:
        clock = Clock()
        clock.advance(1_700_000_000)
    capped = Limits(**limits)
    backbone = Backbone(MemoryJournal(), clock, capped) if backbone is None else backbone
    site = make_site(
        backbone, tokens, capped, clock, admin_token, audit, door, read_token=read_token, http=http
    )
    return Edge(site, clock, backbone)
