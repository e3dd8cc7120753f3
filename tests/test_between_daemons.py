"""What clients build on a backbone, where it is two daemons over one PostgreSQL and one of them dies."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from caucus import HTTPBackbone
from caucus.model.feed import FeedMessage
from tests.browser import TOKENS, Room, looking, needs_browser
from tests.daemon import Start, ask
from tests.postgres import Cluster
from tests.sea import OWNERS, Sea
from tests.test_fences import be_alone

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


@pytest.fixture
def sea(postgres: Cluster, start: Start) -> Iterator[Sea]:
    sea = Sea(postgres, start, 2)
    yield sea
    sea.end()


@pytest.mark.deadline(600)
def test_who_is_told_granted_is_alone_with_the_target_over_kills_of_either_daemon(
    sea: Sea, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    chance = random.Random(11)

    def kill() -> None:
        number = chance.randrange(2)
        sea.kill(number)
        sea.until_ready(number)

    be_alone(sea.url, kill, tmp_path, pytestconfig.getoption("--kills") // 10)


def test_who_waits_at_one_daemon_is_next_though_the_holders_daemon_has_died(sea: Sea) -> None:
    one, two = sea.urls
    ask(f"{one}/channels", {"channel": "room"}, OWNERS[0])
    wanted = {"targets": ["deploy/prod"], "note": "mine", "lease_ttl": 10}
    ask(f"{one}/channels/room/claims", wanted, OWNERS[0])
    waiting = ask(f"{two}/channels/room/claims", {**wanted, "wait": True}, OWNERS[1])
    assert waiting["outcome"] == "queued"
    sea.daemons[0].process.kill()
    began = time.monotonic()
    claim = ask(f"{two}/channels/room/claims/{waiting['claim']['claim']}?wait=15", token=OWNERS[1])
    assert claim["state"] == "held"
    assert time.monotonic() - began < 12
    log = ask(f"{two}/channels/room/read", {"cursor": 0})["messages"]
    owners = [message["owner"] for message in log if message["type"] == "claim"]
    assert owners == [OWNERS[0], "caucus", OWNERS[1]]
    assert len([message for message in log if message["body"].startswith("lapsed:")]) == 1


@pytest.mark.deadline(60)
async def test_a_feed_goes_on_at_the_other_daemon_with_nothing_lost_or_twice(sea: Sea) -> None:
    backbone = HTTPBackbone(reactor, sea.url, OWNERS[0], retry_seconds=30)
    await backbone.create_channel("room")
    posted = threading.Event()

    def post() -> None:
        for number in range(60):
            body = {"type": "note", "msg_id": ULID, "body": f"number {number}"}
            ask(f"{sea.urls[1]}/channels/room/append", body, OWNERS[1])
            time.sleep(0.03)
        posted.set()

    seen: list[str] = []

    async def read() -> None:
        async with backbone.feed(["room"]) as events:
            async for event in events:
                if isinstance(event, FeedMessage):
                    seen.append(event.message.body)
                if len(seen) == 60:
                    return

    reading = Deferred.fromCoroutine(read())
    await deferLater(reactor, 0.3)
    threading.Thread(target=post).start()
    for _ in range(3):
        await deferLater(reactor, 0.5)
        sea.kill(0)
    await reading
    assert seen == [f"number {number}" for number in range(60)]
    await backbone.close()
    await deferLater(reactor, 0)  # a connection that was given up hears of it


def test_a_tool_that_is_called_again_at_the_other_daemon_is_one_write(sea: Sea) -> None:
    ask(f"{sea.url}/channels", {"channel": "room"}, OWNERS[0])
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "post", "arguments": {"body": "the pool is full"}},
    }
    headers = {"Content-Type": "application/json", "Idempotency-Key": "once"}
    answers = [ask(f"{url}/mcp?room=room", call, OWNERS[0], headers) for url in (*sea.urls, sea.urls[0])]
    assert answers[1:] == [answers[0]] * 2
    assert not answers[0]["result"]["isError"]
    assert len(ask(f"{sea.url}/channels/room/read", {"cursor": 0})["messages"]) == 1


def test_a_hook_that_is_called_at_the_other_daemon_tells_nothing_twice_and_leaves_nothing_out(
    sea: Sea,
) -> None:
    ask(f"{sea.url}/channels", {"channel": "room"}, OWNERS[0])

    def hook(at: int, event: str) -> str:
        body = {"session_id": "s1", "cwd": "/x", "hook_event_name": event, "prompt": "go on"}
        answer: dict[str, Any] = ask(f"{sea.urls[at]}/hooks/claude/{event}?room=room", body, OWNERS[0])
        return json.dumps(answer)

    def say(at: int, body: str) -> None:
        said = {"type": "finding", "msg_id": ULID, "body": body}
        ask(f"{sea.urls[at]}/channels/room/append", said, OWNERS[1])

    hook(0, "SessionStart")
    told = []
    for number in range(4):
        at = number % 2
        say(at, f"finding {number}")
        told.append(hook(at, "UserPromptSubmit"))
        say(at, f"more {number}")  # by then it stands in the log what the session was told
        told.append(hook(1 - at, "UserPromptSubmit"))
    for number in range(4):
        assert sum(f"finding {number}" in text for text in told) == 1


@needs_browser
def test_the_page_goes_on_behind_a_balancer_whose_daemon_is_killed(
    postgres: Cluster, start: Start, chromium: Browser
) -> None:
    sea = Sea(postgres, start, 2, TOKENS)
    room = Room(sea.url).make()
    with looking(chromium, fails=True) as sight:
        sight.open(room)
        for number in range(4):
            room.say(f"before {number}")
            sight.until(f"before {number}")
            sea.kill(number % 2)
            sea.until_ready(number % 2)
            sight.until_live()
            room.say(f"after {number}")
            sight.until(f"after {number}")
        wanted = [f"{when} {number}" for number in range(4) for when in ("before", "after")]
        assert sight.bodies() == wanted
    sea.end()
