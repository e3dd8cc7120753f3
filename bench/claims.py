"""Claims with a lease: what one costs beside a plain claim, and what signs of life cost a post."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.load import run
from bench.rates import compare
from bench.scenarios import append, claim_won, lease_taken
from bench.servers import DAEMON, Server

ROOMY = {
    "CAUCUS_MAX_CLAIMS_PER_CHANNEL": "100000000",
    "CAUCUS_MAX_CLAIMS_PER_AGENT": "100000000",
}
HELD, FOLDERS = 10_000, 1000


def measure(rounds: int, seconds: float) -> dict[str, Any]:
    """Rates in memory and with SQLite, what signs cost a post, and a queue of agents."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        journals = {"memory": "memory:", "sqlite": f"sqlite:{folder}/claims.db"}
        rates = {name: _rates(name, journal, rounds, seconds) for name, journal in journals.items()}
    with Server("claims", [DAEMON], ROOMY) as bare, Server("signs", [DAEMON], ROOMY) as signs:
        lease_taken("mine").prepare(signs)
        taken = {"targets": ["mine"], "note": "mine", "lease_ttl": 86_400}
        signs.ask("/channels/mine/claims", taken, "alice")
        rows = compare([bare, signs], [32], rounds, seconds, [append()])
    command = [sys.executable, "-m", "bench.queue"]
    queue = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)
    print(f"queue: {json.dumps(queue)}", flush=True)
    return {"rates": rates, "signs": rows, "queue": queue}


def _rates(name: str, journal: str, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Within one run, in turns: plain, leased with nothing held, and leased with `HELD` held."""
    scenarios = [
        claim_won("plain"),
        lease_taken("leased"),
        lease_taken("crowded", held=HELD, folders=FOLDERS),
    ]
    rates: dict[str, list[float]] = {scenario.name: [] for scenario in scenarios}
    with Server("claims", [DAEMON, f"--journal={journal}"], ROOMY) as server:
        for scenario in scenarios:
            scenario.prepare(server)
        for _ in range(rounds):
            for scenario in scenarios:
                rates[scenario.name].append(run(server, scenario, 32, seconds).rate)
    plain = statistics.median(rates["claim won"])
    for asked, given in rates.items():
        rate = statistics.median(given)
        print(f"{name}, {asked}: {rate:,.0f}/s, {rate / plain:.2f} of a plain claim", flush=True)
    return rates
