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
import select
import socket
import statistics
import time
from collections.abc import Iterator, Sequence
from typing import Any

from bench.servers import DAEMON, TOKENS, Server

BODY = re.compile(rb'"body":"(\d+) (\d+\.\d+)"')
LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
SINCE = re.compile(rb'"since":"([^"]+)"')
CURSOR = re.compile(rb'"cursor":(\d+)}$')


class Reader:
    """One connection; keeps what comes with the time at which it came."""

    def __init__(self) -> None:
        self.socket = socket.socket()
        self.got: list[tuple[float, bytes]] = []
        self.is_open = False

    def open(self, port: int) -> None:
        self.socket.connect(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.begin()

    def begin(self) -> None:
        """Send the first request."""

    def take(self, now: float, data: bytes) -> None:
        """Something has come."""

    def ask(self, method: str, path: str, *headers: str, body: bytes = b"") -> None:
        given = ("Host: localhost", f"Authorization: Bearer {TOKENS['bob']}", *headers)
        lines = [f"{method} {path} HTTP/1.1", *given, f"Content-Length: {len(body)}", "", ""]
        self.socket.sendall("\r\n".join(lines).encode() + body)

    def messages(self) -> Iterator[tuple[int, float]]:
        """The number of each message, and how long it took."""
        for now, data in self.got:
            for number, sent in BODY.findall(data):
                yield int(number), now - float(sent)


class Feed(Reader):
    """A stream of some channels."""

    def __init__(self, rooms: Sequence[str]) -> None:
        super().__init__()
        self._query = "&".join(f"room={room}" for room in rooms)
        self._rest = b""

    def begin(self) -> None:
        self.ask("GET", f"/feed?{self._query}", "Accept: text/event-stream")

    def take(self, now: float, data: bytes) -> None:
        self.is_open = True
        if data[-4:] != b"\n\n\r\n":
            self._rest += data
            return
        self.got.append((now, self._rest + data))
        self._rest = b""


class Poll(Reader):
    """Asks again with each answer: for a channel's messages, or those of a feed."""

    def __init__(self, rooms: Sequence[str], *, is_of_feed: bool) -> None:
        super().__init__()
        self.room = rooms[0]
        self._query = "&".join(f"room={room}" for room in rooms) if is_of_feed else ""
        self._rest = b""

    def begin(self) -> None:
        if self._query:
            self.ask("GET", f"/feed?{self._query}")
        else:
            self.ask("POST", f"/channels/{self.room}/subscribe")

    def take(self, now: float, data: bytes) -> None:
        self._rest += data
        head, end, body = self._rest.partition(b"\r\n\r\n")
        found = LENGTH.search(head)
        if not (end and found and len(body) >= int(found[1])):
            return
        self._rest = b""
        self.got.append((now, body))
        known = (SINCE if self._query else CURSOR).search(body)
        assert known is not None, body
        if self._query:
            self.ask("GET", f"/feed?{self._query}&since={known[1].decode()}&wait=50")
        else:
            self.ask("POST", f"/channels/{self.room}/read", body=b'{"cursor":%b,"wait":50}' % known[1])
        self.is_open = True


class Crowd:
    """All readers, and whoever posts, in one loop."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._epoll = select.epoll()
        self._readers: dict[int, Reader] = {}
        self._room = memoryview(bytearray(262_144))  # to ask for that anew takes longer than the daemon
        self._poster = Reader()
        self._poster.socket.connect(("127.0.0.1", server.port))

    def come(self, readers: Sequence[Reader]) -> None:
        for reader in readers:
            reader.open(self._server.port)
            self._readers[reader.socket.fileno()] = reader
            self._epoll.register(reader.socket.fileno(), select.EPOLLIN)
            while not reader.is_open:
                self._turn(1)
        self.wait(0.5)

    def leave(self, readers: Sequence[Reader]) -> None:
        for reader in readers:
            self._epoll.unregister(reader.socket.fileno())
            del self._readers[reader.socket.fileno()]
            reader.socket.close()
        self.wait(2)

    def wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._turn(left)

    def post(self, room: str, number: int) -> None:
        body = {"type": "note", "msg_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}
        data = json.dumps({**body, "body": f"{number} {time.monotonic():.6f}"}).encode()
        head = (
            f"POST /channels/{room}/append HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {TOKENS['alice']}\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        self._poster.socket.sendall(head.encode() + data)

    def _turn(self, seconds: float) -> None:
        for number, _event in self._epoll.poll(seconds):
            reader = self._readers[number]
            size = reader.socket.recv_into(self._room)
            reader.take(time.monotonic(), bytes(self._room[:size]))


def delays_of(readers: Sequence[Reader]) -> dict[str, float]:
    delays = sorted(delay for one in readers for _number, delay in one.messages())
    if not delays:
        return {}
    return {
        "median": round(statistics.median(delays) * 1000, 2),
        "p99": round(delays[int(len(delays) * 0.99)] * 1000, 2),
        "max": round(delays[-1] * 1000, 2),
    }


def measure(options: argparse.Namespace, server: Server) -> dict[str, Any]:
    rooms = [f"room-{number}" for number in range(options.rooms)]
    for room in rooms:
        server.make_channel(room)
    is_of_feed = options.of == "feed"
    polls = [
        Poll(rooms if is_of_feed else [rooms[number % len(rooms)]], is_of_feed=is_of_feed)
        for number in range(options.polls)
    ]
    feeds = [Feed(rooms) for _ in range(options.feeds)]
    crowd = Crowd(server)
    first = [Poll(rooms, is_of_feed=True), Feed(rooms)]  # what the first of a kind brings is not of each
    crowd.come(first)
    crowd.leave(first)
    sizes = {"before": server.resident()}
    crowd.come(polls)
    sizes["with_polls"] = server.resident()
    crowd.come(feeds)
    sizes["with_all"] = server.resident()
    gc.collect()
    gc.disable()  # that of the readers is nothing that the daemon does
    sent: list[str] = []
    began = time.monotonic()
    while len(sent) < options.rate * options.seconds:
        crowd.wait(began + len(sent) / options.rate - time.monotonic())
        sent.append(rooms[len(sent) % len(rooms)])
        crowd.post(sent[-1], len(sent) - 1)
    crowd.wait(2)
    gc.enable()
    every = list(range(len(sent)))
    mine = {room: [number for number in every if sent[number] == room] for room in rooms}
    whole = {
        "feeds": sum([number for number, _ in one.messages()] == every for one in feeds),
        "polls": sum(
            [number for number, _ in one.messages()] == (every if is_of_feed else mine[one.room])
            for one in polls
        ),
    }
    crowd.leave(feeds)
    crowd.leave(polls)
    sizes["after"] = server.resident()
    each = {
        "poll": round((sizes["with_polls"] - sizes["before"]) / max(1, len(polls))),
        "feed": round((sizes["with_all"] - sizes["with_polls"]) / max(1, len(feeds))),
    }
    return {
        "polls": len(polls),
        "feeds": len(feeds),
        "rooms": len(rooms),
        "messages": len(sent),
        "got_every_message_once_in_order": whole,
        "poll_delay_ms": delays_of(polls),
        "feed_delay_ms": delays_of(feeds),
        "bytes_for_each": each,
        "resident_mib": {name: round(size / 2**20, 1) for name, size in sizes.items()},
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
    with Server("following", options.target) as server:
        told = measure(options, server)
    print(json.dumps(told, indent=2))
    whole = told["got_every_message_once_in_order"]
    if (whole["polls"], whole["feeds"]) != (told["polls"], told["feeds"]):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
