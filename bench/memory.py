"""Resident memory for each stored message, and the time that a server takes to start."""

from __future__ import annotations

import statistics
import time
from typing import Any

from bench.load import run
from bench.scenarios import STORED, append
from bench.servers import DAEMON, Server, seconds_to_start

WINDOW = 5
"""The seatbelts' window, in seconds: what they count is gone after it."""


def per_message(messages: int) -> dict[str, Any]:
    """What a daemon's resident memory grows by, one window after so many appends to one channel."""
    scenario = append("memory")
    environment = {"CAUCUS_WINDOW_SECONDS": str(WINDOW)}
    with Server("memory", [DAEMON], environment) as server:
        scenario.prepare(server)
        run(server, scenario, 32, 0, requests=2000)  # what is made once is there by then
        time.sleep(WINDOW + 1)
        before = server.resident()
        run(server, scenario, 32, 0, requests=messages)
        last = server.resident()
        time.sleep(WINDOW + 1)
        run(server, scenario, 1, 0, requests=1)
        after = server.resident()
    each = (after - before) / messages
    told = f"{each:.1f} bytes of resident memory for each message of {STORED}, over {messages:,}"
    print(f"{told} ({(last - before) / messages:.1f} within the window)", flush=True)
    return {"messages": messages, "stored_bytes": STORED, "resident_bytes_each": round(each, 1)}


def start_up(times: int = 7) -> dict[str, Any]:
    """From a daemon's start until it accepts connections."""
    middle = median_start([DAEMON], times)
    print(f"start-up: {middle * 1000:.0f} ms, median of {times}", flush=True)
    return {"median_seconds": round(middle, 3)}


def median_start(command: list[str], times: int) -> float:
    """The median of the seconds that a daemon takes to start."""
    return statistics.median(seconds_to_start(command) for _ in range(times))
