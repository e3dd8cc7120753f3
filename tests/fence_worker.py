"""One of the processes that wait for claims while the daemon is killed: ``python -m tests.fence_worker``.

It is given a URL and an owner, and takes, waits for, and gives back targets until a line comes on standard
input; it writes each time that a target was its own as a JSON line. The token is the owner's name.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater, react

from caucus import HTTPBackbone, Message, Taken
from caucus.errors import CaucusError, ClaimLost
from caucus.model.claims import Claim

TARGETS = ["a/", "a/x", "a/y", "b", "c"]
LANES = 2
stopped = threading.Event()


def stop_when_told() -> None:
    sys.stdin.readline()
    stopped.set()


async def once(reactor: Any, backbone: HTTPBackbone, owner: str, chance: random.Random) -> None:
    target = chance.choice(TARGETS)
    try:
        answer = await backbone.take_claim("room", {"targets": [target], "note": owner, "wait": True})
    except CaucusError as error:
        if error.code != "deadlock":  # by way of its own other lane
            raise
        return
    if not isinstance(answer, Taken) or answer.outcome == "already_yours":
        return  # the other lane has it
    claim: Claim = answer.claim
    while claim.state == "waiting":
        claim = await backbone.get_claim("room", claim.claim, wait=5)
    told = time.monotonic()
    mine = backbone.fenced(claim.claim, claim.fence or 0)
    appended = await mine.append("room", Message("status", f"{target} {claim.fence}"))
    await deferLater(reactor, chance.uniform(0, 0.02))
    released = time.monotonic()
    await backbone.release_claim("room", claim.claim)
    print(json.dumps([target, told, released, owner, claim.fence, appended.cursor]), flush=True)
    try:
        await mine.append("room", Message("status", "too late"))
    except ClaimLost:
        return
    raise AssertionError("it wrote by a grant that it had given back")


async def lane(reactor: Any, backbone: HTTPBackbone, owner: str, chance: random.Random) -> None:
    while not stopped.is_set():
        await once(reactor, backbone, owner, chance)


async def work(reactor: Any, url: str, owner: str) -> None:
    backbone = HTTPBackbone(reactor, url, owner, retry_seconds=60)
    lanes = [
        Deferred.fromCoroutine(lane(reactor, backbone, owner, random.Random(f"{owner} {number}")))
        for number in range(LANES)
    ]
    await gatherResults(lanes, consumeErrors=True)
    await backbone.close()


if __name__ == "__main__":
    _, url, owner = sys.argv
    threading.Thread(target=stop_when_told, daemon=True).start()
    react(lambda reactor: Deferred.fromCoroutine(work(reactor, url, owner)))
