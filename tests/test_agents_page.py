"""The commands of docs/agents.md, run as they are written."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from caucus.agents.tools import TOOLS
from tests.daemon import Start

PAGE = (Path(__file__).parent.parent / "docs" / "agents.md").read_text(encoding="utf-8")


def test_the_commands_claim_and_catch_up(start: Start) -> None:
    (url,) = start(
        "caucus-backbone", CAUCUS_TOKENS="a-long-random-token:alice-laptop:alice"
    ).until_listening()
    blocks = "".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL))
    script = "set -e\n" + blocks.replace("http://127.0.0.1:4317", url).replace("curl ", "curl -sf -w '\\n' ")
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, timeout=20)
    _made, claimed, caught_up, begun = (json.loads(line) for line in done.stdout.splitlines())
    assert claimed["result"]["content"][0]["text"].startswith("granted: #")
    assert '"src/auth/": alice/alice-laptop (you), 15 min left' in caught_up["result"]["content"][0]["text"]
    assert "You are alice/alice-laptop" in begun["hookSpecificOutput"]["additionalContext"]


def test_every_tool_is_described() -> None:
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == [tool.name for tool in TOOLS]
