"""A queue of agents on one target, over HTTP: how long it takes from a release until the next one knows.

    python -m bench.queue [--agents 1000] [--target COMMAND-OR-URL]

Each agent has a token and a connection of its own, in this process: it asks for the claim, waits for it in
one request, and gives it back as soon as it is told. Nobody polls. It asserts no time, but ends with status 1
unless each got it once, in the order of the line, and each release woke one.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater, react
from twisted.python.failure import Failure

from bench.servers import DAEMON, Server
from caucus import HTTPBackbone

ROOMY = {"CAUCUS_MAX_WAITING_CLAIMS_PER_CHANNEL": "1000000", "CAUCUS_MAX_CONNECTIONS": "10000"}


class Agent(Protocol):
    """One agent's connection: a request, its answer, and the next."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.claim = 0
        self.granted = self.released = 0.0
        self.answers = 0
        self._waiting: Deferred[Any] = Deferred()
        self._rest = b""

    def ask(self, method: str, path: str, body: object = None) -> Deferred[Any]:
        """The JSON of the answer to one request."""
        data = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer queue-{self.number}\r\n"
            f"Content-Length: {len(data)}\r\n\r\n"
        )
        self._waiting = Deferred()
        assert self.transport is not None
        self.transport.write(head.encode() + data)
        return self._waiting

    def dataReceived(self, data: bytes) -> None:
        self._rest += data
        head, end, body = self._rest.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]) if end else 0
        if end and len(body) >= length:
            self._rest = b""
            self.answers += 1
            self._waiting.callback(json.loads(body))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self._waiting.called:
            self._waiting.errback(reason)

    async def wait_and_release(self) -> None:
        shown = {"state": "waiting"}
        while shown["state"] == "waiting":
            shown = await self.ask("GET", f"/channels/queue/claims/{self.claim}?wait=50")
        self.granted = self.released = time.monotonic()
        await self.ask("POST", f"/channels/queue/claims/{self.claim}/release", {})


async def measure(reactor: Any, agents: Sequence[Agent], server: Server) -> dict[str, Any]:
    first = HTTPBackbone(reactor, server.url, "queue-0")
    await first.create_channel("queue")
    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", server.port, timeout=60)
    for start in range(0, len(agents), 100):
        batch = agents[start : start + 100]
        await DeferredList([connectProtocol(endpoint, one) for one in batch], fireOnOneErrback=True)
    began = time.monotonic()
    wanted = {"targets": ["the deploy"], "note": "mine", "wait": True, "lease_ttl": 3600}
    for agent in agents:
        agent.claim = (await agent.ask("POST", "/channels/queue/claims", wanted))["claim"]["claim"]
    queued = time.monotonic()
    done = [Deferred.fromCoroutine(agent.wait_and_release()) for agent in agents[1:]]
    await deferLater(reactor, 1)  # all of them wait
    held = agents[0]
    held.granted = held.released = time.monotonic()
    await held.ask("POST", f"/channels/queue/claims/{held.claim}/release", {})
    await DeferredList(done, fireOnOneErrback=True)
    ended = time.monotonic()
    delays = [after.granted - before.released for before, after in itertools.pairwise(agents)]
    await first.close()
    return {
        "agents": len(agents),
        "in_order": all(delay > 0 for delay in delays),
        "one_wake_each": all(agent.answers == 3 for agent in agents[1:]),
        "to_queue_us": round((queued - began) / len(agents) * 1e6),
        "median_ms": round(statistics.median(delays) * 1e3, 2),
        "p99_ms": round(sorted(delays)[int(len(delays) * 0.99)] * 1e3, 2),
        "longest_ms": round(max(delays) * 1e3, 2),
        "seconds": round(ended - queued, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--target", default=DAEMON, metavar="COMMAND-OR-URL")
    options = parser.parse_args()
    tokens = ",".join(f"queue-{number}:agent-{number}:owner-{number}" for number in range(options.agents))
    agents = [Agent(number) for number in range(options.agents)]

    async def work(reactor: Any) -> None:
        with Server("queue", options.target, {**ROOMY, "CAUCUS_TOKENS": tokens}) as server:
            told = await measure(reactor, agents, server)
        print(json.dumps(told))
        if not (told["in_order"] and told["one_wake_each"]):
            raise SystemExit(1)

    react(lambda reactor: Deferred.fromCoroutine(work(reactor)))


if __name__ == "__main__":
    main()
