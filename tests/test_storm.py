"""Storms over two or three daemons and one PostgreSQL: whatever is killed, cut or held, nothing is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import pytest

from tests.daemon import Daemon, Start, ask
from tests.linearizability import Operation, is_linearizable
from tests.postgres import Cluster
from tests.test_kill import ROOMY, whole_log

ROOT = Path(__file__).parent.parent
OWNERS = [f"owner{number}" for number in range(8)]
TOKENS = ",".join(f"{owner}:{owner}-agent:{owner}" for owner in OWNERS)
LEFT_SECONDS = 30
"""So long it may take until everything goes on after the last blow."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


class Process:
    """A module of the tests, run by itself, whose first line says where it listens."""

    def __init__(self, module: str, *arguments: str, out: IO[str] | int = subprocess.PIPE) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"tests.{module}", *arguments],
            stdin=subprocess.PIPE,
            stdout=out,
            text=True,
            cwd=ROOT,
        )

    def first_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


class Sea:
    """Daemons over one database, each behind a wire of its own, and a balancer before them."""

    def __init__(self, cluster: Cluster, start: Start, count: int) -> None:
        self.cluster = cluster
        self._start = start
        self.schema = f"storm_{os.getpid()}_{count}"
        self.wires = [Process("proxy", str(cluster.port)) for _ in range(count)]
        self.ports = [free_port() for _ in range(count)]
        self.urls = [f"http://127.0.0.1:{port}" for port in self.ports]
        self.wire_ports = [int(wire.first_line()) for wire in self.wires]
        self.daemons: list[Daemon] = [self.launch(number) for number in range(count)]
        self.balancer = Process("balancer", *map(str, self.ports))
        self.url = f"http://127.0.0.1:{self.balancer.first_line()}"
        for number in range(count):
            self.until_ready(number)

    def launch(self, number: int) -> Daemon:
        return self._start(
            "caucus-backbone",
            *ROOMY,
            f"--port={self.ports[number]}",
            f"--journal=postgres:{self.cluster.dsn(self.schema, self.wire_ports[number])}",
            CAUCUS_TOKENS=TOKENS,
        )

    def until_ready(self, number: int) -> None:
        """Wait until a daemon takes writes, started again if it had ended by itself."""
        until = time.monotonic() + LEFT_SECONDS
        while time.monotonic() < until:
            if self.daemons[number].process.poll() is not None:
                self.daemons[number] = self.launch(number)
            with suppress(OSError, urllib.error.URLError):
                if ask(f"{self.urls[number]}/readyz"):
                    return
            time.sleep(0.05)
        raise AssertionError(self.daemons[number].errors()[-3000:])

    def kill(self, number: int) -> None:
        daemon = self.daemons[number]
        daemon.process.kill()
        daemon.process.communicate()
        self._start.started.remove(daemon)
        self.daemons[number] = self.launch(number)

    def stop_for_a_while(self, number: int) -> None:
        process = self.daemons[number].process
        process.send_signal(signal.SIGSTOP)
        time.sleep(3)
        process.send_signal(signal.SIGCONT)

    def cut(self, number: int) -> None:
        self.wires[number].say("cut")
        time.sleep(0.3)
        self.wires[number].say("heal")

    def lose_answers(self, number: int) -> None:
        """What was sent arrives, and nobody hears so."""
        self.wires[number].say("hold_answers")
        time.sleep(0.1)
        self.cut(number)

    def hold(self, number: int) -> None:
        self.wires[number].say("hold")
        time.sleep(1)
        self.wires[number].say("heal")

    def terminate(self, _number: int) -> None:
        self.cluster.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'caucus' "
            "AND random() < 0.5"
        )

    def restart(self, number: int) -> None:
        self.cluster.stop("immediate" if number else "fast")
        self.cluster.start()

    def end(self) -> None:
        for one in (*self.wires, self.balancer):
            one.end()


@pytest.mark.deadline(7200)
@pytest.mark.parametrize(("seed", "count"), [(1, 2), (2, 3)])
def test_nothing_is_lost_in_a_storm(
    seed: int, count: int, own_postgres: Cluster, start: Start, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    chance, sea = random.Random(seed), Sea(own_postgres, start, count)
    ask(f"{sea.url}/channels", {"channel": "room"}, OWNERS[0])
    blows = [sea.kill, sea.stop_for_a_while, sea.cut, sea.lose_answers, sea.hold, sea.terminate, sea.restart]
    writers = [Process("kill_worker", sea.url, owner, out=(tmp_path / owner).open("w")) for owner in OWNERS]
    readers = [
        Process("stream_worker", url, out=(tmp_path / f"stream{number}").open("w"))
        for number, url in enumerate(sea.urls)
    ]
    struck: Counter[str] = Counter()
    try:
        until = time.monotonic() + pytestconfig.getoption("--storm") / 2
        while time.monotonic() < until:
            time.sleep(chance.uniform(0.1, 1))
            blow = chance.choice(blows)
            struck[blow.__name__] += 1
            blow(chance.randrange(count))
        for number in range(count):
            sea.until_ready(number)
        for writer in writers:
            writer.process.communicate("stop\n", timeout=90)
        logs = [whole_log(url) for url in sea.urls]
        until_read(tmp_path, count, len(logs[0]))
        for reader in readers:
            reader.process.communicate(timeout=10)
        check(sea.url, logs[0], tmp_path)
    finally:
        for process in (*writers, *readers):
            process.end()
        sea.end()
    print(dict(struck), len(logs[0]))
    assert [writer.process.returncode for writer in writers] == [0] * len(writers)
    assert all(log == logs[0] for log in logs)
    for number in range(count):
        seen = [int(line) for line in (tmp_path / f"stream{number}").read_text().splitlines()]
        assert seen == list(range(1, len(logs[0]) + 1))


def until_read(folder: Path, count: int, length: int) -> None:
    until = time.monotonic() + LEFT_SECONDS
    while time.monotonic() < until:
        if all((folder / f"stream{number}").read_text().endswith(f"\n{length}\n") for number in range(count)):
            return
        time.sleep(0.1)


def check(url: str, log: Sequence[dict[str, str]], folder: Path) -> None:
    """Hold what was acknowledged, whichever daemon did, to what is there in the end."""
    places = {message["msg_id"]: place for place, message in enumerate(log, 1)}
    assert len(places) == len(log)
    histories: dict[str, list[Operation]] = defaultdict(list)
    acknowledged = 0
    for owner in OWNERS:
        cursors: dict[int, int] = defaultdict(int)
        for kind, *fields in map(json.loads, (folder / owner).open()):
            match kind, *fields:
                case "append", msg_id, cursor, lane:
                    assert places[msg_id] == cursor
                    assert lane == -1 or cursors[lane] < cursor
                    cursors[lane] = cursor
                case "artifact", address, size:
                    with urllib.request.urlopen(f"{url}/channels/room/artifacts/{address}") as answer:
                        assert len(answer.read()) == size
                case "ledger", target, *operation:
                    histories[target].append(Operation(*operation))
            acknowledged += kind != "head"
    assert [target for target, history in histories.items() if not is_linearizable(history)] == []
    print(f"{acknowledged} acknowledged writes, {len(histories)} targets")
    assert acknowledged > 100
