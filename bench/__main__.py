"""Measure a backbone, and what it is compared with, in one run.

    python -m bench [--against COMMAND-OR-URL] [--only PART,PART...] [--json FILE]

The parts are rates, loaded, claims, memory, strangers, start, streams, following, durable, postgres, engines
and page.

The daemon is started here, in a process of its own; so is the other server, by default the same
daemon on Twisted's own site (``--http twisted``). A command must print its URL as the last word of
a line; it gets the port, the tokens and raised budgets in the environment. A server at a URL must
know the tokens ``bench-alice`` and ``bench-bob``. Both are asked in turns; what is printed are
medians, and those of each round's ratio. The access line is written in every run. No time is asserted.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import claims, durable, loaded, memory, page, rates, strangers
from bench.servers import DAEMON, Server

PARTS = (
    "rates",
    "loaded",
    "claims",
    "memory",
    "strangers",
    "start",
    "streams",
    "following",
    "durable",
    "postgres",
    "engines",
    "page",
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--against", default=f"{DAEMON} --http twisted", metavar="COMMAND-OR-URL")
    parser.add_argument("--only", default=",".join(PARTS), help="parts to run, comma-separated [all]")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each scenario on each server [5]")
    parser.add_argument("--seconds", type=float, default=2, help="the length of a run [2]")
    parser.add_argument("--connections", default="32,256", help="crowds, comma-separated [32,256]")
    parser.add_argument("--messages", type=int, default=1_000_000, help="in a filled log [1000000]")
    parser.add_argument("--targets", type=int, default=100_000, help="held in a filled ledger [100000]")
    parser.add_argument(
        "--json", type=Path, default=Path("bench.json"), help="where to write all [bench.json]"
    )
    options = parser.parse_args()
    only = options.only.split(",")
    if unknown := set(only) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    crowds = [int(one) for one in options.connections.split(",")]
    result: dict[str, Any] = {
        "python": platform.python_version(),
        "twisted": version("twisted"),
        "load": "wrk" if shutil.which("wrk") else "bench.load",
        "against": options.against,
    }
    if "rates" in only:
        with ExitStack() as running:
            servers = [Server("caucus", [DAEMON]), Server("against", options.against)]
            opened = [running.enter_context(one) for one in [*servers, *rates.echoes()]]
            result["rates"] = rates.compare(
                opened[:2], crowds, options.rounds, options.seconds, bare=opened[2:]
            )
    if "loaded" in only:
        result["loaded"] = loaded.measure(
            options.messages, options.targets, [32], options.rounds, options.seconds
        )
    if "claims" in only:
        result["claims"] = claims.measure(options.rounds, options.seconds)
    alone: dict[str, Callable[[], Any]] = {
        "memory": lambda: memory.per_message(options.messages),
        "strangers": strangers.measure,
        "start": memory.start_up,
        "page": lambda: page.measure(10_000, options.rounds),
    }
    result |= {part: measured() for part, measured in alone.items() if part in only}
    programs = {"streams": {"caucus": DAEMON, "against": options.against}, "following": {"caucus": DAEMON}}
    for part in (one for one in programs if one in only):
        result[part] = {name: _told(part, target) for name, target in programs[part].items()}
    if "durable" in only:
        result["durable"] = durable.measure(options.messages, [1, *crowds], options.rounds, options.seconds)
    if "postgres" in only:
        from bench import postgres  # noqa: PLC0415  # which needs what an installed daemon does not

        result["postgres"] = postgres.measure(options.messages, crowds, options.rounds, options.seconds)
    if "engines" in only:
        from bench import engines  # noqa: PLC0415

        result["engines"] = engines.measure([1, crowds[0]], options.rounds, options.seconds)
    options.json.write_text(json.dumps(result, indent=2) + "\n")
    print(f"all of it is in {options.json}")


def _told(part: str, target: str) -> Any:
    """What a part that is a program of its own tells."""
    command = [sys.executable, "-m", f"bench.{part}", "--target", target]
    told = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)
    print(f"{part}, {target}: {json.dumps(told)}", flush=True)
    return told


if __name__ == "__main__":
    main()
