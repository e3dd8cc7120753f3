"""Codex: an entry for the tools in ``~/.codex/config.toml``, hooks in ``~/.codex/hooks.json``.

Codex runs a hook only if its user trusts it, which it keeps as a digest of the hook beside its place. Whoever
sets it up does: without that Codex passes it over in silence.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from caucus.harnesses.files import (
    BACKUP,
    Change,
    Fields,
    NotMerged,
    merged,
    pruned,
    put_hooks,
    take_hooks,
    text_of,
)
from caucus.harnesses.harness import LINE, SECONDS, TOKEN, Harness, Told, command

EDITS: Final = "^(apply_patch|Edit|Write|Bash)$"
"""What changes files; a shell is among them, since a patch may come by it."""
_MARK: Final = "/hooks/codex/"
_EVENTS: Final = {
    "SessionStart": "session_start",
    "UserPromptSubmit": "user_prompt_submit",
    "PostToolUse": "post_tool_use",
    "PreToolUse": "pre_tool_use",
    "Stop": "stop",
}
"""What Codex calls each where it keeps its trust."""


def hooks(told: Told) -> dict[str, list[Any]]:
    """The hooks, by their events."""
    found: dict[str, list[Any]] = {
        event: [{"hooks": [_command(told.hook("codex", event))]}]
        for event in ("SessionStart", "UserPromptSubmit", "PostToolUse")
    }
    if told.guard != "off":
        found["PreToolUse"] = [{"matcher": EDITS, "hooks": [_command(told.guarded("codex", "PreToolUse"))]}]
    if told.reminds:
        found["Stop"] = [{"hooks": [_command(told.reminded("codex", "Stop"))]}]
    return found


def _command(address: str) -> Fields:
    return {"type": "command", "command": command(address), "timeout": SECONDS + 1}


def digest(event: str, group: Fields) -> str:
    """What Codex keeps of a hook that is trusted: a digest of it in a canonical form."""
    [handler] = group["hooks"]
    said = {"event_name": _EVENTS[event], "hooks": [{"async": False, **handler}]}
    if "matcher" in group:
        said["matcher"] = group["matcher"]
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + sha256(text.encode()).hexdigest()


def _hooks(told: Told | None, found: Fields) -> None:
    take_hooks(found, _MARK)
    if told is not None:
        put_hooks(found, hooks(told), _MARK)


def _trusted(file: Path, text: str | None) -> dict[str, str]:
    """The digests of those hooks in a file that are ours, by their places."""
    found: dict[str, str] = {}
    try:
        events = json.loads(text or "{}").get("hooks", {})
    except (ValueError, AttributeError):
        return {}
    for event, groups in events.items():
        for number, group in enumerate(groups if event in _EVENTS else ()):
            if _MARK in json.dumps(group):
                found[f"{file}:{_EVENTS[event]}:{number}:0"] = digest(event, group)
    return found


def _configured(file: Path, told: Told | None, before: dict[str, str], after: dict[str, str]) -> list[Change]:
    """The change of the settings: the entry for the tools, and which hooks are trusted."""
    import tomlkit  # noqa: PLC0415
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415

    text = text_of(file)
    try:
        document = tomlkit.parse(text or "")
        _set(document, told, before, after)
    except (TOMLKitError, AttributeError, TypeError) as error:
        raise NotMerged(f"{file} cannot be changed, and was left alone: {error}") from None
    says = pruned(document.unwrap())
    if says == pruned(tomlkit.parse(text or "").unwrap()):
        return []
    wanted: str | None = tomlkit.dumps(document)
    kept = text_of(file.with_name(file.name + BACKUP))
    if kept is not None and pruned(tomlkit.parse(kept).unwrap()) == says:
        wanted = kept
    elif not says and kept is None:
        wanted = None
    return [Change(file, text, wanted)]


def _set(document: Any, told: Told | None, before: Iterable[str], after: Mapping[str, str]) -> None:
    """Change the settings; tables that are empty without us go, too."""
    from tomlkit import table  # noqa: PLC0415

    servers = document.setdefault("mcp_servers", table(is_super_table=True))
    hooks = document.setdefault("hooks", table(is_super_table=True))
    state = hooks.setdefault("state", table(is_super_table=True))
    servers.pop(LINE, None)
    for place in before:
        state.pop(place, None)
    if told is not None:
        servers[LINE] = {"url": told.mcp(), "bearer_token_env_var": TOKEN}
        if told.allows:
            servers[LINE]["default_tools_approval_mode"] = "approve"
        for place, trusted in after.items():
            state[place] = {"trusted_hash": trusted}
    if not state:
        del hooks["state"]
    for name in ("mcp_servers", "hooks"):
        if not document[name]:
            del document[name]


def plan(home: Path, environment: Mapping[str, str], told: Told | None) -> list[Change]:
    """What is to be changed."""
    folder = Path(environment.get("CODEX_HOME") or home / ".codex")
    file = folder / "hooks.json"
    changes = merged(file, partial(_hooks, told))
    before = text_of(file)
    after = changes[0].after if changes else before
    return [
        *changes,
        *_configured(folder / "config.toml", told, _trusted(file, before), _trusted(file, after)),
    ]


CODEX: Final = Harness("codex", "codex", plan, ("codex", "SessionStart"))
