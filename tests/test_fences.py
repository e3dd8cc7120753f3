"""Fences: whoever holds a target is alone with it, and whoever has lost it does not write any more."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from caucus.core.backbone import Backbone
from caucus.errors import CaucusError, ClaimLost
from caucus.limits import Limits
from caucus.model.claims import Taken
from caucus.model.records import Identity
from caucus.testing.shared import SharedLog
from tests.claim_model import overlap
from tests.daemon import SECONDS, Daemon, Start, ask

OWNERS = [f"owner{number}" for number in range(8)]
ROOMY = ["--max-posts-per-minute=1000000", "--max-messages-per-channel=1000000"]


class Resource:
    """Something outside that remembers the highest fence it has seen, for each name."""

    def __init__(self) -> None:
        self.highest: dict[str, int] = {}

    def takes(self, target: str, fence: int) -> bool:
        """Whether it lets somebody write on a target, and on all that overlaps."""
        if any(seen > fence for name, seen in self.highest.items() if overlap(name, target)):
            return False
        self.highest[target] = fence
        return True


@pytest.mark.deadline(600)
def test_who_is_told_granted_is_alone_with_the_target_over_kills_of_the_daemon(
    start: Start, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    tokens = ",".join(f"{owner}:{owner}-agent:{owner}" for owner in OWNERS)
    arguments = [*ROOMY, f"--port={port}", f"--journal=sqlite:{tmp_path / 'room.db'}"]
    daemons: list[Daemon] = []

    def live() -> None:
        daemons.append(start("caucus-backbone", *arguments, CAUCUS_TOKENS=tokens))
        daemons[-1].until_listening()

    def kill() -> None:
        daemon = daemons.pop()
        daemon.process.kill()
        daemon.process.communicate()
        start.started.remove(daemon)
        live()

    live()
    be_alone(url, kill, tmp_path, pytestconfig.getoption("--kills") // 10)


def be_alone(url: str, kill: Callable[[], None], folder: Path, kills: int) -> None:
    """Hold a room, in which eight take and give back, to what its claims promise, over so many kills."""
    chance = random.Random(7)
    ask(f"{url}/channels", {"channel": "room"}, OWNERS[0])
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.fence_worker", url, owner],
            stdin=subprocess.PIPE,
            stdout=(folder / owner).open("w"),
            stderr=(folder / f"{owner}.err").open("w"),
            text=True,
            cwd=Path(__file__).parent.parent,
        )
        for owner in OWNERS
    ]
    try:
        while not all((folder / owner).stat().st_size for owner in OWNERS):
            assert all(worker.poll() is None for worker in workers)
            time.sleep(0.1)  # each has had its turn once
        for _ in range(kills):
            time.sleep(chance.uniform(0.1, 0.6))
            kill()
        time.sleep(1)
        for worker in workers:
            worker.communicate("stop\n", timeout=60)
    finally:
        for worker in workers:
            worker.kill()
    assert [worker.returncode for worker in workers] == [0] * len(workers), [
        (folder / f"{owner}.err").read_text()[-2000:] for owner in OWNERS
    ]
    holdings = [json.loads(line) for owner in OWNERS for line in (folder / owner).open()]
    assert len(holdings) > 10 * len(OWNERS)
    assert {owner for _, _, _, owner, _, _ in holdings} == set(OWNERS)
    holdings.sort(key=lambda one: one[1])
    resource = Resource()
    for number, (target, told, _released, owner, fence, _cursor) in enumerate(holdings):
        assert resource.takes(target, fence)
        for before, _, ended, other, _, _ in holdings[:number]:
            assert not overlap(before, target) or ended <= told, (owner, other, target, before)
    by_fence = sorted(holdings, key=lambda one: one[4])
    assert all(one[4] < two[4] for one, two in pairwise(by_fence))
    for one, two in pairwise(by_fence):  # what is written under a later grant stands further down in the log
        assert not overlap(one[0], two[0]) or one[5] < two[5]
    assert ask(f"{url}/channels/room/claims")["claims"] == []


class Told:
    """What an operation of one of several backbones answers, once it does."""

    def __init__(self, doing: Deferred[Any]) -> None:
        self.result: Any = None
        doing.addCallbacks(self._answered, self._refused)

    def _answered(self, result: Any) -> None:
        self.result = result

    def _refused(self, failure: Any) -> None:
        failure.trap(CaucusError)
        self.result = failure.value


@pytest.mark.parametrize("hands", [2, 4])
def test_who_is_told_granted_is_alone_with_the_target_at_any_of_several_backbones(
    hands: int, pytestconfig: pytest.Config
) -> None:
    for seed in range(pytestconfig.getoption("--seeds")):
        play(hands, seed)


class Play:
    """Agents at several backbones take, wait and give back; what each is told is put in one order."""

    def __init__(self, hands: int, seed: int) -> None:
        self.chance, self.seed = random.Random(seed), seed
        clock, limits = Clock(), Limits(max_posts_per_minute=10**6)
        clock.advance(1e9)
        self.log = SharedLog(clock, seed)
        self.backbones = [Backbone(self.log.journal(), clock, limits) for _ in range(hands)]
        for backbone in self.backbones:
            backbone.replay()
            backbone.begin_run()
        self.log.run()
        self.backbones[0].create_channel("room")
        self.log.run()
        self.asked: dict[Identity, Told] = {}
        self.held: dict[Identity, Any] = {}
        self.resource = Resource()

    def begin(self, agent: Identity, operation: str, *args: Any) -> None:
        backbone = self.chance.choice(self.backbones)
        self.asked[agent] = Told(getattr(backbone, operation)("room", *args))

    def hear(self, agent: Identity, claim: Any) -> None:
        """An agent is told that it holds a claim: nobody else may believe so of anything that overlaps."""
        (target,) = claim.targets
        for other, its in self.held.items():
            assert other == agent or not overlap(its.targets[0], target), (self.seed, other, agent)
        assert self.resource.takes(target, claim.fence)
        self.held[agent] = claim

    def step(self, agent: Identity) -> None:
        if agent in self.asked:
            self.log.run()
        elif agent in self.held:  # from here on it does not believe so any more
            self.begin(agent, "release_claim", self.held.pop(agent).claim, agent)
        else:
            target = self.chance.choice(["a/", "a/x", "a/y", "b"])
            self.begin(agent, "take_claim", {"targets": [target], "note": "mine", "wait": True}, agent)
        if self.chance.random() < 0.5:
            self.log.run()
        for other, told in list(self.asked.items()):
            if told.result is not None:
                del self.asked[other]
                self.go_on(other, told.result)

    def go_on(self, agent: Identity, result: Any) -> None:
        claim = result.claim if isinstance(result, Taken) else result
        state = getattr(claim, "state", "")
        if state == "held":
            self.hear(agent, claim)
        elif state == "waiting":
            self.begin(agent, "get_claim", claim.claim)


def play(hands: int, seed: int) -> None:
    room = Play(hands, seed)
    agents = [Identity(f"agent-{number}", f"owner-{number}") for number in range(6)]
    for _ in range(150):
        room.step(room.chance.choice(agents))
    assert room.resource.highest


PAUSED = """
import sys
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import react
from caucus import HTTPBackbone, Message
from caucus.errors import CaucusError

async def work(reactor, url):
    backbone = HTTPBackbone(reactor, url, "alice")
    wanted = {"targets": ["src/"], "note": "mine", "lease_ttl": 10}
    claim = (await backbone.take_claim("room", wanted)).claim

    heard = Deferred()

    async def listen():
        async with backbone.follow("room", 0) as messages:
            async for _ in messages:
                if not heard.called:
                    heard.callback(None)

    listening = ensureDeferred(listen())
    listening.addErrback(lambda _: None)
    await heard
    print(claim.claim, claim.fence, flush=True)
    sys.stdin.readline()  # it is stopped here, and woken
    try:
        await backbone.fenced(claim.claim, claim.fence).append("room", Message("status", "still mine"))
        print("written", flush=True)
    except CaucusError as error:
        print(error.code, flush=True)
    listening.cancel()
    await backbone.close()

react(lambda reactor: Deferred.fromCoroutine(work(reactor, sys.argv[1])))
"""


@pytest.mark.deadline(120)
def test_an_agent_that_was_stopped_past_its_lease_and_is_woken_does_not_write(
    start: Start, tmp_path: Path
) -> None:
    (url,) = start("caucus-backbone", CAUCUS_TOKENS="alice:a:alice,bob:b:bob").until_listening()
    room = f"{url}/channels/room"
    ask(f"{url}/channels", {"channel": "room"}, "bob")
    (tmp_path / "paused.py").write_text(PAUSED)
    agent = subprocess.Popen(
        [sys.executable, str(tmp_path / "paused.py"), url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert agent.stdout is not None
        claim, fence = map(int, agent.stdout.readline().split())
        while "caucus_streams 1.0" not in metrics(url):
            time.sleep(0.05)
        os.kill(agent.pid, signal.SIGSTOP)
        waiting = ask(f"{room}/claims", {"targets": ["src/a"], "note": "next", "wait": True}, "bob")["claim"]
        shown = ask(f"{room}/claims/{waiting['claim']}?wait=15", token="bob")
        assert (shown["state"], shown["fence"] > fence) == ("held", True)
        assert "caucus_streams 1.0" in metrics(url)  # the kernel of the stopped agent keeps it open
        mine = {"If-Claim": f"{shown['claim']};fence={shown['fence']}"}
        post = {"type": "status", "msg_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "body": "mine now"}
        assert ask(f"{room}/append", post, "bob", mine)["cursor"] == 4
        os.kill(agent.pid, signal.SIGCONT)
        said, _ = agent.communicate("go on\n", timeout=SECONDS)
        assert said == f"{ClaimLost.code}\n"
    finally:
        agent.kill()
    page = ask(f"{room}/read", {"cursor": 0})
    told = [(one["type"], one["agent_id"], one["body"]) for one in page["messages"]]
    assert claim
    assert told[0] == ("claim", "a", "mine")
    assert told[1][:2] == ("claim", "caucus")
    assert told[1][2].startswith("lapsed: nothing was heard of a for 1")
    assert told[2:] == [("claim", "b", "next"), ("status", "b", "mine now")]


def metrics(url: str) -> str:
    import urllib.request  # noqa: PLC0415

    with urllib.request.urlopen(f"{url}/metrics", timeout=SECONDS) as answer:
        return str(answer.read().decode())
