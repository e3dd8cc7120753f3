"""Following many channels through lost connections, daemons and logs: each message once, in order."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread
from twisted.web.client import Agent, HTTPConnectionPool

from caucus import HTTPBackbone
from caucus.client import exchange, live
from caucus.client.feed import Feed
from caucus.core.backbone import Backbone
from caucus.errors import UnknownChannel
from caucus.limits import Limits
from caucus.model.feed import ChannelMade, FeedMessage, FeedReset
from caucus.model.messages import Message
from caucus.testing.shared import SharedLog
from tests.daemon import Daemon, Start
from tests.providers import MemoryEndpoint, MemoryEndpoints
from tests.raw import Edge, make_edge

ROOMS = ("room", "ops", "dev")
ROOMY: dict[str, Any] = {"max_posts_per_minute": 10**6}


def note(body: str) -> Message:
    return Message("note", body, agent_id="a", owner="o")


class Net:
    """A client and an edge in memory; connections can be cut after any number of bytes."""

    def __init__(self, edge: Edge | None = None) -> None:
        if edge is None:
            edge = make_edge(**ROOMY)
            for channel in ROOMS:
                edge.backbone.create_channel(channel)
        self.edge = edge
        self.endpoint = MemoryEndpoint(edge.site, [])
        self.got: list[str] = []
        self.error: BaseException | None = None

    def post(self, *posts: str) -> None:
        for one in posts:
            channel, _, body = one.partition(" ")
            self.edge.backbone.append(channel, note(body))
        self.edge.clock.advance(0)

    def settle(self) -> None:
        self.edge.clock.advance(0)
        while sum(pump.pump() for pump in self.endpoint.pumps):
            pass

    def follow(self, *rooms: str, since: str | None = None) -> Feed:
        """Follow rooms, and collect what comes."""
        clock = self.edge.clock
        pool = HTTPConnectionPool(clock)
        treq = HTTPClient(Agent.usingEndpointFactory(clock, MemoryEndpoints(self.endpoint), pool))
        client = HTTPBackbone(clock, "http://localhost", "tok-alice", treq=treq, clock=clock)
        feed = client.feed(rooms, since)
        self.reading = Deferred.fromCoroutine(self._collect(feed)).addErrback(self._failed)
        self.settle()
        return feed

    async def _collect(self, feed: Feed) -> None:
        async for event in feed:
            if isinstance(event, FeedMessage):
                self.got.append(f"{event.channel} {event.message.body}")
            elif isinstance(event, FeedReset):
                self.got.append("reset")

    def _failed(self, failure: Any) -> None:
        self.error = failure.value

    def cut(self, keep: int | None = None) -> None:
        """End the newest connection, delivering only ``keep`` more of the server's bytes."""
        pump = self.endpoint.pumps.pop()
        data = pump.serverIO.getOutBuffer() or b""
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


def size_of_two_frames() -> int:
    net = Net()
    net.follow(*ROOMS)
    net.post("room first", "ops second")
    return len(net.endpoint.pumps[-1].serverIO.getOutBuffer())


def test_a_connection_cut_at_any_byte_loses_and_repeats_nothing() -> None:
    expected = ["room first", "ops second", "dev third", "room fourth"]
    for keep in range(size_of_two_frames() + 1):
        net = Net()
        net.follow(*ROOMS)
        net.post("room first", "ops second")
        net.cut(keep)
        net.post("dev third")
        net.come_back()
        net.post("room fourth")
        net.settle()
        assert net.got == expected, keep
        net.reading.cancel()


def test_a_connection_cut_before_anything_came_goes_on_where_it_began() -> None:
    net = Net()
    net.follow(*ROOMS)
    net.cut()
    net.post("room meanwhile")
    net.come_back()
    assert net.got == ["room meanwhile"]


def test_a_server_that_lost_its_log_is_followed_from_its_new_beginning() -> None:
    net = Net()
    net.follow(*ROOMS)
    net.post("room a", "ops b")
    net.settle()
    fresh = Net()
    fresh.post(*(f"ops {number}" for number in range(20)), "room anew")
    net.endpoint.site = fresh.edge.site
    net.cut()
    net.come_back()
    for _ in range(3):
        fresh.edge.clock.advance(0)
        net.settle()
    assert net.got == ["room a", "ops b", "reset", *(f"ops {number}" for number in range(20)), "room anew"]
    fresh.post("dev on")
    net.settle()
    assert net.got[-1] == "dev on"


def test_a_server_that_has_no_such_channel_any_more_is_told_of() -> None:
    net = Net()
    net.follow("room")
    net.endpoint.site = make_edge().site
    net.cut()
    net.come_back()
    assert isinstance(net.error, UnknownChannel)


def test_more_channels_than_a_request_can_name_are_followed_too() -> None:
    edge = make_edge(max_channels=2000, max_channel_creates_per_minute=2000, **ROOMY)
    names = [f"{'long' * 14}-{number}" for number in range(400)]
    for name in (*names, "other"):
        edge.backbone.create_channel(name)
    net = Net(edge)
    net.follow(*names)
    net.post(f"{names[0]} first", "other not this", f"{names[-1]} last")
    edge.backbone.create_channel("one-more")
    net.settle()
    assert net.got == [f"{names[0]} first", f"{names[-1]} last"]
    net.cut()
    net.post("other nor this", f"{names[7]} seventh")
    net.come_back()
    assert net.got[2:] == [f"{names[7]} seventh"]


@pytest.mark.parametrize("seed", range(10))
def test_a_reader_whose_backbone_dies_goes_on_at_another_over_the_same_log(seed: int) -> None:
    clock, chance = Clock(), Random(seed)
    clock.advance(1_700_000_000)
    log = SharedLog(clock, seed)
    hands = [Backbone(log.journal(), clock, Limits(**ROOMY)) for _ in range(4)]
    for hand in hands:
        hand.replay()
        hand.begin_run()
    log.run()
    edges = [make_edge(backbone=hand, clock=clock, **ROOMY) for hand in hands]
    for channel in ROOMS:
        hands[0].create_channel(channel)
    log.run()
    net, written = Net(edges[0]), list[str]()
    feed = net.follow(*(f"{channel}:0" for channel in ROOMS))
    for number in range(60):
        for hand in chance.sample(hands, 2):
            channel = chance.choice(ROOMS)
            hand.append(channel, note(f"{number} of {hands.index(hand)}"))
        log.run()
        if chance.random() < 0.7:
            net.settle()
        if chance.random() < 0.2:
            net.endpoint.site = chance.choice(edges).site
            net.cut(chance.randrange(500) if chance.random() < 0.5 else None)
            for _ in range(31):
                clock.advance(1)
                log.run()
                net.settle()
    whole(net, hands, log)
    log.run()
    found: list[Any] = []
    hands[2].read_feed(ROOMS, feed.since).addCallback(found.append)
    log.run()
    assert found[0].events == ()
    for entry, _evidence in log.entries:
        written += [f"{said.channel} {body_of(said.message_json)}" for said in getattr(entry, "said", ())]
    assert net.got == written
    net.reading.cancel()


def body_of(message_json: bytes) -> str:
    return Message.from_json(message_json).body


def whole(net: Net, hands: list[Backbone], log: SharedLog) -> None:
    """All that was written has come: every hand has heard of all, and so has the reader."""
    for hand in hands:
        hand.list_channels()
    log.run()
    for _ in range(31):
        net.edge.clock.advance(1)
        log.run()
        net.settle()


class Lives:
    """A daemon on one file and one port, started as often as it ends."""

    def __init__(self, start: Start, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.file = folder / "room.db"
        self._start = start
        self._arguments = ["--max-posts-per-minute=1000000", f"--port={self.port}"]

    def live(self, journal: str = "") -> Daemon:
        chosen = journal or f"sqlite:{self.file}"
        daemon = self._start(
            "caucus-backbone", *self._arguments, f"--journal={chosen}", CAUCUS_TOKENS="tok:a:o"
        )
        assert daemon.until_listening() == [self.url]
        return daemon


@pytest.mark.deadline(180)
async def test_a_daemon_that_is_killed_under_load_loses_and_repeats_nothing_for_its_readers(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "MOST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(live, "MOST_DELAY_SECONDS", 0.2)
    lives, chance = Lives(start, tmp_path), Random(3)
    daemon = await deferToThread(lives.live)
    client = HTTPBackbone(reactor, lives.url, "tok", retry_seconds=60)
    for channel in ROOMS:
        await client.create_channel(channel)
    got: dict[str, list[str]] = {channel: [] for channel in ROOMS}
    is_over = False

    async def write(channel: str) -> None:
        number = 0
        while not is_over:
            number += 1
            await client.append(channel, Message("note", f"{number}"))

    async def read(feed: Feed) -> None:
        async for event in feed:
            assert isinstance(event, FeedMessage)
            got[event.channel].append(event.message.body)

    feed = client.feed([f"{channel}:0" for channel in ROOMS])
    reading = Deferred.fromCoroutine(read(feed))
    writing = gatherResults([Deferred.fromCoroutine(write(channel)) for channel in ROOMS])
    for _ in range(8):
        await deferLater(reactor, chance.uniform(0.05, 0.4))
        daemon.process.kill()
        await deferToThread(daemon.process.communicate)
        start.started.remove(daemon)
        daemon = await deferToThread(lives.live)
    is_over = True
    await writing
    for channel in ROOMS:
        head, read_so_far = await client.subscribe(channel), got[channel]
        await until(lambda head=head, so_far=read_so_far: len(so_far) >= head)  # type: ignore[misc]
        assert read_so_far == [str(number) for number in range(1, head + 1)]
    assert sum(map(len, got.values())) > 100
    await feed.aclose()
    await reading
    await client.close()
    await deferLater(reactor, 0.1)  # what fell due while a daemon was waited for


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await deferLater(reactor, 0.01)
    raise AssertionError("it never came")


@pytest.mark.parametrize("further", [2, 9])
async def test_an_older_copy_that_was_restored_is_a_reset_also_once_it_has_grown(
    start: Start, tmp_path: Path, further: int
) -> None:
    lives = Lives(start, tmp_path)
    daemon = await deferToThread(lives.live)
    client = HTTPBackbone(reactor, lives.url, "tok")
    await client.create_channel("room")
    await client.append("room", Message("note", "kept"))
    daemon.end()
    copy = tmp_path / "copy.db"
    shutil.copy(lives.file, copy)
    daemon = await deferToThread(lives.live)
    for number in range(4):
        await client.append("room", Message("note", f"lost {number}"))
    since = (await client.read_feed(("room",))).since
    daemon.end()
    for path in tmp_path.glob("room.db*"):
        path.unlink()
    shutil.copy(copy, lives.file)
    await deferToThread(lives.live)
    for number in range(further):
        await client.append("room", Message("note", f"new {number}"))
    page = await client.read_feed(("room",), since)
    bodies = [event.message.body for event in page.events if isinstance(event, FeedMessage)]
    assert page.reset == ("room",)
    assert bodies == ["kept", *(f"new {number}" for number in range(further))]
    assert isinstance(page.events[0], ChannelMade)
    assert (await client.read_feed(("room",), page.since)).reset is None
    await client.close()
    await deferLater(reactor, 0.1)  # what fell due while a daemon was waited for


async def test_a_position_is_good_over_a_restart(start: Start, tmp_path: Path) -> None:
    lives = Lives(start, tmp_path)
    daemon = await deferToThread(lives.live)
    client = HTTPBackbone(reactor, lives.url, "tok")
    await client.create_channel("room")
    await client.append("room", Message("note", "one"))
    since = (await client.read_feed(("room",))).since
    await client.append("room", Message("note", "two"))
    daemon.end()
    await deferToThread(lives.live)
    await client.append("room", Message("note", "three"))
    page = await client.read_feed(("room",), since)
    assert page.reset is None
    assert [event.message.body for event in page.events if isinstance(event, FeedMessage)] == ["two", "three"]
    await client.close()
    await deferLater(reactor, 0.1)  # what fell due while a daemon was waited for


async def test_a_restart_in_memory_is_a_reset(start: Start, tmp_path: Path) -> None:
    lives = Lives(start, tmp_path)
    daemon = await deferToThread(lives.live, "memory:")
    client = HTTPBackbone(reactor, lives.url, "tok")
    await client.create_channel("room")
    since = (await client.read_feed()).since
    daemon.end()
    await deferToThread(lives.live, "memory:")
    page = await client.read_feed((), since)
    assert (page.events, page.reset) == ((), ())
    await client.close()
    await deferLater(reactor, 0.1)  # what fell due while a daemon was waited for
