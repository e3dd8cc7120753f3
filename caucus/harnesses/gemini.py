"""Gemini CLI: an entry for the tools and hooks, both in ``~/.gemini/settings.json``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from caucus.harnesses.files import Change, Fields, give_back, merged, put
from caucus.harnesses.harness import ENTRY, SECONDS, TOKEN, Harness, Told, command
from caucus.harnesses.hooking import put_hooks, take_hooks

EDITS: Final = "write_file|replace"
_SESSION: Final = '"{\\"session_id\\":\\"$(printenv GEMINI_SESSION_ID)\\"}"'
"""Which session it is, and nothing of what is in it."""
_CALL_MILLISECONDS: Final = 55_000
"""A call may wait for 50 s."""


def hooks(told: Told) -> dict[str, list[Any]]:
    """The hooks, by their events."""
    found: dict[str, list[Any]] = {
        event: [{"hooks": [_command(event, told.hook("gemini", event), _SESSION)]}]
        for event in ("SessionStart", "BeforeAgent", "AfterTool")
    }
    if told.guard != "off":
        address = told.guarded("gemini", "BeforeTool")
        found["BeforeTool"] = [{"matcher": EDITS, "hooks": [_command("BeforeTool", address)]}]
    return found


def _command(event: str, address: str, body: str = "@-") -> Fields:
    return {
        "name": f"{ENTRY}-{event}",
        "type": "command",
        "command": command(address, body),
        "timeout": 1000 * (SECONDS + 1),
    }


def _put_in(told: Told, found: Fields, _: Fields) -> None:
    entry = {"type": "http", "url": told.mcp(), "headers": {"Authorization": f"Bearer ${TOKEN}"}}
    put(found, entry | {"timeout": _CALL_MILLISECONDS, "trust": told.allows}, "mcpServers", ENTRY)
    put_hooks(found, hooks(told))


def _take_out(found: Fields, kept: Fields) -> None:
    take_hooks(found, "gemini")
    give_back(found, kept, TOKEN, "mcpServers", ENTRY)


def plan(home: Path, environment: Mapping[str, str], told: Told | None) -> list[Change]:
    """What is to be changed."""
    put_in = None if told is None else partial(_put_in, told)
    base = Path(environment.get("GEMINI_CLI_HOME") or home)
    return merged(base / ".gemini" / "settings.json", put_in, _take_out)


GEMINI: Final = Harness("gemini", "gemini", plan, ("gemini", "SessionStart"))
