"""Claude Code: an entry for the tools in ``~/.claude.json``, hooks in ``~/.claude/settings.json``.

Hooks call the tool ``hook``, and so tell the daemon which file is to be edited, and not what is in it; the
first of a session, which may call no tool, is a command.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from caucus.harnesses.files import Change, Fields, find, give_back, merged, put, said, take
from caucus.harnesses.harness import ENTRY, SECONDS, TOKEN, Harness, Told, command
from caucus.harnesses.hooking import put_hooks, take_hooks

EDITS: Final = "Edit|Write|MultiEdit|NotebookEdit"
ALLOWED: Final = f"mcp__{ENTRY}"


def hooks(told: Told) -> dict[str, list[Any]]:
    """The hooks, by their events."""
    found: dict[str, list[Any]] = {
        "SessionStart": [{"hooks": [_command(told.hook("claude", "SessionStart"))]}],
        "UserPromptSubmit": [{"hooks": [_call("UserPromptSubmit")]}],
        "PostToolUse": [{"hooks": [_call("PostToolUse")]}],
    }
    if told.guard != "off":
        edit = {
            "guard": told.guard,
            "tool_name": "${tool_name}",
            "tool_input": {name: f"${{tool_input.{name}}}" for name in ("file_path", "notebook_path")},
        }
        found["PreToolUse"] = [{"matcher": EDITS, "hooks": [_call("PreToolUse", **edit)]}]
    if told.reminds:
        stop = {"remind": True, "stop_hook_active": "${stop_hook_active}"}
        found["Stop"] = [{"hooks": [_call("Stop", **stop)]}]
    return found


def _command(address: str) -> Fields:
    return {"type": "command", "command": command(address), "timeout": SECONDS + 1}


def _call(event: str, **more: object) -> Fields:
    given = {"dialect": "claude", "event": event, "session_id": "${session_id}", "cwd": "${cwd}"}
    return {"type": "mcp_tool", "server": ENTRY, "tool": "hook", "input": given | more, "timeout": SECONDS}


def _put_server(told: Told, found: Fields, _: Fields) -> None:
    entry = {"type": "http", "url": told.mcp(), "headers": {"Authorization": f"Bearer ${{{TOKEN}}}"}}
    put(found, entry | {"alwaysLoad": True}, "mcpServers", ENTRY)


def _take_server(found: Fields, kept: Fields) -> None:
    give_back(found, kept, TOKEN, "mcpServers", ENTRY)


def _put_settings(told: Told, found: Fields, _: Fields) -> None:
    put_hooks(found, hooks(told))
    if told.allows:
        allowed = find(found, "permissions", "allow")
        if not isinstance(allowed, list | None):
            raise TypeError("permissions")
        if ALLOWED not in (allowed or ()):
            put(found, [*(allowed or ()), ALLOWED], "permissions", "allow")


def _take_settings(found: Fields, kept: Fields) -> None:
    before = said(found)
    take_hooks(found, "claude")
    if said(found) == before:  # nothing of ours is in it, and so neither is this
        return
    allowed = find(found, "permissions", "allow")
    if isinstance(allowed, list) and ALLOWED not in (find(kept, "permissions", "allow") or ()):
        left = [one for one in allowed if one != ALLOWED]
        if left:
            put(found, left, "permissions", "allow")
        elif allowed:
            take(found, "permissions", "allow")


def plan(home: Path, environment: Mapping[str, str], told: Told | None) -> list[Change]:
    """What is to be changed."""
    moved = environment.get("CLAUDE_CONFIG_DIR")
    folder = Path(moved) if moved else home / ".claude"
    servers = (folder if moved else home) / ".claude.json"
    put_server, put_settings = (
        None if told is None else partial(put_in, told) for put_in in (_put_server, _put_settings)
    )
    return [
        *merged(servers, put_server, _take_server),
        *merged(folder / "settings.json", put_settings, _take_settings),
    ]


CLAUDE: Final = Harness("claude", "claude", plan, ("claude", "SessionStart"))
