"""One of the processes that race for claims: ``python -m tests.race_worker URL OWNER TARGETS``.

Waits for a line on standard input, goes through all targets, and writes each operation as a
JSON line: its times, its kind and its answer. The token is the owner's name.
"""

from __future__ import annotations

import json
import random
import sys
import time
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import react

from caucus import HTTPBackbone, Message

LANES = 6


async def race(reactor: Any, url: str, owner: str, targets: int) -> None:
    backbone = HTTPBackbone(reactor, url, owner)
    chance = random.Random(owner)
    numbers = iter(range(targets))

    async def note(kind: str, target: str) -> str:
        message = Message("claim", kind, target=target)
        operation = backbone.claim if kind == "claim" else backbone.mark_claim_done
        called = time.monotonic()
        result: Any = await operation("race", message)
        returned = time.monotonic()
        answer = result.by.owner if result.outcome == "already_claimed" else result.outcome
        print(json.dumps([target, called, returned, owner, kind, answer]))
        return str(answer)

    async def lane() -> None:
        for number in numbers:
            target = f"target {number}"
            answer = await note("claim", target)
            if chance.random() < 0.2:
                await note("claim", target)  # a retry
            if chance.random() < (0.6 if answer == "granted" else 0.1):
                await note("done", target)

    await gatherResults([Deferred.fromCoroutine(lane()) for _ in range(LANES)])
    await backbone.close()


if __name__ == "__main__":
    _, url, owner, targets = sys.argv
    sys.stdin.readline()
    react(lambda reactor: Deferred.fromCoroutine(race(reactor, url, owner, int(targets))))
