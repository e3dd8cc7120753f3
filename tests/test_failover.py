"""The database's primary is killed, and its standby takes over: nothing is lost, or it is noticed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from tests.daemon import Daemon, Start, ask
from tests.postgres import Cluster, binaries
from tests.sea import LEFT_SECONDS, OWNERS, TOKENS, Process, free_port
from tests.test_kill import ROOMY, whole_log
from tests.test_storm import check


class Pair:
    """A primary and its standby, which take each other's place."""

    def __init__(self, programs: Path, settings: Mapping[str, str]) -> None:
        self._programs = programs
        self._settings = settings
        self.primary = Cluster(programs, settings=settings).make().start()
        self.ports = [self.primary.port, free_port()]
        self.gone: list[Cluster] = []
        self.standby = self._follow(self.primary.port)

    def _follow(self, port: int) -> Cluster:
        free = next(one for one in self.ports if one != self.primary.port)
        return Cluster(self._programs, free, self._settings).make_standby(port).start()

    def dsn(self, schema: str) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        return self.primary.dsn(schema).replace(f"127.0.0.1:{self.primary.port}", hosts)

    def fail_over(self) -> None:
        """The primary is killed, and the standby takes over."""
        self.primary.stop("kill")
        self.primary.remove()
        self.standby.promote()
        self.primary = self.standby

    def replace(self) -> None:
        """Another standby, where the primary was."""
        self.standby = self._follow(self.primary.port)

    def remove(self) -> None:
        self.primary.remove()
        self.standby.remove()


@pytest.fixture
def programs(request: pytest.FixtureRequest) -> Path:
    found = binaries(request.config.getoption("--postgres"))
    if found is None:
        pytest.skip("no PostgreSQL is installed")
    return found


@pytest.fixture
def pair(programs: Path) -> Iterator[Pair]:
    pair = Pair(programs, {"synchronous_standby_names": "*"})
    yield pair
    pair.remove()


def launch(start: Start, port: int, dsn: str) -> Daemon:
    return start(
        "caucus-backbone", *ROOMY, f"--port={port}", f"--journal=postgres:{dsn}", CAUCUS_TOKENS=TOKENS
    )


def until_ready(daemon: Daemon, url: str) -> None:
    until = time.monotonic() + LEFT_SECONDS
    while time.monotonic() < until and daemon.process.poll() is None:
        with suppress(OSError):
            if ask(f"{url}/readyz"):
                return
        time.sleep(0.05)
    raise AssertionError(daemon.errors()[-3000:])


@pytest.mark.deadline(3600)
def test_a_synchronous_standby_has_all_that_was_acknowledged(
    pair: Pair, start: Start, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    ports = [free_port(), free_port()]
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    daemons = [launch(start, port, pair.dsn(f"failover_{os.getpid()}")) for port in ports]
    for daemon, url in zip(daemons, urls, strict=True):
        until_ready(daemon, url)
    balancer = Process("balancer", *map(str, ports))
    url = f"http://127.0.0.1:{balancer.first_line()}"
    ask(f"{url}/channels", {"channel": "room"}, OWNERS[0])
    writers = [Process("kill_worker", url, owner, out=(tmp_path / owner).open("w")) for owner in OWNERS]
    try:
        for _ in range(pytestconfig.getoption("--failovers")):
            time.sleep(0.5)
            pair.fail_over()
            pair.replace()
            for daemon, one in zip(daemons, urls, strict=True):
                until_ready(daemon, one)
        for writer in writers:
            writer.process.communicate("stop\n", timeout=90)
        logs = [whole_log(one) for one in urls]
        check(url, logs[0], tmp_path)
    finally:
        for process in (*writers, balancer):
            process.end()
    assert [writer.process.returncode for writer in writers] == [0] * len(writers)
    assert logs[0] == logs[1]
    assert [daemon.process.poll() for daemon in daemons] == [None, None]


def test_daemons_notice_what_an_asynchronous_standby_has_lost(programs: Path, start: Start) -> None:
    primary = Cluster(programs).make().start()
    wire = Process("proxy", str(primary.port))
    standby = Cluster(programs).make_standby(int(wire.first_line())).start()
    hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
    dsn = primary.dsn("lossy").replace(f"127.0.0.1:{primary.port}", hosts)
    ports = [free_port(), free_port()]
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    try:
        daemons = [launch(start, port, dsn) for port in ports]
        for daemon, url in zip(daemons, urls, strict=True):
            until_ready(daemon, url)
        ask(f"{urls[0]}/channels", {"channel": "room"}, OWNERS[0])
        _post(urls[0], "kept")
        _until_caught_up(primary, standby)
        wire.say("cut")
        until, acknowledged = time.monotonic() + 0.5, 0
        while time.monotonic() < until:
            _post(urls[acknowledged % 2], f"lost {acknowledged}")
            acknowledged += 1
        primary.stop("kill")
        standby.promote()
        for daemon in daemons:
            status, _out, errors = daemon.run_out()
            assert status == 1
            said = errors.splitlines()[-1]
            assert said.startswith("caucus-backbone: event ")
            assert "there" in said
        again = launch(start, ports[0], dsn)
        until_ready(again, urls[0])
        assert [one["body"] for one in whole_log(urls[0])] == ["kept"]
        assert acknowledged > 10
    finally:
        wire.end()
        primary.remove()
        standby.remove()


def _post(url: str, body: str) -> None:
    from ulid import ULID  # noqa: PLC0415

    message = {"type": "note", "msg_id": str(ULID()), "body": body}
    ask(f"{url}/channels/room/append", message, OWNERS[0])


def _until_caught_up(primary: Cluster, standby: Cluster) -> None:
    there = primary.ask("SELECT pg_current_wal_lsn()::text")[0][0]
    until = time.monotonic() + LEFT_SECONDS
    while time.monotonic() < until:
        if standby.ask(f"SELECT pg_last_wal_replay_lsn() >= '{there}'")[0][0]:
            return
        time.sleep(0.02)
    raise AssertionError("the standby never followed")
