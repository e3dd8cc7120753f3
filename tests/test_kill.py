"""The daemon is killed while four processes write, again and again: nothing is lost, nothing comes twice."""

from __future__ import annotations

import http.client
import itertools
import json
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.daemon import Daemon, Start, ask
from tests.linearizability import Operation, is_linearizable

OWNERS = [f"owner{number}" for number in range(4)]
ROOMY = [
    f"--{name}=1000000000"
    for name in ("max-posts-per-minute", "max-messages-per-channel", "max-channel-artifact-bytes")
] + ["--max-total-artifact-bytes=1000000000", "--max-channel-creates-per-minute=1000000"]


class Killed:
    """A daemon on one file and one port, started as often as it is killed."""

    def __init__(self, start: Start, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.start = start
        self.arguments = [*ROOMY, f"--port={self.port}", f"--journal=sqlite:{folder / 'room.db'}"]
        self.tokens = ",".join(f"{owner}:{owner}-agent:{owner}" for owner in OWNERS)
        self.good: list[str] = []
        self.revoked: list[str] = []

    def live(self, *, until_listening: bool = True) -> Daemon:
        daemon = self.start(
            "caucus-backbone", *self.arguments, CAUCUS_TOKENS=self.tokens, CAUCUS_ADMIN_TOKEN="adm"
        )
        if until_listening:
            assert daemon.until_listening() == [self.url]
        return daemon

    def kill(self, daemon: Daemon) -> None:
        daemon.process.kill()
        daemon.process.communicate()
        self.start.started.remove(daemon)

    def check_tokens(self) -> None:
        """Those minted in earlier lives write, those revoked do not."""
        assert {self.status(token) for token in self.good} <= {400}
        assert {self.status(token) for token in self.revoked} <= {401}

    def change_tokens(self, chance: random.Random) -> None:
        self.good.append(ask(f"{self.url}/admin/tokens", {"agent_id": "m", "owner": "m"}, "adm")["token"])
        if len(self.good) > 3:
            gone = self.good.pop(chance.randrange(len(self.good)))
            self.revoked = [gone, *self.revoked[:3]]
            assert ask(f"{self.url}/admin/tokens/revoke", {"digest": digest(gone)}, "adm")["revoked"]

    def status(self, token: str) -> int:
        try:
            ask(f"{self.url}/channels", {"channel": ""}, token)
        except urllib.error.HTTPError as error:
            return error.code
        return 0


def digest(token: str) -> str:
    from hashlib import sha256  # noqa: PLC0415

    return sha256(token.encode()).hexdigest()


@pytest.mark.deadline(3600)
def test_a_daemon_that_is_killed_forgets_nothing(
    start: Start, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    kills, chance, room = pytestconfig.getoption("--kills"), random.Random(5), Killed(start, tmp_path)
    daemon = room.live()
    ask(f"{room.url}/channels", {"channel": "room"}, OWNERS[0])
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.kill_worker", room.url, owner],
            stdin=subprocess.PIPE,
            stdout=(tmp_path / owner).open("w"),
            stderr=(tmp_path / f"{owner}.err").open("w"),
            text=True,
            cwd=Path(__file__).parent.parent,
        )
        for owner in OWNERS
    ]
    try:
        for number in range(kills):
            room.check_tokens()
            room.change_tokens(chance)
            time.sleep(chance.uniform(0, 0.4))
            room.kill(daemon)
            if number % 10 == 0:  # one that does not get to listen
                early = room.live(until_listening=False)
                time.sleep(chance.uniform(0.1, 0.4))
                room.kill(early)
            daemon = room.live()
        for worker in workers:
            worker.communicate("stop\n", timeout=60)
    finally:
        for worker in workers:
            worker.kill()
    assert [worker.returncode for worker in workers] == [0] * len(workers), [
        (tmp_path / f"{owner}.err").read_text()[-2000:] for owner in OWNERS
    ]
    check(room, tmp_path, kills)


def check(room: Killed, folder: Path, kills: int) -> None:
    """Hold what was acknowledged to what is there in the end."""
    log = whole_log(room.url)
    places = {message["msg_id"]: place for place, message in enumerate(log, 1)}
    assert max(Counter(message["msg_id"] for message in log).values()) == 1
    histories: dict[str, list[Operation]] = defaultdict(list)
    acknowledged = 0
    for owner in OWNERS:
        heads: dict[int, int] = defaultdict(int)
        cursors: dict[int, int] = defaultdict(int)
        for kind, *fields in map(json.loads, (folder / owner).open()):
            match kind, *fields:
                case "append", msg_id, cursor, lane:
                    assert places[msg_id] == cursor
                    assert lane == -1 or cursors[lane] < cursor
                    cursors[lane] = cursor
                case "artifact", address, size:
                    with urllib.request.urlopen(f"{room.url}/channels/room/artifacts/{address}") as answer:
                        assert len(answer.read()) == size
                case "ledger", target, *operation:
                    histories[target].append(Operation(*operation))
                case "head", lane, head:
                    assert heads[lane] <= head <= len(log)
                    heads[lane] = head
            acknowledged += kind != "head"
    assert [target for target, history in histories.items() if not is_linearizable(history)] == []
    print(f"{acknowledged} acknowledged writes, {len(log)} messages, {len(histories)} targets")
    assert acknowledged > 10 * kills
    room.check_tokens()


def whole_log(url: str) -> list[Any]:
    log: list[Any] = []
    while True:
        page = ask(f"{url}/channels/room/read", {"cursor": len(log)})
        if not page["messages"]:
            return log
        log += page["messages"]


def test_what_a_flood_left_of_a_budget_is_left_after_a_kill(start: Start, tmp_path: Path) -> None:
    budget, arguments = 250, ["--max-posts-per-minute=250", f"--journal=sqlite:{tmp_path / 'room.db'}"]
    chance = random.Random(7)
    daemon = start("caucus-backbone", *arguments, CAUCUS_TOKENS="tok:a:o")
    (url,) = daemon.until_listening()
    ask(f"{url}/channels", {"channel": "room"}, "tok")
    flood = [threading.Thread(target=_post_until_killed, args=(url, f"{number}")) for number in range(4)]
    for one in flood:
        one.start()
    while len(whole_log(url)) < chance.randint(5, 30):
        time.sleep(0.001)
    daemon.process.kill()
    for one in flood:
        one.join()
    daemon = start("caucus-backbone", *arguments, CAUCUS_TOKENS="tok:a:o")
    (url,) = daemon.until_listening()
    kept = whole_log(url)
    assert 5 <= len(kept) < budget
    assert _post(url, kept[-1]["body"]) == 409  # the last post is remembered too
    statuses = [_post(url, f"after {number}") for number in range(budget)]
    assert statuses == [201] * (budget - len(kept)) + [429] * len(kept)


def _post_until_killed(url: str, name: str) -> None:
    with suppress(OSError, http.client.HTTPException):
        for number in itertools.count():
            if _post(url, f"{name} {number}") != 201:
                return


def _post(url: str, body: str) -> int:
    try:
        ask(f"{url}/channels/room/append", {"type": "note", "msg_id": ULID, "body": body}, "tok")
    except urllib.error.HTTPError as error:
        return error.code
    return 201


ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
