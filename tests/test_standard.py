"""What the daemon writes to standard output and error, whoever reads it or does not."""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from caucus.standard import MOST_BYTES, LineWriter, is_nowhere, writer_to
from tests.daemon import BIN, SECONDS, WAYS, ask

ENTRY = "x" * 1023 + "\n"


def told(count: int) -> str:
    return f"{count} lines were dropped"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        os.close(descriptor)


def read_until(reading: int, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        assert select.select([reading], [], [], SECONDS)[0], data[-100:]
        data += os.read(reading, 65_536)
    return data


def fill(writing: int) -> bytes:
    """Write what a pipe takes, until a write would wait."""
    filling = b""
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            filling += b"." * os.write(writing, b"." * 4096)
    os.set_blocking(writing, True)
    return filling


def test_nothing_waits_for_a_reader_and_what_is_too_much_is_dropped_and_told(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    filling = fill(writing)
    writer = LineWriter(writing, told)
    fit = MOST_BYTES // len(ENTRY)
    for _ in range(fit + 5):
        writer.write(ENTRY)
    notice = b"5 lines were dropped\n"
    expected = filling + ENTRY.encode() * fit
    got = b""
    while len(got) < len(expected + notice):
        got += read_until(reading, b"\n")
    assert notice in got
    assert got.replace(notice, b"") == expected
    writer.write("after\n")
    assert read_until(reading, b"after\n") == b"after\n"


def test_what_fails_is_counted_until_writing_works_again() -> None:
    failures: list[int | None] = []
    reading, writing = os.pipe()
    os.close(reading)
    writer = LineWriter(writing, told, lambda error: failures.append(error.errno))
    writer.write("one\ntwo\n")
    writer.drain(SECONDS)
    assert failures == [errno.EPIPE]
    reading, again = os.pipe()
    os.dup2(again, writing)
    os.close(again)
    writer.write("three\n")
    writer.drain(SECONDS)
    assert os.read(reading, 100) == b"three\n2 lines were dropped\n"
    os.close(reading)
    os.close(writing)


def test_a_descriptor_that_somebody_made_non_blocking_is_written_to_in_full(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.set_blocking(writing, False)
    writer = LineWriter(writing, told)
    for _ in range(500):
        writer.write(ENTRY)
    writer.write("end\n")
    assert read_until(reading, b"end\n") == ENTRY.encode() * 500 + b"end\n"


def test_draining_waits_no_longer_than_it_says(pipe: tuple[int, int]) -> None:
    writer = LineWriter(pipe[1])
    writer.write(ENTRY * 200)
    writer.drain(0.01)
    assert read_until(pipe[0], ENTRY.encode() * 200)
    writer.drain(SECONDS)


def test_text_that_no_encoding_has_is_written_all_the_same(pipe: tuple[int, int]) -> None:
    LineWriter(pipe[1]).write("\ud800\n")
    assert read_until(pipe[0], b"\n") == b"\\ud800\n"


def test_no_stream_has_no_writer_and_is_nowhere() -> None:
    assert writer_to(None) is None
    null = os.open(os.devnull, os.O_WRONLY)
    assert is_nowhere(null)
    os.close(null)
    assert is_nowhere(null)


def start_unread() -> tuple[int, subprocess.Popen[str], str]:
    """A daemon, its URL, and the other end of its standard error, which nobody reads yet."""
    reading, writing = os.pipe()
    environment = {**os.environ, "PORT": "0"}
    daemon = subprocess.Popen(
        WAYS["caucus-backbone"], env=environment, stdout=subprocess.PIPE, stderr=writing, text=True
    )
    os.close(writing)
    assert daemon.stdout is not None
    return reading, daemon, daemon.stdout.readline().split()[-1]


def test_a_pipe_that_nobody_reads_neither_stops_the_daemon_nor_changes_its_status() -> None:
    reading, daemon, url = start_unread()
    path = "/" + "x" * 190
    for _ in range(1000):
        with pytest.raises(OSError, match="404"):
            ask(url + path)
    assert ask(url + "/healthz") == {"ok": True}
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(5) == 0
    os.close(reading)
    daemon.communicate()


def test_when_somebody_reads_again_the_dropped_lines_are_told() -> None:
    reading, daemon, url = start_unread()
    host, port = url.removeprefix("http://").split(":")
    request = f"GET /{'x' * 199} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    send_many(host, int(port), request, 6000)
    lines = [b""]
    reader = threading.Thread(target=lambda: lines.append(read_to_end(reading)))
    reader.start()
    ask(url + "/healthz")
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(5) == 0
    reader.join(SECONDS)
    told = [line for line in lines[1].decode().splitlines() if "lines were not written here" in line]
    written = lines[1].count(b" GET /xxx")
    assert sum(int(line.split()[1]) for line in told) + written >= 6000
    assert told != []
    os.close(reading)
    daemon.communicate()


def send_many(host: str, port: int, request: bytes, count: int) -> None:
    import socket  # noqa: PLC0415

    with socket.create_connection((host, port)) as peer:
        for _ in range(count // 50):
            peer.sendall(request * 50)
            answered = 0
            while answered < 50:
                answered += peer.recv(65_536).count(b"HTTP/1.1 404")


def read_to_end(reading: int) -> bytes:
    data = b""
    while piece := os.read(reading, 65_536):
        data += piece
    return data


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "1>&- 2>&- 0<&-"])
def test_a_standard_stream_that_is_closed_is_written_to_by_nobody(tmp_path: Path, closed: str) -> None:
    """Else the first socket or file to be opened would have its number, and get the log or the audit."""
    out = tmp_path / "out"
    out.touch()
    environment = {
        **os.environ,
        "CAUCUS_ADMIN_TOKEN": "adm",
        "CAUCUS_JOURNAL": f"sqlite:{tmp_path / 'room.db'}",
    }
    shell = f"exec {BIN / 'caucus-backbone'} --listen=unix:{tmp_path / 's'} >{out} 2>>{out} {closed}"
    daemon = subprocess.Popen(["bash", "-c", shell], env=environment)
    until_there(tmp_path / "s")
    minted = subprocess.run(
        [BIN / "caucus-token", "mint", "a", "o"],
        env={**environment, "CAUCUS_URL": f"http+unix://{str(tmp_path / 's').replace('/', '%2F')}"},
        capture_output=True,
        timeout=SECONDS,
        check=True,
    )
    assert minted.stdout.startswith(b"tok_")
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(5) == 0
    assert ("caucus.admin.audit" in out.read_text()) == ("2>" not in closed)
    checked = subprocess.run(
        [BIN / "caucus-journal", "check", tmp_path / "room.db"], timeout=SECONDS, check=False
    )
    assert checked.returncode == 0


def until_there(path: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_daemonised_twistd_audits_to_its_log(tmp_path: Path) -> None:
    environment = {**os.environ, "CAUCUS_ADMIN_TOKEN": "adm", "PORT": "0"}
    tac = tmp_path / "caucus.tac"
    tac.write_text(
        "from twisted.application.service import Application\n"
        "from caucus.tap import Options, makeService\n"
        f"options = Options()\noptions.parseOptions(['--listen', 'unix:{tmp_path}/s'])\n"
        "application = Application('caucus')\nmakeService(options).setServiceParent(application)\n"
    )
    subprocess.run(
        [BIN / "twistd", f"--pidfile={tmp_path}/pid", f"--logfile={tmp_path}/log", "-oy", tac],
        env=environment,
        timeout=SECONDS,
        check=True,
    )
    until_there(tmp_path / "s")
    subprocess.run(
        [BIN / "caucus-token", "mint", "a", "o"],
        env={**environment, "CAUCUS_URL": f"http+unix://{str(tmp_path / 's').replace('/', '%2F')}"},
        stdout=subprocess.DEVNULL,
        timeout=SECONDS,
        check=True,
    )
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGTERM)
    deadline = time.monotonic() + SECONDS
    while (tmp_path / "pid").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    (line,) = [one for one in (tmp_path / "log").read_text().splitlines() if "caucus.admin.audit" in one]
    assert '"op": "mint"' in line
