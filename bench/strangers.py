"""What strangers leave behind in a daemon's memory: refused and half-sent uploads, all gone again."""

from __future__ import annotations

import socket
import time
from typing import Any

from bench.servers import DAEMON, Server

REFUSED = 2000
CROWD = 400
"""Half-sent uploads are open at the same time so many at once."""
CROWDS = 14
QUIET_SECONDS = 60
HALF = 100_000
HEAD = b"POST /channels/room/read HTTP/1.1\r\nHost: localhost\r\n"


def measure(quiet: float = QUIET_SECONDS) -> dict[str, Any]:
    """What resident memory grew by after all of them, and a while."""
    told = {}
    for http in ("llhttp", "twisted"):
        with Server("strangers", [DAEMON, "--http", http]) as server:
            _refused(server, 20)
            _half_sent(server, 1)
            before = server.resident()
            _refused(server, REFUSED)
            refused = server.resident()
            for _ in range(CROWDS):
                _half_sent(server, CROWD)
            last = server.resident()
            time.sleep(quiet)
            after = server.resident()
        told[http] = {
            name: round((size - before) / 2**20, 1)
            for name, size in (("refused", refused), ("half_sent", last), ("after", after))
        }
        print(
            f"strangers, {http}: {told[http]['after']} MiB more than before after {REFUSED:,} refused and "
            f"{CROWD * CROWDS:,} half-sent uploads and {quiet:.0f} s",
            flush=True,
        )
    return told


def _refused(server: Server, count: int) -> None:
    """Bodies in chunks that are too long, one after another."""
    chunk = b"%x\r\n%b\r\n" % (HALF, b"x" * HALF)
    for _ in range(count):
        with _connected(server) as peer:
            peer.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + 3 * chunk)
            peer.shutdown(socket.SHUT_WR)
            while peer.recv(65_536):
                pass


def _half_sent(server: Server, count: int) -> None:
    """Bodies of which the half is here, all at the same time, which are then given up."""
    peers = [_connected(server) for _ in range(count)]
    for peer in peers:
        peer.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % (2 * HALF) + b"x" * HALF)
    time.sleep(0.5)
    for peer in peers:
        peer.close()
    time.sleep(0.5)


def _connected(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


if __name__ == "__main__":
    measure()
