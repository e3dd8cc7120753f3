"""Fan-out of the live stream: many readers of one channel in one daemon, a steady rate of messages.

    python bench/streams.py [--readers 1000] [--rate 20] [--seconds 10] [--json FILE]

Starts a daemon of its own and reads all streams in this process, on the same machine. Prints the
delay from just before an append is sent to its frame's arrival at each reader, what arrived, and
the daemon's resident memory before, during and after. It asserts no time.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import LoopingCall, deferLater, react
from twisted.python.failure import Failure

from caucus import HTTPBackbone, Message

FRAME = re.compile(rb'id: (\d+)\ndata: [^\n]*"body":"(\d+\.\d+)')


class Reader(Protocol):
    """One open stream: notes each frame's id and delay."""

    def __init__(self) -> None:
        self.ids: list[int] = []
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
                self.delays.append(now - float(found[2]))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.gone.callback(None)


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


async def measure(reactor: Any, options: argparse.Namespace, pid: int, url: str) -> dict[str, Any]:
    backbone = HTTPBackbone(reactor, url, "tok")
    await backbone.create_channel("room")
    await backbone.append("room", Message("note", "warm"))
    await deferLater(reactor, 0.5)
    before = resident_mib(pid)
    port = int(url.rpartition(":")[2])
    readers = [Reader() for _ in range(options.readers)]
    for start in range(0, options.readers, 100):
        batch = readers[start : start + 100]
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        await DeferredList([connectProtocol(endpoint, one) for one in batch], fireOnOneErrback=True)
        await DeferredList([one.opened for one in batch])
    during = resident_mib(pid)

    async def post() -> None:
        await backbone.append("room", Message("note", f"{time.monotonic():.6f}"))

    posting = LoopingCall(lambda: Deferred.fromCoroutine(post()))
    running = posting.start(1 / options.rate)
    await deferLater(reactor, options.seconds)
    posting.stop()
    await running
    head = await backbone.subscribe("room")
    await deferLater(reactor, 1)
    peak = resident_mib(pid)
    whole = sum(one.ids == list(range(2, head + 1)) for one in readers)
    delays = sorted(delay for one in readers for delay in one.delays)
    for one in readers:
        one.transport.loseConnection()  # type: ignore[union-attr]
        await one.gone
    await deferLater(reactor, 2)
    after = resident_mib(pid)
    await backbone.close()
    return {
        "readers": options.readers,
        "messages": head - 1,
        "readers_that_got_every_message_once_in_order": whole,
        "frames": len(delays),
        "delay_ms": {
            "median": round(statistics.median(delays) * 1000, 2),
            "p99": round(delays[int(len(delays) * 0.99)] * 1000, 2),
            "max": round(delays[-1] * 1000, 2),
        },
        "resident_mib": {
            name: round(size, 1)
            for name, size in (("before", before), ("open", during), ("peak", peak), ("after", after))
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--readers", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--json", type=Path, help="write the result here as well")
    options = parser.parse_args()
    needed = options.readers + 100
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(needed, 1024), hard), hard))
    command = [
        str(Path(sys.executable).with_name("caucus-backbone")),
        "--port=0",
        f"--max-streams={options.readers}",
        "--max-posts-per-minute=1000000",
        "--max-messages-per-channel=1000000",
    ]
    environment = {**os.environ, "CAUCUS_TOKENS": "tok:agent:owner"}
    with Path(os.devnull).open("w") as nowhere:
        daemon = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=nowhere, text=True)
    assert daemon.stdout is not None
    url = daemon.stdout.readline().split()[-1]

    async def run(reactor: Any) -> None:
        result = await measure(reactor, options, daemon.pid, url)
        print(json.dumps(result, indent=2))
        if options.json:
            options.json.write_text(json.dumps(result, indent=2) + "\n")

    try:
        react(lambda reactor: Deferred.fromCoroutine(run(reactor)))
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(10)


if __name__ == "__main__":
    main()
