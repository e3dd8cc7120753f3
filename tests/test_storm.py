"""Storms over two or three daemons and one PostgreSQL: whatever is killed, cut or held, nothing is lost."""

from __future__ import annotations

import json
import random
import time
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.daemon import Start, ask
from tests.linearizability import Operation, is_linearizable
from tests.postgres import Cluster
from tests.sea import LEFT_SECONDS, OWNERS, Process, Sea
from tests.test_kill import whole_log


@pytest.mark.deadline(7200)
@pytest.mark.parametrize(("seed", "count"), [(1, 2), (2, 3)])
def test_nothing_is_lost_in_a_storm(
    seed: int, count: int, own_postgres: Cluster, start: Start, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    chance, sea = random.Random(seed), Sea(own_postgres, start, count)
    ask(f"{sea.url}/channels", {"channel": "room"}, OWNERS[0])
    blows = [sea.kill, sea.stop_for_a_while, sea.cut, sea.lose_answers, sea.hold, sea.terminate, sea.restart]
    writers = [Process("kill_worker", sea.url, owner, out=(tmp_path / owner).open("w")) for owner in OWNERS]
    readers = [
        Process("stream_worker", url, out=(tmp_path / f"stream{number}").open("w"))
        for number, url in enumerate(sea.urls)
    ]
    struck: Counter[str] = Counter()
    try:
        until = time.monotonic() + pytestconfig.getoption("--storm") / 2
        while time.monotonic() < until:
            time.sleep(chance.uniform(0.1, 1))
            blow = chance.choice(blows)
            struck[blow.__name__] += 1
            blow(chance.randrange(count))
        for number in range(count):
            sea.until_ready(number)
        for writer in writers:
            writer.process.communicate("stop\n", timeout=90)
        logs = [whole_log(url) for url in sea.urls]
        until_read(tmp_path, count, len(logs[0]))
        for reader in readers:
            reader.process.communicate(timeout=10)
        check(sea.url, logs[0], tmp_path)
    finally:
        for process in (*writers, *readers):
            process.end()
        sea.end()
    print(dict(struck), len(logs[0]))
    assert [writer.process.returncode for writer in writers] == [0] * len(writers)
    assert all(log == logs[0] for log in logs)
    for number in range(count):
        seen = [int(line) for line in (tmp_path / f"stream{number}").read_text().splitlines()]
        assert seen == list(range(1, len(logs[0]) + 1))


def until_read(folder: Path, count: int, length: int) -> None:
    until = time.monotonic() + LEFT_SECONDS
    while time.monotonic() < until:
        if all((folder / f"stream{number}").read_text().endswith(f"\n{length}\n") for number in range(count)):
            return
        time.sleep(0.1)


def check(url: str, log: Sequence[dict[str, str]], folder: Path) -> None:
    """Hold what was acknowledged, whichever daemon did, to what is there in the end."""
    places = {message["msg_id"]: place for place, message in enumerate(log, 1)}
    assert len(places) == len(log)
    histories: dict[str, list[Operation]] = defaultdict(list)
    acknowledged = 0
    for owner in OWNERS:
        cursors: dict[int, int] = defaultdict(int)
        for kind, *fields in map(json.loads, (folder / owner).open()):
            match kind, *fields:
                case "append", msg_id, cursor, lane:
                    assert places[msg_id] == cursor
                    assert lane == -1 or cursors[lane] < cursor
                    cursors[lane] = cursor
                case "artifact", address, size:
                    with urllib.request.urlopen(f"{url}/channels/room/artifacts/{address}") as answer:
                        assert len(answer.read()) == size
                case "ledger", target, *operation:
                    histories[target].append(Operation(*operation))
            acknowledged += kind != "head"
    assert [target for target, history in histories.items() if not is_linearizable(history)] == []
    print(f"{acknowledged} acknowledged writes, {len(histories)} targets")
    assert acknowledged > 100
