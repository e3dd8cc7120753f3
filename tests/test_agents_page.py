"""The commands of docs/agents.md, run as they are written."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from caucus.agents.tools import TOOLS
from caucus.harnesses.harness import Told
from caucus.harnesses.known import HARNESSES
from tests.daemon import Start

PAGE = (Path(__file__).parent.parent / "docs" / "agents.md").read_text(encoding="utf-8")


def test_the_commands_claim_and_catch_up(start: Start) -> None:
    (url,) = start(
        "caucus-backbone", CAUCUS_TOKENS="a-long-random-token:alice-laptop:alice"
    ).until_listening()
    found = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    blocks = "".join(one for one in found if "curl" in one)
    script = "set -e\n" + blocks.replace("http://127.0.0.1:4317", url).replace("curl ", "curl -sf -w '\\n' ")
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, timeout=20)
    _made, claimed, caught_up, begun = (json.loads(line) for line in done.stdout.splitlines())
    assert claimed["result"]["content"][0]["text"].startswith("granted: #")
    assert '"src/auth/": alice/alice-laptop (you), 15 min left' in caught_up["result"]["content"][0]["text"]
    assert "You are alice/alice-laptop" in begun["hookSpecificOutput"]["additionalContext"]


def test_every_harness_is_described_by_the_files_that_it_gains() -> None:
    rows = re.findall(r"^\| `(\w+)` \S.*? \| (.*?) \|", PAGE, re.MULTILINE)
    assert [name for name, _ in rows] == list(HARNESSES)
    for name, files in rows:
        for change in HARNESSES[name].plan(Path("/home/nobody"), {}, Told("http://x", "room")):
            assert change.path.name in files, name


def test_every_tool_is_described() -> None:
    rows = PAGE[PAGE.index("## What an agent has") :]
    assert re.findall(r"^\| `(\w+)` \|", rows, re.MULTILINE) == [tool.name for tool in TOOLS]
