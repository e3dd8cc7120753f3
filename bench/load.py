"""The load: connections that each send a request, wait for its answer, and send the next.

wrk does it if it is installed. Else a process of our own does, as fast as Python goes; on a
machine of two cores it may well be slower than the server, which narrows the ratios.
"""

from __future__ import annotations

import itertools
import json
import select
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from attrs import frozen

from bench.scenarios import ID_LENGTH, TOKEN, Scenario
from bench.servers import Server

_TAGS = itertools.count(int(time.time()) % 100_000 * 10)


@frozen
class Run:
    """What one run measured: requests a second, and latencies in microseconds."""

    rate: float
    p50_us: float
    p99_us: float
    requests: int


def run(server: Server, scenario: Scenario, connections: int, seconds: float, requests: int = 0) -> Run:
    """Ask one scenario of a server for so long, or with our own load until ``requests`` are answered.

    Any answer of 400 or more ends the program: its rate would mean nothing.
    """
    tag = f"{next(_TAGS) % 10**6:06d}" if scenario.has_id else ""
    own = requests or shutil.which("wrk") is None
    command = (
        _ours(server, scenario, connections, tag, seconds, requests)
        if own
        else _wrk(server, scenario, connections, tag, seconds)
    )
    told = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    figures = json.loads(told.rstrip().splitlines()[-1])
    if figures["errors"]:
        raise SystemExit(f"{server.name}, {scenario.name}: {figures['errors']} errors")
    rate = figures["requests"] / figures["seconds"]
    return Run(rate, figures["p50_us"], figures["p99_us"], figures["requests"])


def _wrk(server: Server, scenario: Scenario, connections: int, tag: str, seconds: float) -> list[str]:
    script = str(Path(__file__).with_name("load.lua"))
    head = ["-H", "Content-Type: application/json"]
    if scenario.has_token:
        head += ["-H", f"Authorization: Bearer {TOKEN}"]
    options = [f"-c{connections}", "-t1", f"-d{max(1, round(seconds))}", "--timeout=30s", "-s", script]
    before, after = scenario.parts
    arguments = [scenario.path, before, after, str(scenario.channels), tag]
    return ["wrk", *options, *head, server.url, "--", *arguments]


def _ours(
    server: Server, scenario: Scenario, connections: int, tag: str, seconds: float, requests: int
) -> list[str]:
    given = {
        **{name: getattr(scenario, name) for name in ("path", "parts", "channels", "length", "has_token")},
        "tag": tag,
    }
    limits = {"port": server.port, "connections": connections, "seconds": seconds, "requests": requests}
    return [sys.executable, "-m", "bench.load", json.dumps({**given, **limits})]


class _Load:
    """Our own generator: one thread, one epoll, one request under way on each connection."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._given = given
        before, after = given["parts"]
        self._before: bytes = before.encode()
        self._after: bytes = after.encode()
        self._tag = given["tag"].encode()
        token = f"Authorization: Bearer {TOKEN}\r\n" if given["has_token"] else ""
        self._head = (
            f"POST {given['path']} HTTP/1.1\r\nHost: 127.0.0.1:{given['port']}\r\n"
            f"{token}Content-Type: application/json\r\n"
            f"Content-Length: {given['length']}\r\n\r\n"
        ).encode()
        self._numbers = itertools.count()
        self.latencies: list[float] = []
        self.errors = 0

    def _request(self) -> bytes:
        number = next(self._numbers)
        head: bytes = self._head.replace(b"@N@", b"%d" % (number % self._given["channels"]))
        if not self._tag:
            return head + self._before
        text = b"%b%010d" % (self._tag, number)
        return head + self._before + text + self._after.replace(b"@ID@", text)

    def run(self) -> dict[str, float]:
        port, seconds = self._given["port"], self._given["seconds"]
        most = self._given["requests"] or sys.maxsize
        poll = select.epoll()
        peers = {}
        for _ in range(self._given["connections"]):
            peer = socket.create_connection(("127.0.0.1", port))
            peer.setblocking(False)
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peers[peer.fileno()] = peer
            poll.register(peer, select.EPOLLIN)
        began = time.monotonic()
        until = began + seconds if most == sys.maxsize else began + 86_400
        sent = {}
        waiting = dict.fromkeys(peers, b"")
        for number, peer in peers.items():
            sent[number] = time.monotonic()
            peer.sendall(self._request())
        while len(self.latencies) < most and time.monotonic() < until:
            for number, _event in poll.poll(1):
                data = waiting[number] + peers[number].recv(1_048_576)
                if not _is_whole(data):
                    waiting[number] = data
                    continue
                waiting[number] = b""
                now = time.monotonic()
                self.latencies.append(now - sent[number])
                self.errors += data[9:10] not in (b"1", b"2")
                sent[number] = now
                peers[number].sendall(self._request())
        elapsed = time.monotonic() - began
        times = sorted(self.latencies)
        return {
            "requests": len(times),
            "seconds": elapsed,
            "p50_us": times[len(times) // 2] * 1e6,
            "p99_us": times[len(times) * 99 // 100] * 1e6,
            "errors": self.errors,
        }


def _is_whole(data: bytes) -> bool:
    head, found, body = data.partition(b"\r\n\r\n")
    if not found:
        return False
    _, _, length = head.lower().partition(b"content-length:")
    return len(body) >= int(length.partition(b"\r\n")[0])


if __name__ == "__main__":
    assert ID_LENGTH == 16
    print(json.dumps(_Load(json.loads(sys.argv[1])).run()))
