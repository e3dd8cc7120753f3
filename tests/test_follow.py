"""Following a channel through lost connections: every message once, in order."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st
from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock, deferLater
from twisted.web.client import Agent, HTTPConnectionPool

from caucus import HTTPBackbone
from caucus.client.follow import Follow
from caucus.core.backbone import Backbone
from caucus.errors import InvalidCursor, Unauthorized, UnknownChannel, Unreachable
from caucus.journals.memory import MemoryJournal
from caucus.limits import Limits
from caucus.model.messages import Message
from caucus.model.records import Page
from caucus.wire.frames import EventParser, frames
from tests.providers import MemoryEndpoint, MemoryEndpoints, start_server
from tests.raw import TOKENS, Edge, make_edge

ROOMY: dict[str, Any] = {"max_posts_per_minute": 10**6}


class Net:
    """A client and an edge in memory; connections can be cut after any number of bytes."""

    def __init__(self, **options: Any) -> None:
        self.edge: Edge = make_edge(**ROOMY, **options)
        self.edge.make_room()
        self.endpoint = MemoryEndpoint(self.edge.site, [])
        self.client = self._client()
        self.got: list[tuple[int, str]] = []

    def _client(self) -> HTTPBackbone:
        clock = self.edge.clock
        pool = HTTPConnectionPool(clock)
        treq = HTTPClient(Agent.usingEndpointFactory(clock, MemoryEndpoints(self.endpoint), pool))
        return HTTPBackbone(clock, "http://localhost", "tok-alice", treq=treq, clock=clock)

    def post(self, *bodies: str) -> None:
        for body in bodies:
            self.edge.backbone.append("room", Message("note", body, agent_id="a", owner="o"))
        self.edge.clock.advance(0)

    def settle(self) -> None:
        while sum(pump.pump() for pump in self.endpoint.pumps):
            pass

    def follow(self, cursor: int = 0) -> Follow:
        """Follow the room, and collect what comes."""
        follow = self.client.follow("room", cursor)
        self.reading = Deferred.fromCoroutine(self._collect(follow))
        self.reading.addErrback(self._failed)
        self.error: BaseException | None = None
        self.settle()
        return follow

    async def _collect(self, follow: Follow) -> None:
        async for appended in follow:
            self.got.append((appended.cursor, appended.message.body))

    def _failed(self, failure: Any) -> None:
        self.error = failure.value

    def cut(self, keep: int | None = None) -> None:
        """End the newest connection, delivering only ``keep`` more of the server's bytes."""
        pump = self.endpoint.pumps[-1]
        data = pump.serverIO.getOutBuffer()
        if keep is not None:
            pump.clientIO.bufferReceived(data[:keep])
        pump.serverIO.disconnected = pump.clientIO.disconnected = True
        pump.clientIO.reportDisconnect()
        pump.serverIO.reportDisconnect()

    def come_back(self) -> None:
        """Wait for as long as the longest back-off."""
        for _ in range(31):
            self.edge.clock.advance(1)
            self.settle()


def test_messages_come_as_they_are_appended() -> None:
    net = Net()
    net.post("a")
    net.follow()
    assert net.got == [(1, "a")]
    net.post("b", "c")
    net.settle()
    assert net.got == [(1, "a"), (2, "b"), (3, "c")]


def test_a_connection_cut_at_any_byte_loses_and_repeats_nothing() -> None:
    size = len(frames(Page((stored_message(),), 1), 0)[0]) + 40  # the frame and its chunk's framing
    for keep in range(2 * size):
        net = Net()
        net.follow()
        net.post("first", "second")
        net.cut(keep)
        net.come_back()
        net.post("third")
        net.settle()
        assert net.got == [(1, "first"), (2, "second"), (3, "third")], keep
        net.reading.cancel()


def stored_message() -> bytes:
    """The bytes of a message such as those posted above."""
    net = Net()
    net.post("second")
    pages: list[Any] = []
    net.edge.backbone.read_since("room", 0).addCallback(pages.append)
    return bytes(pages[0].messages_json[0])


def test_coming_back_is_tried_ever_more_seldom_and_then_works() -> None:
    net = Net()
    net.follow()
    net.endpoint.refusing = True
    net.cut()
    times: list[float] = []
    for tenth in range(1200):
        before = net.endpoint.attempts
        net.edge.clock.advance(0.1)
        times += [tenth / 10] * (net.endpoint.attempts - before)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert 7 <= len(times) <= 16
    assert gaps[0] <= 1.1
    assert 10 < gaps[-1] <= max(gaps) <= 30.2
    net.endpoint.refusing = False
    net.post("late")
    net.come_back()
    assert net.got == [(1, "late")]


def test_a_connection_that_has_gone_silent_is_made_again() -> None:
    net = Net()
    net.follow()
    silent = net.endpoint.pumps.pop()  # nothing moves on it any more
    net.post("a")
    net.edge.clock.advance(44)
    assert len(net.endpoint.pumps) == 0
    net.edge.clock.advance(1)
    silent.clientIO.reportDisconnect()
    net.come_back()
    assert net.got == [(1, "a")]


def test_a_server_that_lost_its_log_is_followed_from_its_new_beginning() -> None:
    net = Net()
    net.post("a", "b")
    net.follow()
    fresh = make_edge(**ROOMY)
    fresh.make_room()
    fresh.backbone.append("room", Message("note", "anew", agent_id="a", owner="o"))
    net.endpoint.site = fresh.site
    net.cut()
    net.come_back()
    assert net.got == [(1, "a"), (2, "b"), (1, "anew")]


def test_what_retrying_cannot_help_is_raised() -> None:
    net = Net()
    net.follow(cursor=9)
    assert isinstance(net.error, InvalidCursor)
    net = Net()
    net.follow()
    net.endpoint.site = make_edge().site
    net.cut()
    net.come_back()
    assert isinstance(net.error, UnknownChannel)


def test_a_full_house_is_waited_out_once_it_let_us_in() -> None:
    net = Net(max_streams=1)
    net.follow()
    net.cut()
    other = net.edge.connect()
    other.send(b"GET /channels/room/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    net.come_back()
    assert net.error is None
    other.lose()
    net.post("a")
    net.come_back()
    assert net.got == [(1, "a")]


def test_closing_ends_the_iteration_and_the_connection() -> None:
    net = Net()
    follow = net.follow()
    ended: list[Any] = []
    net.reading.addCallback(ended.append)
    Deferred.fromCoroutine(follow.aclose())
    net.settle()
    assert ended == [None]
    assert net.edge.site.channels == set()


def test_cancelling_the_wait_ends_the_connection() -> None:
    net = Net()
    net.follow()
    net.reading.cancel()
    net.settle()
    assert isinstance(net.error, CancelledError)
    assert net.edge.site.channels == set()


async def test_a_caller_who_takes_his_time_is_not_flooded() -> None:
    backbone = Backbone(MemoryJournal(), Clock(), Limits(max_posts_per_minute=10**6))
    await backbone.create_channel("room")
    for number in range(9999):
        await backbone.append("room", Message("note", str(number), agent_id="a", owner="o"))
    server = await start_server(reactor, backbone=backbone)
    client = HTTPBackbone(reactor, server.url)
    async with client.follow("room", 0) as follow:
        assert (await follow.__anext__()).cursor == 1
        await deferLater(reactor, 0.1)
        assert len(follow._queue) < 4000
        assert [(await follow.__anext__()).cursor for _ in range(9998)] == list(range(2, 10_000))
    await client.close()
    await server.close()


@given(st.lists(st.integers(1, 30), max_size=40))
def test_events_are_the_same_however_their_bytes_are_cut(cuts: list[int]) -> None:
    raw = (
        b': hello\n\nid: 1\ndata: {"a":1}\n\n: keep-alive\n\nid: 2\r\ndata:x\r\ndata: y\r\n\r\n'
        b"\n\ndata: z\n\nevent: w\n\nid: 9\ndata: never"
    )
    parser, events, position = EventParser(), [], 0
    for size in [*cuts, len(raw)]:
        events += parser.feed(raw[position : position + size])
        position += size
    assert events == [(b"1", b'{"a":1}'), (b"2", b"x\ny"), (None, b"z")]


async def test_following_works_on_a_real_server() -> None:
    server = await start_server(reactor, tokens=TOKENS)
    alice = HTTPBackbone(reactor, server.url, "tok-alice")
    await alice.create_channel("room")
    bodies = []
    async with alice.follow("room", 0) as messages:
        await alice.append("room", Message("note", "a"))
        async for appended in messages:
            bodies.append(appended.message.body)
            if len(bodies) == 3:
                break
            await alice.append("room", Message("note", f"after {appended.cursor}"))
    assert bodies == ["a", "after 1", "after 2"]
    await alice.close()
    await server.close()


@pytest.mark.parametrize(
    ("url", "token", "kind"),
    [("http://127.0.0.1:1", "", Unreachable), (None, "", Unauthorized)],
)
async def test_a_first_connection_that_fails_is_raised(
    url: str | None, token: str, kind: Callable[..., Any]
) -> None:
    server = await start_server(reactor, tokens=TOKENS, read_token=True)
    client = HTTPBackbone(reactor, url or server.url, token)
    with pytest.raises(kind):  # type: ignore[call-overload]
        await client.follow("room", 0).__anext__()
    await client.close()
    await server.close()
