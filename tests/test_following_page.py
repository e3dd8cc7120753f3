"""The program and the commands of docs/following.md, run as they are written."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.daemon import SECONDS, Start, ask

PAGE = (Path(__file__).parent.parent / "docs" / "following.md").read_text(encoding="utf-8")
TOKENS = "a-long-random-token:alice-laptop:alice,another-one:bob-laptop:bob"


def commands() -> list[str]:
    """The lines of all blocks but the one that starts the daemon, in their order."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    return [line for block in blocks[1:] for line in block.splitlines() if line]


def test_the_commands_feed_and_tell_what_became_of_what_was_asked(start: Start) -> None:
    assert TOKENS in PAGE
    (url,) = start("caucus-backbone", CAUCUS_TOKENS=TOKENS).until_listening()
    set_up = [line for line in commands() if not line.startswith("curl")]
    answers: list[Any] = []
    for line in (line for line in commands() if line.startswith("curl")):
        script = (
            "\n".join([*set_up, line]).replace("http://127.0.0.1:4317", url).replace("curl ", "curl -sS ")
        )
        out = subprocess.run(["bash", "-ec", script], capture_output=True, timeout=SECONDS, check=True).stdout
        answers.append(json.loads(out))
    _, _, before, said, page, who, whoami, inbox, served, acked, _, told = answers
    assert [sorted(event) for event in before["events"]] == []
    assert (said["cursor"], page["events"][0]["message"]) == (1, said["message"])
    assert sorted(one["agent_id"] for one in who["agents"]) == ["alice-laptop", "bob-laptop"]
    assert whoami["owner"] == "bob"
    assert [item["message"]["body"] for item in inbox["items"]] == ["who restarts the pool?"]
    assert served["receipts"][0]["state"] == "served"
    assert acked == {"acked": True}
    assert told["receipts"] == [
        {"name": "bob", "state": "answered", "seen_ago": told["receipts"][0]["seen_ago"]}
    ]
    assert told["unreachable"] == []


def test_the_program_follows_both_rooms(start: Start, tmp_path: Path) -> None:
    (url,) = start("caucus-backbone", CAUCUS_TOKENS=TOKENS).until_listening()
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "follows.py").write_text(program)
    for channel in ("incident-42", "ops"):
        ask(f"{url}/channels", {"channel": channel}, "another-one")
    message = {"type": "note", "msg_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "body": "before"}
    ask(f"{url}/channels/ops/append", message, "another-one")
    running = subprocess.Popen(
        [sys.executable, str(tmp_path / "follows.py")],
        env={**os.environ, "CAUCUS_URL": url, "CAUCUS_TOKEN": "a-long-random-token"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "ops 1: before\n"
    ask(f"{url}/channels/incident-42/append", {**message, "body": "that is all"}, "another-one")
    assert running.stdout.readline() == "incident-42 1: that is all\n"
    assert re.fullmatch("to go on later: [0-9a-f.]+@[0-9.]+\n", running.stdout.readline())
    assert running.wait(SECONDS) == 0
    running.stdout.close()
