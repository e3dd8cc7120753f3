"""Copilot CLI: an entry for the tools in ``~/.copilot/mcp-config.json``, hooks in a file of our own.

Its guard is closed when a hook fails, and so ours never fails. A hook over HTTP that takes the token from the
environment is dropped where the daemon has no TLS, and so each is a command.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from caucus.harnesses.files import Change, Fields, give_back, merged, own, put
from caucus.harnesses.harness import ENTRY, SECONDS, TOKEN, Harness, Told, command, pretty

EDITS: Final = "edit|create|apply_patch|str_replace_editor"
_SESSION: Final = '"{$(grep -o \'"sessionId": *"[A-Za-z0-9-]*"\' | head -n 1)}"'
"""Which session it is, and nothing of what is in it."""


def hooks(told: Told) -> dict[str, list[Any]]:
    """The hooks, by their events."""
    found = {
        event: [_command(told.hook("copilot", event), _SESSION)]
        for event in ("sessionStart", "userPromptSubmitted", "postToolUse")
    }
    if told.guard != "off":
        found["preToolUse"] = [{"matcher": EDITS, **_command(told.guarded("copilot", "preToolUse"))}]
    if told.reminds:
        found["agentStop"] = [_command(told.reminded("copilot", "agentStop"))]
    return found


def _command(address: str, body: str = "@-") -> Fields:
    return {"type": "command", "bash": command(address, body), "timeoutSec": SECONDS + 1}


def _put_in(told: Told, found: Fields, _: Fields) -> None:
    headers = {"Authorization": f"Bearer ${{{TOKEN}}}"}
    put(found, {"type": "http", "url": told.mcp(), "headers": headers, "tools": ["*"]}, "mcpServers", ENTRY)


def _take_out(found: Fields, kept: Fields) -> None:
    give_back(found, kept, TOKEN, "mcpServers", ENTRY)


def plan(home: Path, environment: Mapping[str, str], told: Told | None) -> list[Change]:
    """What is to be changed."""
    put_in = None if told is None else partial(_put_in, told)
    folder = Path(environment.get("COPILOT_HOME") or home / ".copilot")
    text = None if told is None else pretty({"version": 1, "hooks": hooks(told)})
    return [
        *merged(folder / "mcp-config.json", put_in, _take_out),
        *own(folder / "hooks" / "caucus.json", text),
    ]


COPILOT: Final = Harness(
    "copilot",
    "copilot",
    plan,
    ("copilot", "sessionStart"),
    "It uses the tools with: copilot --allow-tool caucus",
)
