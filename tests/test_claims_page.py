"""The programs and commands of docs/claims.md, run as they are written."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.daemon import SECONDS, Start, ask

PAGE = (Path(__file__).parent.parent / "docs" / "claims.md").read_text(encoding="utf-8")
TOKENS = "a-long-random-token:alice-laptop:alice,another-one:bob-laptop:bob,a-third-one:carol-laptop:carol"


def commands() -> list[str]:
    """The lines that use curl, with what they need, in their order."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    return [line for block in blocks[1:] for line in block.replace("\\\n", " ").splitlines() if line]


def test_the_commands_take_wait_for_renew_and_hand_over(start: Start) -> None:
    assert TOKENS in PAGE
    (url,) = start("caucus-backbone", CAUCUS_TOKENS=TOKENS).until_listening()
    set_up = [line for line in commands() if "=" in line.split()[0] and not line.startswith("curl")]
    numbers: dict[str, str] = {}
    answers: list[Any] = []
    for line in (line for line in commands() if line.startswith("curl")):
        given = line.replace("?wait=50", "?wait=1")
        given = given.replace("fence=1795593600789", f"fence={answers[-1].get('fence')}" if answers else "")
        for written, real in numbers.items():
            given = given.replace(written, real)
        script = (
            "\n".join([*set_up, given]).replace("http://127.0.0.1:4317", url).replace("curl ", "curl -sS ")
        )
        out = subprocess.run(["bash", "-ec", script], capture_output=True, timeout=SECONDS, check=True).stdout
        answers.append(json.loads(out))
        if "outcome" in answers[-1]:
            written = "1795593600456" if "session.py" in line else "1795593600123"
            numbers[written] = str(answers[-1]["claim"]["claim"])
    _channel, taken, listed, beside, room, renewed, queued, waiting, offered, accepted, written = answers
    assert len(listed["claims"]) == len(beside["claims"]) == len(room["messages"]) == 1
    assert written["message"]["agent_id"] == "carol-laptop"
    assert (taken["outcome"], renewed["lease_ttl"], queued["outcome"]) == ("granted", 3600, "queued")
    assert (waiting["state"], offered["offered_to"]["owner"]) == ("waiting", "carol")
    assert (accepted["agent_id"], accepted["note"]) == ("carol-laptop", "on it")


def test_the_program_waits_works_and_gives_back(start: Start, tmp_path: Path) -> None:
    (url,) = start("caucus-backbone", CAUCUS_TOKENS=TOKENS).until_listening()
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "waits.py").write_text(program)
    room = f"{url}/channels/incident-42"
    ask(f"{url}/channels", {"channel": "incident-42"}, "another-one")
    taken = ask(f"{room}/claims", {"targets": ["src/"], "note": "all of it"}, "another-one")
    running = subprocess.Popen(
        [sys.executable, str(tmp_path / "waits.py")],
        env={**os.environ, "CAUCUS_URL": url, "CAUCUS_TOKEN": "a-long-random-token"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "1 in front\n"
    ask(f"{room}/claims/{taken['claim']['claim']}/release", {}, "another-one")
    assert running.wait(SECONDS) == 0
    running.stdout.close()
    page = ask(f"{room}/read", {"cursor": 0})
    told = [(one["owner"], one["type"], one["body"]) for one in page["messages"]]
    assert told[2:] == [
        ("alice", "claim", "the fix"),
        ("alice", "status", "deploying the fix"),
        ("alice", "claim", "deployed, see the dashboard"),
    ]
