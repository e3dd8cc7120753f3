"""Several daemons over one PostgreSQL, each behind a wire of its own, and a balancer before them."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
from contextlib import suppress
from pathlib import Path
from typing import IO

from tests.daemon import Daemon, Start, ask
from tests.postgres import Cluster
from tests.test_kill import ROOMY

ROOT = Path(__file__).parent.parent
OWNERS = [f"owner{number}" for number in range(8)]
TOKENS = ",".join(f"{owner}:{owner}-agent:{owner}" for owner in OWNERS)
LEFT_SECONDS = 30
"""So long it may take until everything goes on after the last blow."""


_numbers = itertools.count(1)


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

    def __init__(self, cluster: Cluster, start: Start, count: int, tokens: str = TOKENS) -> None:
        self.cluster = cluster
        self._start = start
        self._tokens = tokens
        self.schema = f"sea_{os.getpid()}_{next(_numbers)}"
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
            CAUCUS_TOKENS=self._tokens,
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
