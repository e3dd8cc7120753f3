"""A server inside a program: what it starts, what it says of itself, what it leaves behind."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

from caucus import Appended, HTTPBackbone, Identity, Limits, Message
from caucus.core.backbone import Backbone
from caucus.edge.access_log import AccessLog
from caucus.errors import ConfigurationError, InternalError, RateLimited, Unauthorized, Unreachable
from caucus.interfaces import IBackbone
from caucus.journals.memory import MemoryJournal
from caucus.journals.reader import Reader
from caucus.model.events import ChannelCreated, OwingBegan, RunBegan, RunEnded, Stepped
from caucus.model.messages import fields_of
from caucus.settings import Settings
from tests.journals import SlowJournal
from tests.providers import start_server

TOKENS = "tok:alice-agent:alice"


async def test_a_server_is_started_used_and_closed() -> None:
    server = await start_server(reactor, tokens=TOKENS)
    assert server.url == f"http://127.0.0.1:{server.port}"
    assert server.bound_host == "127.0.0.1"
    alice = HTTPBackbone(reactor, server.url, "tok")
    await alice.create_channel("room")
    assert (await alice.append("room", Message("note", "x"))).message.owner == "alice"
    await server.close()
    with pytest.raises(Unreachable):
        await alice.list_channels()
    again = await start_server(reactor, port=server.port)
    await again.close()


async def test_closing_twice_waits_for_the_same_end() -> None:
    server = await start_server(reactor)
    first, second = server.close(), server.close()
    await first
    await second
    await server.close()


async def test_closing_closes_the_journal() -> None:
    journal = SlowJournal()
    server = await start_server(reactor, journal=journal)
    await server.close()
    assert journal.closed


async def test_the_journal_is_replayed_before_anyone_is_answered() -> None:
    journal = SlowJournal()
    Backbone(journal, Clock()).create_channel("room")
    server = await start_server(reactor, journal=SlowJournal(journal.events))
    client = HTTPBackbone(reactor, server.url)
    assert [one.channel for one in await client.list_channels()] == ["room"]
    await client.close()
    await server.close()


async def test_a_backbone_of_the_callers_own_is_served() -> None:
    clock = Clock()
    backbone = Backbone(MemoryJournal(), clock)
    server = await start_server(reactor, backbone=backbone, tokens=TOKENS)
    client = HTTPBackbone(reactor, server.url, "tok")
    await client.create_channel("room")
    assert await backbone.subscribe("room") == 0
    assert server.backbone is backbone
    assert IBackbone.providedBy(server.backbone)
    await client.close()
    await server.close()


async def test_limits_are_the_servers() -> None:
    server = await start_server(reactor, tokens=TOKENS, limits=Limits(max_channel_creates_per_minute=1))
    client = HTTPBackbone(reactor, server.url, "tok")
    await client.create_channel("one")
    with pytest.raises(RateLimited):
        await client.create_channel("two")
    await client.close()
    await server.close()


@pytest.mark.parametrize(
    ("host", "bound", "dialled"),
    [
        ("0.0.0.0", "0.0.0.0", "127.0.0.1"),
        ("::", "::", "[::1]"),
        ("::1", "::1", "[::1]"),
        ("localhost", "127.0.0.1", "127.0.0.1"),
    ],
)
async def test_a_url_can_be_dialled_whatever_was_bound(host: str, bound: str, dialled: str) -> None:
    server = await start_server(reactor, host=host)
    assert (server.bound_host, server.url) == (bound, f"http://{dialled}:{server.port}")
    assert server.listeners[0].loopback == (bound not in ("0.0.0.0", "::"))
    client = HTTPBackbone(reactor, server.url)
    assert await client.list_channels() == []
    await client.close()
    await server.close()


async def test_several_listeners_serve_one_backbone(tmp_path: Any) -> None:
    socket = tmp_path / "a b.sock"
    server = await start_server(
        reactor, listen=["tcp:0:interface=127.0.0.1", f"unix:{socket}"], tokens=TOKENS
    )
    assert server.listeners[1].url == "http+unix://" + str(socket).replace("/", "%2F").replace(" ", "%20")
    assert (server.listeners[1].port, server.listeners[1].bound_host) == (0, str(socket))
    over_tcp, over_unix = (HTTPBackbone(reactor, one.url, "tok") for one in server.listeners)
    await over_tcp.create_channel("room")
    assert [one.channel for one in await over_unix.list_channels()] == ["room"]
    await over_tcp.close()
    await over_unix.close()
    await server.close()
    assert not socket.exists()


async def test_a_journal_that_cannot_be_replayed_is_closed_and_named() -> None:
    class Torn(SlowJournal):
        def replay(self, apply: object, undo: object) -> Deferred[None]:
            return fail(OSError("page 7 is torn"))

    journal = Torn()
    with pytest.raises(ConfigurationError, match=r"^the journal cannot be replayed: page 7 is torn$"):
        await start_server(reactor, journal=journal)
    assert journal.closed


async def test_a_start_that_is_cancelled_leaves_nothing_open() -> None:
    class Endless(SlowJournal):
        def replay(self, apply: object, undo: object) -> Deferred[None]:
            return Deferred()

    journal = Endless()
    starting = start_server(reactor, journal=journal)
    starting.cancel()
    with pytest.raises(CancelledError):
        await starting
    assert journal.closed


async def test_an_error_that_only_a_client_knows_is_answered_as_our_own_fault(
    logged_failures: list[Failure],
) -> None:
    gone = HTTPBackbone(reactor, "http://127.0.0.1:1")
    server = await start_server(reactor, backbone=gone)
    client = HTTPBackbone(reactor, server.url)
    with pytest.raises(InternalError):
        await client.list_channels()
    assert [failure.type for failure in logged_failures] == [Unreachable]
    logged_failures.clear()
    await client.close()
    await server.close()


async def test_a_port_in_use_is_one_clear_line_and_nothing_stays_open(tmp_path: Any) -> None:
    taken = await start_server(reactor)
    journal = SlowJournal()
    listen = [f"unix:{tmp_path}/room.sock", f"tcp:{taken.port}:interface=127.0.0.1"]
    with pytest.raises(ConfigurationError, match=r"^cannot listen on tcp:\d+:.*: Address already in use$"):
        await start_server(reactor, listen=listen, journal=journal)
    assert journal.closed
    assert not (tmp_path / "room.sock").exists()
    await taken.close()


@pytest.mark.parametrize(
    "settings",
    [
        {"listen": ["nonsense:1"]},
        {"listen": ["tcp:x"]},
        {"listen": ["tcp"]},
        {"listen": [""]},
        {"listen": ["ssl:0"]},
        {"listen": ["unix:/nonexistent/dir/socket"]},
        {"host": "no.such.host.invalid"},
        {"tokens": "secret"},
        {"journal": "tape:"},
    ],
)
async def test_what_cannot_be_started_fails_with_one_line(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await start_server(reactor, **settings)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


# The access log


class Log:
    """The access lines logged while it is open."""

    def __enter__(self) -> list[str]:
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self._observe)
        return self.lines

    def __exit__(self, *_: object) -> None:
        globalLogPublisher.removeObserver(self._observe)

    @property
    def _observe(self) -> ILogObserver:
        if not hasattr(self, "_observer"):

            @implementer(ILogObserver)
            def observe(event: LogEvent) -> None:
                if event.get("log_namespace") == "caucus.access":
                    self.lines.append(str(event["lines"]))

            self._observer: Any = observe
        return self._observer  # type: ignore[no-any-return]


def add(access: AccessLog, target: bytes = b"/channels?since=1", agent: str | None = "alice") -> None:
    access.add("127.0.0.1", b"GET", target, 200, 15, 0.0012, agent)


def test_access_lines_are_handed_on_together_by_a_timer() -> None:
    clock = Clock()
    access = AccessLog(clock, lambda: 1_700_000_000)
    with Log() as events:
        add(access)
        add(access, agent=None)
        assert events == []
        clock.advance(1)
        assert clock.getDelayedCalls() == []
    assert events == [
        '2023-11-14T22:13:20.000Z 127.0.0.1 GET /channels 200 15B 1.2ms "alice"\n'
        "2023-11-14T22:13:20.000Z 127.0.0.1 GET /channels 200 15B 1.2ms -"
    ]


def test_a_full_buffer_does_not_wait_for_the_timer() -> None:
    clock = Clock()
    access = AccessLog(clock, clock.seconds)
    with Log() as events:
        for _ in range(1000):
            add(access)
    assert len(events) == 1
    assert clock.getDelayedCalls() == []


def test_an_access_line_stays_one_line_whatever_is_sent() -> None:
    access = AccessLog(Clock(), lambda: 0)
    with Log() as events:
        add(access, b"/\x1b[31m\xff\x85" + b"x" * 500, agent='a"\x1b\n')
        access.flush()
        access.flush()
    (line,) = events
    assert line.isprintable()
    assert len(line) < 400


async def test_requests_are_logged_without_tokens_bodies_or_queries() -> None:
    with Log() as events:
        server = await start_server(reactor, tokens="s3cret:alice-agent:alice")
        client = HTTPBackbone(reactor, server.url, "s3cret")
        await client.create_channel("room", purpose="hidden")
        await client.close()
        await server.close()
    (line,) = "\n".join(events).splitlines()
    assert " 127.0.0.1 POST /channels 201 " in line
    assert line.endswith('"alice-agent"')
    assert "s3cret" not in line
    assert "hidden" not in line


async def test_what_one_server_mints_is_nothing_to_another_of_the_same_settings() -> None:
    settings = Settings(tokens=TOKENS)
    one, two = await start_server(reactor, settings), await start_server(reactor, settings)
    minted: Any = one.backbone
    digest = sha256(b"minted").digest()
    await minted.change_tokens((digest, Identity("a", "o")))
    for server, taken in ((one, True), (two, False)):
        client = HTTPBackbone(reactor, server.url, "minted")
        making = client.create_channel("room")
        if taken:
            await making
        else:
            with pytest.raises(Unauthorized):
                await making
        await client.close()
        await server.close()


async def test_an_argument_wins_over_the_settings() -> None:
    server = await start_server(reactor, Settings(), read_token=True)
    client = HTTPBackbone(reactor, server.url)
    with pytest.raises(Unauthorized):
        await client.list_channels()
    await client.close()
    await server.close()


def test_settings_show_no_secret() -> None:
    settings = Settings(tokens="s3cret:a:o", admin_token="s3cret", journal="postgres://me:s3cret@db/x")
    assert "s3cret" not in repr(settings)


class Foreign:
    """Somebody else's provider, as far as this test asks."""

    def __init__(self) -> None:
        self.given: list[object] = []

    def append(self, channel: str, message: Any) -> Deferred[Appended]:
        self.given.append(fields_of(message))
        return succeed(Appended(b'{"type":"note","msg_id":"x","body":"x"}', 1))


async def test_a_foreign_backbone_is_given_what_it_can_read_as_a_message() -> None:
    foreign: Any = Foreign()
    server = await start_server(reactor, tokens=TOKENS, backbone=foreign)
    client = HTTPBackbone(reactor, server.url, "tok")
    await client.append("room", Message("note", "x", msg_id="01ARZ3NDEKTSV4RRFFQ69G5FAV"))
    assert foreign.given[0]["body"] == "x"
    assert {"agent_id", "owner", "msg_id", "type"} <= foreign.given[0].keys()
    await client.close()
    await server.close()


async def test_a_start_that_cannot_listen_leaves_no_alarm_and_takes_no_grace(tmp_path: Path) -> None:
    journal = f"sqlite:{tmp_path / 'room.db'}"
    server = await start_server(reactor, journal=journal)
    await server.backbone.create_channel("room")
    lease = Message("claim", "mine", target="t", agent_id="a", owner="o", lease_ttl=60)
    await server.backbone.claim("room", lease)
    taken = await start_server(reactor)
    await server.close()
    for _ in range(2):
        with pytest.raises(ConfigurationError):
            await start_server(reactor, journal=journal, port=taken.port)
    timers: Any = reactor
    assert [call for call in timers.getDelayedCalls() if "Alarm" in repr(call)] == []
    await taken.close()
    events = [type(row.event) for row in Reader(tmp_path / "room.db").rows()]
    assert events == [RunBegan, OwingBegan, ChannelCreated, Stepped, RunEnded]
