"""Many who follow many channels: long polls and feeds in one daemon, a steady rate of messages.

    python -m bench.following [--polls 1000] [--feeds 1000] [--rooms 20] [--rate 20] [--seconds 10]
                              [--of feed] [--target COMMAND-OR-URL]

A poll waits for the next message of one channel, and is asked again with its answer; with ``--of feed`` it
waits for those of all channels. A feed is a stream of all of them. Messages go to each channel in turn. All
readers are in this process, on the same machine as the server. Prints the delay from just before an append is
sent to its arrival at each reader, whether all came, and the daemon's resident memory for each reader. It
asserts no time, but ends with status 1 unless each reader got every message, once and in order.
"""

from __future__ import annotations

import argparse
import gc
import json
import re
import resource
import statistics
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import LoopingCall, deferLater, react
from twisted.python.failure import Failure

from bench.servers import DAEMON, TOKENS, Server
from caucus import HTTPBackbone, Message

BODY = re.compile(rb'"body":"(\d+) (\d+\.\d+)"')
LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
SINCE = re.compile(rb'"since":"([^"]+)"')
CURSOR = re.compile(rb'"cursor":(\d+)}$')


class Reader(Protocol):
    """One connection; notes the number and the delay of each message."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.delays: list[float] = []
        self.opened: Deferred[None] = Deferred()
        self.gone: Deferred[None] = Deferred()
        self._rest = b""

    def ask(self, method: str, path: str, *headers: str, body: bytes = b"") -> None:
        given = ("Host: localhost", f"Authorization: Bearer {TOKENS['bob']}", *headers)
        lines = [f"{method} {path} HTTP/1.1", *given, f"Content-Length: {len(body)}", "", ""]
        assert self.transport is not None
        self.transport.write("\r\n".join(lines).encode() + body)

    def note(self, data: bytes) -> None:
        now = time.monotonic()
        for number, sent in BODY.findall(data):
            self.numbers.append(int(number))
            self.delays.append(now - float(sent))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.gone.callback(None)


class Feed(Reader):
    """A stream of some channels."""

    def __init__(self, rooms: Sequence[str]) -> None:
        super().__init__()
        self._query = "&".join(f"room={room}" for room in rooms)

    def connectionMade(self) -> None:
        self.ask("GET", f"/feed?{self._query}", "Accept: text/event-stream")

    def dataReceived(self, data: bytes) -> None:
        if not self.opened.called:
            self.opened.callback(None)
        *frames, self._rest = (self._rest + data).split(b"\n\n")
        for frame in frames:
            self.note(frame)


class Poll(Reader):
    """Asks again with each answer; a channel's messages, or those of a feed."""

    def __init__(self, rooms: Sequence[str], *, is_of_feed: bool) -> None:
        super().__init__()
        self._rooms = rooms
        self._query = "&".join(f"room={room}" for room in rooms) if is_of_feed else ""
        self._at = b""

    def connectionMade(self) -> None:
        if self._query:
            self.ask("GET", f"/feed?{self._query}")
        else:
            self.ask("POST", f"/channels/{self._rooms[0]}/subscribe")

    def dataReceived(self, data: bytes) -> None:
        self._rest += data
        head, end, body = self._rest.partition(b"\r\n\r\n")
        found = LENGTH.search(head)
        if not (end and found and len(body) >= int(found[1])):
            return
        self._rest = b""
        self.note(body)
        known = (SINCE if self._query else CURSOR).search(body)
        assert known is not None, body
        self._at = known[1]
        self._again()
        if not self.opened.called:
            self.opened.callback(None)

    def _again(self) -> None:
        if self._query:
            self.ask("GET", f"/feed?{self._query}&since={self._at.decode()}&wait=50")
        else:
            asked = b'{"cursor":%b,"wait":50}' % self._at
            self.ask("POST", f"/channels/{self._rooms[0]}/read", body=asked)


async def connect(reactor: Any, server: Server, readers: Sequence[Reader]) -> None:
    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", server.port, timeout=60)
    for start in range(0, len(readers), 100):
        batch = readers[start : start + 100]
        await DeferredList([connectProtocol(endpoint, one) for one in batch], fireOnOneErrback=True)
        await DeferredList([one.opened for one in batch])
    await deferLater(reactor, 0.5)


async def leave(reactor: Any, readers: Sequence[Reader]) -> None:
    for one in readers:
        one.transport.loseConnection()  # type: ignore[union-attr]
    await DeferredList([one.gone for one in readers])
    await deferLater(reactor, 2)


def delays_of(readers: Sequence[Reader]) -> dict[str, float]:
    delays = sorted(delay for one in readers for delay in one.delays)
    if not delays:
        return {}
    return {
        "median": round(statistics.median(delays) * 1000, 2),
        "p99": round(delays[int(len(delays) * 0.99)] * 1000, 2),
        "max": round(delays[-1] * 1000, 2),
    }


async def measure(reactor: Any, options: argparse.Namespace, server: Server) -> dict[str, Any]:
    backbone = HTTPBackbone(reactor, server.url, TOKENS["alice"])
    rooms = [f"room-{number}" for number in range(options.rooms)]
    for room in rooms:
        await backbone.create_channel(room)
        await backbone.append(room, Message("note", "warm"))
    is_of_feed = options.of == "feed"
    polls = [
        Poll(rooms if is_of_feed else [rooms[number % len(rooms)]], is_of_feed=is_of_feed)
        for number in range(options.polls)
    ]
    feeds = [Feed(rooms) for _ in range(options.feeds)]
    warm = [Poll(rooms, is_of_feed=True), Feed(rooms)]
    await connect(reactor, server, warm)  # what the first of each brings is not of each
    await leave(reactor, warm)
    before = server.resident()
    await connect(reactor, server, polls)
    with_polls = server.resident()
    await connect(reactor, server, feeds)
    with_all = server.resident()
    numbers, sent = count(), list[str]()

    async def post() -> None:
        number = next(numbers)
        sent.append(room := rooms[number % len(rooms)])
        await backbone.append(room, Message("note", f"{number} {time.monotonic():.6f}"))

    gc.collect()
    gc.disable()  # that of the readers is nothing that the daemon does
    posting = LoopingCall(lambda: Deferred.fromCoroutine(post()))
    running = posting.start(1 / options.rate)
    await deferLater(reactor, options.seconds)
    posting.stop()
    await running
    await deferLater(reactor, 2)
    gc.enable()
    every = list(range(len(sent)))
    mine = every if is_of_feed else None
    whole = {
        "feeds": sum(one.numbers == every for one in feeds),
        "polls": sum(
            one.numbers == (mine or [number for number in every if sent[number] == one._rooms[0]])
            for one in polls
        ),
    }
    await leave(reactor, feeds)
    await leave(reactor, polls)
    after = server.resident()
    await backbone.close()
    return {
        "polls": len(polls),
        "feeds": len(feeds),
        "rooms": len(rooms),
        "messages": len(sent),
        "got_every_message_once_in_order": whole,
        "poll_delay_ms": delays_of(polls),
        "feed_delay_ms": delays_of(feeds),
        "bytes_for_each": {
            "poll": round((with_polls - before) / max(1, len(polls))),
            "feed": round((with_all - with_polls) / max(1, len(feeds))),
        },
        "resident_mib": {
            name: round(size / 2**20, 1)
            for name, size in (
                ("before", before),
                ("with_polls", with_polls),
                ("with_all", with_all),
                ("after", after),
            )
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--polls", type=int, default=1000)
    parser.add_argument("--feeds", type=int, default=1000)
    parser.add_argument("--rooms", type=int, default=20)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--of", choices=("channel", "feed"), default="channel")
    parser.add_argument("--target", default=DAEMON, metavar="COMMAND-OR-URL")
    options = parser.parse_args()
    needed = options.polls + options.feeds + 100
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(needed, 1024), hard), hard))
    told: dict[str, Any] = {}
    with Server("following", options.target) as server:

        async def run(reactor: Any) -> None:
            told.update(await measure(reactor, options, server))

        with suppress(SystemExit):  # react ends the process, but the server is still to be stopped
            react(lambda reactor: Deferred.fromCoroutine(run(reactor)))
    print(json.dumps(told, indent=2))
    whole = told["got_every_message_once_in_order"]
    if (whole["polls"], whole["feeds"]) != (told["polls"], told["feeds"]):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
