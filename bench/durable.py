"""What durability costs: appends with a SQLite journal, a long replay, the size of the file."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import apsw

from bench.memory import median_start
from bench.rates import compare
from bench.scenarios import STORED, append
from bench.servers import DAEMON, Server
from caucus.journals.codec import encode_event
from caucus.journals.database import Database
from caucus.model.events import ChannelCreated, ChannelFields, Event, Instant, Said, Stepped
from caucus.model.stamps import Stamps
from caucus.wire.jsontext import encode_json

CHANNELS = 100
GROUP = 1000
COMMITS = 3000
EVERY = 0.01
"""Seconds from one event of the long log to the next."""


def measure(events: int, connections: list[int], rounds: int, seconds: float) -> dict[str, Any]:
    """Rates and latencies in turns, then a replay of so many events and the size of their file."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        sync = sync_seconds(folder)
        print(f"a sync here: {sync * 1e6:.0f} us, median of 300", flush=True)
        servers = [
            Server("sqlite", [DAEMON, f"--journal=sqlite:{folder}/rates.db"]),
            Server("memory", [DAEMON]),
        ]
        bare = [commit_seconds(folder)]
        with servers[0] as durable, servers[1] as memory:
            rows = compare([durable, memory], connections, rounds, seconds, [append()])
        bare.append(commit_seconds(folder))
        alone = [row["servers"]["sqlite"]["p50_us"] for row in rows if row["connections"] == 1]
        print(
            f"a commit of one row in a bare loop: {[round(one * 1e6) for one in bare]} us, before and after"
        )
        for row in rows:
            ours, others = (row["servers"][one]["p50_us"] for one in ("sqlite", "memory"))
            row["syncs_more"] = round((ours - others) / sync / 1e6, 2)
            print(
                f"{row['connections']} connections: {row['syncs_more']} syncs more, by the medians",
                flush=True,
            )
        sizes = {}
        for count in sorted({events // 10, events}):
            file = folder / f"{count}.db"
            write(file, count)
            sizes[count] = round(file.stat().st_size / count, 1)
        print(f"bytes of file for each event of {STORED} bytes of JSON: {sizes}", flush=True)
        empty, full = (
            median_start([DAEMON, f"--journal=sqlite:{folder}/{name}.db"], 5)
            for name in ("empty", str(events))
        )
    print(f"{events:,} events replayed in {full - empty:.2f} s, beside {empty:.2f} s of start-up", flush=True)
    return {
        "sync_us": round(sync * 1e6, 1),
        "commit_us": [round(one * 1e6, 1) for one in bare],
        "alone_more_us": [round(one - statistics.mean(bare) * 1e6) for one in alone],
        "rows": rows,
        "bytes_each": sizes,
        "replay_seconds": round(full - empty, 2),
    }


def sync_seconds(folder: Path) -> float:
    """The bare cost of a sync: 4 KiB written over, and fdatasync."""
    taken = []
    number = os.open(folder / "sync", os.O_RDWR | os.O_CREAT)
    os.write(number, bytes(4096 * 300))
    os.fsync(number)
    for place in range(300):
        os.pwrite(number, os.urandom(4096), 4096 * place)
        began = time.perf_counter()
        os.fdatasync(number)
        taken.append(time.perf_counter() - began)
    os.close(number)
    return statistics.median(taken)


def commit_seconds(folder: Path) -> float:
    """What a row and its commit take in a bare loop with the journal's settings: the median."""
    file = folder / "bare.db"
    connection = apsw.Connection(str(file))
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.execute("CREATE TABLE event (position INTEGER PRIMARY KEY, body BLOB NOT NULL)")
    taken = []
    for _ in range(COMMITS):
        body = os.urandom(STORED)
        began = time.perf_counter()
        connection.execute("INSERT INTO event (body) VALUES (?)", (body,))
        taken.append(time.perf_counter() - began)
    connection.close()
    file.unlink()
    return statistics.median(taken)


def write(file: Path, count: int) -> None:
    """A file with so many events: `CHANNELS` channels, and messages in all of them in turn."""
    file.touch()
    database, stamps = Database(file), Stamps()
    began, boot_id = time.time() - count * EVERY, os.urandom(16)
    when = Instant(began, 0.0, boot_id)
    events: list[Event] = [
        ChannelCreated(when, ChannelFields(channel=f"c-{number}", created_ts=stamps.next(when.wall)))
        for number in range(CHANNELS)
    ]
    written = 0
    while written < count:
        while len(events) < min(GROUP, count - written):
            channel = f"c-{len(events) % CHANNELS}"
            passed = (written + len(events)) * EVERY
            when = Instant(began + passed, passed, boot_id)
            said = Said(channel, _message(stamps.next(when.wall)), "alice-agent", len(events) + 1)
            events.append(Stepped(when, (said,)))
        database.append(written, [encode_event(event) for event in events])
        written += len(events)
        events.clear()
    database.close()


def _message(ts: str) -> bytes:
    fields = {
        "type": "finding",
        "agent_id": "alice-agent",
        "owner": "alice",
        "msg_id": "0" * 26,
        "v": 1,
        "ts": ts,
    }
    bare = encode_json({**fields, "body": ""})
    return encode_json({**fields, "body": "x" * (STORED - len(bare))})
