"""A stream whose cable is pulled: ``unshare --map-root-user --net python -m tests.cable FOLDER``.

The daemon listens on loopback and on a Unix socket. Loopback goes down under an open feed, so that no packet
comes through any more; over the Unix socket the daemon is asked who is there. It prints after how many
seconds the stream is not there any more.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import socket
import struct
import sys
import time
from pathlib import Path

from tests.daemon import Start

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
SECONDS = 60


def set_loopback(*, is_up: bool) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        name = struct.pack("16sh", b"lo", 0)
        flags = struct.unpack("16sh", fcntl.ioctl(any_socket, SIOCGIFFLAGS, name))[1]
        wanted = flags | IFF_UP if is_up else flags & ~IFF_UP
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", wanted))


class OverUnix(http.client.HTTPConnection):
    """A connection to a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def streams(path: Path) -> int:
    connection = OverUnix(path)
    connection.request("GET", "/who")
    agents = json.load(connection.getresponse())["agents"]
    connection.close()
    return sum(agent["streams"] for agent in agents)


def main(folder: Path) -> None:
    set_loopback(is_up=True)
    start, path = Start(folder), folder / "caucus.sock"
    daemon = start(
        "caucus-backbone",
        "--listen=tcp:0:interface=127.0.0.1",
        f"--listen=unix:{path}",
        CAUCUS_TOKENS="tok:a:o",
    )
    try:
        url = next(one for one in daemon.until_listening(2) if one.startswith("http://"))
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as reader:
            lines = [
                "GET /feed HTTP/1.1",
                f"Host: {host}",
                "Accept: text/event-stream",
                "Authorization: Bearer tok",
            ]
            reader.sendall("\r\n".join([*lines, "", ""]).encode())
            assert b"text/event-stream" in reader.recv(65_536)
            assert streams(path) == 1
            set_loopback(is_up=False)
            pulled = time.monotonic()
            while streams(path) and time.monotonic() < pulled + 2 * SECONDS:
                time.sleep(0.25)
            print(round(time.monotonic() - pulled, 1))
    finally:
        daemon.process.kill()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
