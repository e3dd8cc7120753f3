"""Rates of the scenarios: servers against each other, in turns, within one run."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from typing import Any

from bench.load import Run, run
from bench.scenarios import ALL, Scenario
from bench.servers import Server

ECHOES = {"echo": [], "direct echo": ["--direct"]}
"""The bare echoes, by name, with their options."""


def echoes() -> list[Server]:
    """The bare echoes, to be entered as contexts."""
    return [Server(name, [sys.executable, "-m", "bench.echo", *options]) for name, options in ECHOES.items()]


def compare(
    servers: Sequence[Server],
    connections: Sequence[int],
    rounds: int,
    seconds: float,
    scenarios: Sequence[Scenario] = ALL,
    bare: Sequence[Server] = (),
) -> list[dict[str, Any]]:
    """Run every scenario on every server, in turns, and print a line for each scenario and crowd.

    The first of ``servers`` is the one that is measured; the others are what it is compared with,
    and ``bare`` answers anything.
    """
    rows = []
    for scenario in scenarios:
        for server in servers:
            scenario.prepare(server)
        for count in connections:
            runs: dict[str, list[Run]] = {server.name: [] for server in [*servers, *bare]}
            for _ in range(rounds):
                for server in [*servers, *bare]:
                    runs[server.name].append(run(server, scenario, count, seconds))
            rows.append(_row(scenario.name, count, runs))
            _print(rows[-1])
    return rows


def _row(scenario: str, connections: int, runs: dict[str, list[Run]]) -> dict[str, Any]:
    figures: dict[str, dict[str, Any]] = {
        name: {
            "rate": statistics.median(one.rate for one in given),
            "p50_us": statistics.median(one.p50_us for one in given),
            "p99_us": statistics.median(one.p99_us for one in given),
            "rates": [round(one.rate) for one in given],
        }
        for name, given in runs.items()
    }
    ours, *others = figures
    ratios = {
        other: {name: round(_ratio(name, runs[ours], runs[other]), 3) for name in ("rate", "p99_us")}
        for other in others
    }
    return {"scenario": scenario, "connections": connections, "servers": figures, "ratios": ratios}


def _ratio(name: str, ours: list[Run], others: list[Run]) -> float:
    """The median of the rounds' own ratios: what disturbs a round disturbs both that are in it."""
    pairs = zip(ours, others, strict=True)
    ratios: list[float] = [getattr(one, name) / getattr(other, name) for one, other in pairs]
    return statistics.median(ratios)


def _print(row: dict[str, Any]) -> None:
    told = [f"{row['scenario']:12} {row['connections']:4} connections"]
    for name, figures in row["servers"].items():
        line = f"{name} {figures['rate']:8,.0f}/s p99 {figures['p99_us'] / 1000:6.2f} ms"
        if name in row["ratios"]:
            ratio = row["ratios"][name]
            line += f" (x{ratio['rate']:.2f}, p99 x{ratio['p99_us']:.2f})"
        told.append(line)
    print(" | ".join(told), flush=True)
