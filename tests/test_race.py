"""Eight processes race for claims over HTTP: no target ever has two holders."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from tests.daemon import Start, ask
from tests.linearizability import Operation, is_linearizable

OWNERS = [f"owner{number}" for number in range(8)]
TARGETS = 1000


def test_no_target_has_two_holders_at_any_time(start: Start, tmp_path: Path) -> None:
    roomy = ["--max-posts-per-minute=1000000", "--max-messages-per-channel=1000000"]
    tokens = ",".join(f"{owner}:{owner}-agent:{owner}" for owner in OWNERS)
    (url,) = start("caucus-backbone", *roomy, CAUCUS_TOKENS=tokens).until_listening()
    ask(url + "/channels", {"channel": "race"}, OWNERS[0])

    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.race_worker", url, owner, str(TARGETS)],
            stdin=subprocess.PIPE,
            stdout=(tmp_path / owner).open("w"),  # a pipe that nobody reads would stop it
            text=True,
            cwd=Path(__file__).parent.parent,
        )
        for owner in OWNERS
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    histories: dict[str, list[Operation]] = defaultdict(list)
    for owner, worker in zip(OWNERS, workers, strict=True):
        assert worker.wait(timeout=120) == 0
        for target, *fields in map(json.loads, (tmp_path / owner).open()):
            histories[target].append(Operation(*fields))

    assert len(histories) == TARGETS
    assert [target for target, history in histories.items() if not is_linearizable(history)] == []
    granted = [one for history in histories.values() for one in history if one.answer == "granted"]
    assert {one.who for one in granted} == set(OWNERS)  # it was a race
    assert ask(url + "/channels/race")["head"] == len(granted)


def claim(called: float, returned: float, who: str, answer: str, kind: str = "claim") -> Operation:
    return Operation(called, returned, who, kind, answer)


def test_the_checker_takes_what_can_have_happened() -> None:
    assert is_linearizable([])
    assert is_linearizable(
        [
            claim(0, 9, "bob", "alice"),
            claim(1, 2, "alice", "granted"),
            claim(3, 6, "alice", "granted", "done"),
            claim(4, 5, "bob", "not_held", "done"),
            claim(4, 7, "carol", "granted"),
        ]
    )


def test_the_checker_refuses_two_holders_and_answers_out_of_the_blue() -> None:
    assert not is_linearizable([claim(0, 1, "alice", "granted"), claim(0, 1, "bob", "granted")])
    assert not is_linearizable([claim(0, 1, "bob", "alice"), claim(2, 3, "alice", "granted")])
    assert not is_linearizable([claim(0, 1, "alice", "granted"), claim(2, 3, "bob", "not_held", "done")])
    assert not is_linearizable([claim(0, 1, "alice", "granted", "done")])
