"""Fan-out of the live stream: many readers of one channel in one daemon, a steady rate of messages.

    python -m bench.streams [--readers 1000] [--rate 20] [--seconds 10] [--target COMMAND-OR-URL]

Reads all streams in this process, on the same machine as the server. Prints the
delay from just before an append is sent to its frame's arrival at each reader, and from the append's
answer, what arrived, and the daemon's resident memory before, during and after; and beside that the delay
from a bare loop of ``send`` over as many connections, half of it before and half after. It asserts no time.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import LoopingCall, deferLater, react
from twisted.python.failure import Failure

from bench.servers import DAEMON, TOKENS, Server
from caucus import HTTPBackbone, Message

FRAME = re.compile(rb'id: (\d+)\ndata: [^\n]*"body":"(\d+\.\d+)')


class Reader(Protocol):
    """One open stream: notes each frame's id, when it came, and its delay."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.came: list[float] = []
        self.delays: list[float] = []
        self.opened: Deferred[None] = Deferred()
        self.gone: Deferred[None] = Deferred()
        self._rest = b""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"GET /channels/room/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")

    def dataReceived(self, data: bytes) -> None:
        now = time.monotonic()
        if not self.opened.called:
            self.opened.callback(None)
        self._rest += data
        *frames, self._rest = self._rest.split(b"\n\n")
        for frame in frames:
            found = FRAME.search(frame)
            if found:
                self.ids.append(int(found[1]))
                self.came.append(now)
                self.delays.append(now - float(found[2]))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.gone.callback(None)


async def measure(reactor: Any, options: argparse.Namespace, server: Server) -> dict[str, Any]:
    backbone = HTTPBackbone(reactor, server.url, TOKENS["alice"])
    await backbone.create_channel("room")
    await backbone.append("room", Message("note", "warm"))
    await deferLater(reactor, 0.5)
    before = server.resident() / 2**20
    port = server.port
    readers = await _connected(reactor, options.readers, port)
    answered: dict[int, float] = {}
    during = server.resident() / 2**20

    async def post() -> None:
        appended = await backbone.append("room", Message("note", f"{time.monotonic():.6f}"))
        answered[appended.cursor] = time.monotonic()

    posting = LoopingCall(lambda: Deferred.fromCoroutine(post()))
    running = posting.start(1 / options.rate)
    await deferLater(reactor, options.seconds)
    posting.stop()
    await running
    head = await backbone.subscribe("room")
    await deferLater(reactor, 1)
    peak = server.resident() / 2**20
    whole = sum(one.ids == list(range(2, head + 1)) for one in readers)
    delays = [delay for one in readers for delay in one.delays]
    pairs = [pair for one in readers for pair in zip(one.ids, one.came, strict=True)]
    since = [came - answered[number] for number, came in pairs if number in answered]
    await _left(readers)
    await deferLater(reactor, 2)
    after = server.resident() / 2**20
    await backbone.close()
    return {
        "readers": options.readers,
        "messages": head - 1,
        "readers_that_got_every_message_once_in_order": whole,
        "frames": len(delays),
        "delay_ms": told(delays),
        "since_the_answer_ms": told(since),
        "resident_mib": {
            name: round(size, 1)
            for name, size in (("before", before), ("open", during), ("peak", peak), ("after", after))
        },
    }


async def measure_bare(reactor: Any, options: argparse.Namespace, server: Server) -> list[float]:
    """The delays from the beginning of a bare loop of ``send`` to the arrival of what it sends."""
    readers = await _connected(reactor, options.readers, server.port)
    await deferLater(reactor, options.seconds / 2)
    delays = [delay for one in readers for delay in one.delays]
    await _left(readers)
    return delays


async def _connected(reactor: Any, count: int, port: int) -> list[Reader]:
    readers = [Reader() for _ in range(count)]
    for start in range(0, count, 100):
        batch = readers[start : start + 100]
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        await DeferredList([connectProtocol(endpoint, one) for one in batch], fireOnOneErrback=True)
        await DeferredList([one.opened for one in batch])
    return readers


async def _left(readers: Sequence[Reader]) -> None:
    for one in readers:
        one.transport.loseConnection()  # type: ignore[union-attr]
        await one.gone


def told(delays: Iterable[float]) -> dict[str, float]:
    """Delays in seconds, as figures in milliseconds."""
    rising = sorted(delays)
    places = {"median": len(rising) // 2, "p99": int(len(rising) * 0.99), "max": -1}
    return {name: round(rising[place] * 1000, 2) for name, place in places.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--readers", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--target", default=DAEMON, metavar="COMMAND-OR-URL")
    options = parser.parse_args()
    needed = options.readers + 100
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(needed, 1024), hard), hard))
    bare_loop = [sys.executable, "-m", "bench.sends", "--rate", str(options.rate)]
    with Server("streams", options.target) as server, Server("sends", bare_loop) as sends:

        async def run(reactor: Any) -> None:
            bare = await measure_bare(reactor, options, sends)
            measured = await measure(reactor, options, server)
            bare += await measure_bare(reactor, options, sends)
            print(json.dumps({**measured, "bare_loop_ms": told(bare)}, indent=2))

        with suppress(SystemExit):  # react ends the process, but the server is still to be stopped
            react(lambda reactor: Deferred.fromCoroutine(run(reactor)))


if __name__ == "__main__":
    main()
