"""A bare loop of ``send`` over all who have connected, so many times a second: what a stream cannot be below.

It answers each connection with the head of a stream and then sends frames, each of which says when its loop
began. It prints its URL.
"""

from __future__ import annotations

import argparse
import select
import socket
import time

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
FILLING = "x" * 180
"""So that a frame has the bytes of the daemon's."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=20)
    every = 1 / parser.parse_args().rate
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(f"bare sends http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    peers: list[socket.socket] = []
    number, due = 0, time.monotonic() + every
    while True:
        if select.select([listener], [], [], max(0.0, due - time.monotonic()))[0]:
            peer = listener.accept()[0]
            peer.recv(65_536)
            peer.send(HEAD)
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peers.append(peer)
            continue
        began = time.monotonic()
        number += 1
        body = f'{{"filling":"{FILLING}","body":"{began:.6f}"}}'
        frame = f"id: {number}\ndata: {body}\n\n".encode()
        for peer in list(peers):
            try:
                peer.send(frame)
            except OSError:
                peers.remove(peer)
        due = max(due + every, time.monotonic())


if __name__ == "__main__":
    main()
