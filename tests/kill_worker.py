"""One of the processes that write while the daemon is killed: ``python -m tests.kill_worker URL OWNER``.

It writes until a line comes on standard input, each write once, over every restart; each
answer is a JSON line. The token is the owner's name.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater, react

from caucus import HTTPBackbone, Message
from caucus.client import exchange
from caucus.errors import StorageUnavailable

LANES = 3
stopped = threading.Event()


def tell(*fields: object) -> None:
    print(json.dumps(fields))


def stop_when_told() -> None:
    sys.stdin.readline()
    stopped.set()


async def patiently(ask: Callable[[], Deferred[Any]]) -> Any:
    """Ask again while nothing can be written, and nothing was."""
    while True:
        try:
            return await ask()
        except StorageUnavailable:
            await deferLater(reactor, 0.1)


async def lane(backbone: HTTPBackbone, owner: str, number: int, chance: random.Random) -> None:
    step = 0
    while not stopped.is_set():
        step += 1
        name = f"{owner}/{number}/{step}"
        match chance.randrange(4):
            case 0:
                data = name.encode() * chance.randint(1, 50)
                address = sha256(data).hexdigest()
                await patiently(lambda: backbone.put_artifact("room", address, data))  # noqa: B023
                tell("artifact", address, len(data))
            case 1:
                await claims(backbone, owner, f"target {step}", chance)
            case _:
                message = Message("finding", name)
                appended = await patiently(lambda: backbone.append("room", message))  # noqa: B023
                tell("append", message.msg_id, appended.cursor, number)
        tell("head", number, await patiently(lambda: backbone.subscribe("room")))


async def claims(backbone: HTTPBackbone, owner: str, target: str, chance: random.Random) -> None:
    for kind in ("claim", "done") if chance.random() < 0.6 else ("claim",):
        message = Message("claim", kind, target=target)
        operation = backbone.claim if kind == "claim" else backbone.mark_claim_done
        called = time.monotonic()
        result: Any = await patiently(lambda: operation("room", message))  # noqa: B023
        returned = time.monotonic()
        answer = result.by.owner if result.outcome == "already_claimed" else result.outcome
        tell("ledger", target, called, returned, owner, kind, answer)
        if answer == "granted":
            tell("append", message.msg_id, result.cursor, -1)


async def work(reactor: Any, url: str, owner: str) -> None:
    exchange.MOST_PAUSE_SECONDS = 0.05  # type: ignore[misc]  # a life of the daemon is short here
    threading.Thread(target=stop_when_told, daemon=True).start()
    backbone = HTTPBackbone(reactor, url, owner, retry_seconds=60)
    lanes = [lane(backbone, owner, number, random.Random(f"{owner}{number}")) for number in range(LANES)]
    await gatherResults([Deferred.fromCoroutine(one) for one in lanes])
    await backbone.close()


if __name__ == "__main__":
    _, url, owner = sys.argv
    react(lambda reactor: Deferred.fromCoroutine(work(reactor, url, owner)))
