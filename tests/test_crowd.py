"""Crowds at a real daemon: slow and silent peers, too many streams, too few descriptors."""

from __future__ import annotations

import resource
import select
import socket
import subprocess
import time
from contextlib import ExitStack, suppress

from tests.daemon import WAYS, Start, ask

BIG = 40


def connect(url: str) -> socket.socket:
    host, _, port = url.removeprefix("http://").rpartition(":")
    peer = socket.create_connection((host, int(port)))
    peer.setblocking(False)
    return peer


def is_gone(peer: socket.socket) -> bool:
    """Whether the server has ended this connection."""
    try:
        while data := peer.recv(65536):
            del data
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def test_slow_and_silent_crowds_are_gone_within_the_deadlines_and_others_are_answered(start: Start) -> None:
    roomy = ["--max-posts-per-minute=1000"]
    (url,) = start("caucus-backbone", *roomy, CAUCUS_TOKENS="tok:a:o").until_listening()
    ask(url + "/channels", {"channel": "room"}, "tok")
    for number in range(BIG):
        body = f"{number}" + "x" * 15_000
        message = {"type": "note", "msg_id": "0" * 26, "body": body}
        ask(url + "/channels/room/append", message, "tok")
    read = b'POST /channels/room/read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12\r\n\r\n{"cursor":0}'
    began = time.monotonic()
    silent = [connect(url) for _ in range(200)]
    trickling = [connect(url) for _ in range(200)]
    deaf = []
    for _ in range(200):
        peer = connect(url)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.send(read * 8)  # 5 MB of answers, of which it takes none
        deaf.append(peer)
    worst = 0.0
    gone_at: dict[str, float] = {}
    while time.monotonic() - began < 45 and len(gone_at) < 3:
        asked = time.monotonic()
        assert ask(url + "/healthz") == {"ok": True}
        worst = max(worst, time.monotonic() - asked)
        for peer in trickling:
            with suppress(OSError):
                peer.send(b"G")
        time.sleep(0.5)
        elapsed = time.monotonic() - began
        if "silent" not in gone_at and all(map(is_gone, silent)):
            gone_at["silent"] = elapsed
        if "trickling" not in gone_at and all(map(is_gone, trickling)):
            gone_at["trickling"] = elapsed
        if "deaf" not in gone_at and all(hung_up(peer) for peer in deaf):
            gone_at["deaf"] = elapsed
    for peer in [*silent, *trickling, *deaf]:
        peer.close()
    assert sorted(gone_at) == ["deaf", "silent", "trickling"]
    assert gone_at["silent"] < 15
    assert gone_at["trickling"] < 20
    assert worst < 5


def hung_up(peer: socket.socket) -> bool:
    """Whether the server has reset a connection whose answers wait unread."""
    poll = select.poll()
    poll.register(peer, 0)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))


def open_stream(url: str) -> tuple[socket.socket, int]:
    """A stream's socket and the status of its answer."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    peer = socket.create_connection((host, int(port)), timeout=5)
    peer.sendall(b"GET /channels/room/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return peer, int(peer.recv(4096).split(b" ")[1])


def test_a_slot_is_free_soon_after_its_reader_has_gone(start: Start) -> None:
    (url,) = start("caucus-backbone", CAUCUS_TOKENS="tok:a:o", CAUCUS_MAX_STREAMS="32").until_listening()
    ask(url + "/channels", {"channel": "room"}, "tok")
    with ExitStack() as opened:
        streams = [open_stream(url) for _ in range(32)]
        for peer, status in streams:
            opened.enter_context(peer)
            assert status == 200
        peer, status = open_stream(url)
        peer.close()
        assert status == 503
        streams[7][0].close()
        time.sleep(0.3)
        peer, status = open_stream(url)
        opened.enter_context(peer)
        assert status == 200


def test_streams_end_cleanly_when_the_daemon_stops(start: Start) -> None:
    daemon = start("caucus-backbone", CAUCUS_TOKENS="tok:a:o")
    (url,) = daemon.until_listening()
    ask(url + "/channels", {"channel": "room"}, "tok")
    peer, _ = open_stream(url)
    with peer:
        status, _, err = daemon.end()
        rest = b""
        while data := peer.recv(4096):
            rest += data
    assert rest.endswith(b"0\r\n\r\n")
    assert status == 0
    assert "Traceback" not in err


def test_a_daemon_that_ran_out_of_descriptors_recovers(start: Start) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    limited = ["prlimit", f"--nofile=256:{hard}", *WAYS["caucus-backbone"]]
    daemon = start.command(limited, {"CAUCUS_TOKENS": "tok:a:o"})
    (url,) = daemon.until_listening()
    crowd = [connect(url) for _ in range(400)]
    time.sleep(1)
    for peer in crowd:
        peer.close()
    deadline = time.monotonic() + 10
    while True:
        try:
            assert ask(url + "/channels", {"channel": "room"}, "tok")["channel"] == "room"
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    assert isinstance(daemon.process, subprocess.Popen)
    assert daemon.process.poll() is None
