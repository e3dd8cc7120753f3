"""Claude Code: an entry for the tools in ``~/.claude.json``, hooks in ``~/.claude/settings.json``.

Hooks call the tool ``hook``, and so tell the daemon which file is to be edited, and not what is in it; the
first of a session, which may call no tool, is a command.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from caucus.harnesses.files import Change, Fields, merged, put, put_hooks, take, take_hooks
from caucus.harnesses.harness import LINE, SECONDS, TOKEN, Harness, Told, command

EDITS: Final = "Edit|Write|MultiEdit|NotebookEdit"
ALLOWED: Final = f"mcp__{LINE}"
_MARKS: Final = ("/hooks/claude/", f'"server": "{LINE}"')
"""By which our hooks are known."""


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
    return {"type": "mcp_tool", "server": LINE, "tool": "hook", "input": given | more, "timeout": SECONDS}


def _servers(told: Told | None, found: Fields) -> None:
    if told is None:
        take(found, "mcpServers", LINE)
        return
    entry = {"type": "http", "url": told.mcp(), "headers": {"Authorization": f"Bearer ${{{TOKEN}}}"}}
    put(found, entry | {"alwaysLoad": True}, "mcpServers", LINE)


def _settings(told: Told | None, found: Fields) -> None:
    for mark in _MARKS:
        take_hooks(found, mark)
    allowed = found.get("permissions", {}).get("allow")
    if isinstance(allowed, list) and ALLOWED in allowed:
        allowed.remove(ALLOWED)
        if not allowed:
            take(found, "permissions", "allow")
    if told is not None:
        put_hooks(found, hooks(told), _MARKS[0])
        if told.allows:
            put(found, [*found.get("permissions", {}).get("allow", []), ALLOWED], "permissions", "allow")


def plan(home: Path, environment: Mapping[str, str], told: Told | None) -> list[Change]:
    """What is to be changed."""
    moved = environment.get("CLAUDE_CONFIG_DIR")
    folder = Path(moved) if moved else home / ".claude"
    servers = (folder if moved else home) / ".claude.json"
    return [
        *merged(servers, partial(_servers, told)),
        *merged(folder / "settings.json", partial(_settings, told)),
    ]


CLAUDE: Final = Harness("claude", "claude", plan, ("claude", "SessionStart"))
