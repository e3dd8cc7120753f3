"""The engines that such a room could be built on, beside it: durable appends and claims, on one disk.

Each is measured if it is installed: Redis by ``redis-benchmark`` and PostgreSQL by ``pgbench``, which are
written in C and speak their own protocols, and etcd through its HTTP gateway, by the daemon's own load.
"""

from __future__ import annotations

import base64
import csv
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from bench.load import run
from bench.postgres import cluster
from bench.scenarios import STORED, Scenario, append, claim_won
from bench.servers import DAEMON, Server
from tests.postgres import binaries

VALUE: Final = "x" * STORED
FIRST: Final = 4000
"""So many are asked of Redis, whose load takes a count and no time, to see how many to ask for."""


@frozen
class Figures:
    """Operations a second, and the median of their latencies in microseconds."""

    rate: float
    p50_us: float


@frozen
class Engine:
    """One of them: how so many connections do something for so many seconds, ``append`` or ``claim``."""

    name: str
    measure: Callable[[str, int, float], Figures]


def measure(connections: Sequence[int], rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Rates and medians of all, for each operation and crowd, and the daemon's ratio to each."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name, ExitStack() as running:
        folder = Path(name)
        engines = [running.enter_context(_daemon(folder))]
        for engine in (_redis, _postgres, _etcd):
            with suppress(FileNotFoundError):
                engines.append(running.enter_context(engine(folder)))
        return [
            _compared(engines, what, count, rounds, seconds)
            for what in ("append", "claim")
            for count in connections
        ]


def _compared(
    engines: Sequence[Engine], what: str, connections: int, rounds: int, seconds: float
) -> dict[str, Any]:
    runs: dict[str, list[Figures]] = {one.name: [] for one in engines}
    for _ in range(rounds):
        for engine in engines:
            runs[engine.name].append(engine.measure(what, connections, seconds))
    ours = runs[engines[0].name]
    row: dict[str, Any] = {"what": what, "connections": connections}
    told = [f"{what:7} {connections:4} connections"]
    for name, given in runs.items():
        rate = statistics.median(one.rate for one in given)
        p50_us = statistics.median(one.p50_us for one in given)
        pairs = zip(ours, given, strict=True)
        ratio = statistics.median(one.rate / other.rate for one, other in pairs)
        row[name] = {"rate": round(rate), "p50_us": round(p50_us), "ratio": round(ratio, 3)}
        told.append(f"{name} {rate:8,.0f}/s p50 {p50_us / 1000:6.2f} ms (x{ratio:.2f})")
    print(" | ".join(told), flush=True)
    return row


@contextmanager
def _daemon(folder: Path) -> Iterator[Engine]:
    scenarios = {"append": append(), "claim": claim_won()}
    with Server("caucus", [DAEMON, f"--journal=sqlite:{folder}/room.db"]) as server:
        for scenario in scenarios.values():
            scenario.prepare(server)
        yield Engine("caucus", lambda *asked: _asked(server, scenarios, *asked))


def _asked(
    server: Server, scenarios: dict[str, Scenario], what: str, connections: int, seconds: float
) -> Figures:
    told = run(server, scenarios[what], connections, seconds)
    return Figures(told.rate, told.p50_us)


@contextmanager
def _redis(folder: Path) -> Iterator[Engine]:
    port = _free_port()
    made = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", ""]
    with _running(["redis-server", *made, "--appendonly", "yes", "--appendfsync", "always"], port):
        yield Engine("redis", lambda *asked: _ask_redis(port, *asked))


def _ask_redis(port: int, what: str, connections: int, seconds: float) -> Figures:
    command = {
        "append": ["XADD", "room", "*", "body", VALUE],
        "claim": ["SET", "claim:__rand_int__", VALUE[:100], "NX", "EX", "100000"],
    }[what]

    def ask(count: int) -> Figures:
        options = ["-p", str(port), "-c", str(connections), "-n", str(count), "-r", "1000000000", "--csv"]
        told = _output(["redis-benchmark", *options, *command])
        row = list(csv.DictReader(told.splitlines()))[-1]
        return Figures(float(row["rps"]), float(row["p50_latency_ms"]) * 1000)

    return ask(max(FIRST, round(ask(FIRST).rate * seconds)))


@contextmanager
def _postgres(folder: Path) -> Iterator[Engine]:
    programs = binaries("system") or binaries("embedded")
    if programs is None:
        raise FileNotFoundError("there is no PostgreSQL")
    scripts = {
        "append": f"INSERT INTO event (body) VALUES ('{VALUE}');\n",
        "claim": (
            "\\set target random(1, 1000000000000)\n"
            f"INSERT INTO claim VALUES (:target, '{VALUE[:100]}') ON CONFLICT DO NOTHING;\n"
        ),
    }
    for what, script in scripts.items():
        (folder / f"{what}.sql").write_text(script)
    with cluster(programs) as made:
        made.ask("CREATE TABLE event (position bigserial PRIMARY KEY, body text NOT NULL)")
        made.ask("CREATE TABLE claim (target bigint PRIMARY KEY, holder text NOT NULL)")
        program = str(programs / "pgbench")
        yield Engine("postgresql", lambda *asked: _ask_postgres(program, made.port, folder, *asked))


def _ask_postgres(
    program: str, port: int, folder: Path, what: str, connections: int, seconds: float
) -> Figures:
    options = ["-n", "-M", "prepared", "-c", str(connections), "-j", "1", "-T", str(max(1, round(seconds)))]
    where = ["-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-f", f"{folder}/{what}.sql", "postgres"]
    told = _output([program, *options, *where])
    rate, mean = (re.search(one, told) for one in (r"tps = ([\d.]+)", r"latency average = ([\d.]+)"))
    if rate is None or mean is None:
        raise SystemExit(f"pgbench: {told}")
    return Figures(float(rate[1]), float(mean[1]) * 1000)  # it tells no median


@contextmanager
def _etcd(folder: Path) -> Iterator[Engine]:
    port, peers = _free_port(), _free_port()
    url, own = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peers}"
    made = ["--data-dir", f"{folder}/etcd", "--listen-client-urls", url, "--advertise-client-urls", url]
    alone = [
        "--listen-peer-urls",
        own,
        "--initial-advertise-peer-urls",
        own,
        "--initial-cluster",
        f"default={own}",
    ]
    value = base64.b64encode(VALUE.encode()).decode()
    put = f'{{"key":"@ID@","value":"{value}"}}'
    free = '{"key":"@ID@","target":"VERSION","result":"EQUAL","version":"0"}'
    scenarios = {
        "append": Scenario("put", "/v3/kv/put", put, lambda _server: None, has_token=False),
        "claim": Scenario(
            "put if free",
            "/v3/kv/txn",
            f'{{"compare":[{free}],"success":[{{"requestPut":{put}}}]}}',
            lambda _server: None,
            has_token=False,
        ),
    }
    with _running(["etcd", *made, *alone], port):
        server = Server("etcd", url)
        _wait_for_leader(url)
        yield Engine("etcd", lambda *asked: _asked(server, scenarios, *asked))


def _wait_for_leader(url: str) -> None:
    for _ in range(100):
        with suppress(OSError):
            urllib.request.urlopen(f"{url}/v3/kv/put", b'{"key":"YQ==","value":"YQ=="}', timeout=5).close()
            return
        time.sleep(0.1)
    raise SystemExit("bench: etcd takes no writes")


@contextmanager
def _running(command: Sequence[str], port: int) -> Iterator[None]:
    """A server that is there once its port is open. Raises ``FileNotFoundError`` if it is not installed."""
    if shutil.which(command[0]) is None:
        raise FileNotFoundError(command[0])
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(100):
                with suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                time.sleep(0.1)
            yield
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _output(command: Sequence[str]) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
