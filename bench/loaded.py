"""The same scenarios with a long log and many held targets, against an empty server."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.load import run
from bench.rates import compare
from bench.scenarios import append, claim_won
from bench.servers import Server

CHANNELS = 100


def fill(server: Server, messages: int, targets: int) -> None:
    """Post so many messages over `CHANNELS` channels, and claim so many targets in another."""
    posts, claims = append("filled", CHANNELS), claim_won("held")
    for scenario, count in ((posts, messages), (claims, targets)):
        scenario.prepare(server)
        run(server, scenario, 32, 0, requests=count)


def measure(
    messages: int, targets: int, connections: Sequence[int], rounds: int, seconds: float
) -> dict[str, Any]:
    """Ratios of a filled server to an empty one, and the longest pauses of their garbage collectors."""
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / name for name in ("filled", "empty")}
        servers = [
            Server(name, [sys.executable, "-m", "bench.watched", str(file)]) for name, file in files.items()
        ]
        with servers[0] as filled, servers[1] as empty:
            fill(filled, messages, targets)
            rows = compare([filled, empty], connections, rounds, seconds)
            grown = filled.resident() - empty.resident()
        pauses = {name: json.loads(file.read_text()) for name, file in files.items()}
    print(f"pauses of the garbage collector, in ms: {pauses}", flush=True)
    return {
        "messages": messages,
        "channels": CHANNELS,
        "targets": targets,
        "rows": rows,
        "resident_bytes_more": grown,
        "gc_pauses_ms": pauses,
    }
