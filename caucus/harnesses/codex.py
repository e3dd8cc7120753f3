"""Codex: an entry for the tools in ``~/.codex/config.toml``, hooks in ``~/.codex/hooks.json``.

Codex runs a hook only if its user trusts it, which it keeps as a digest of the hook beside its place. Whoever
sets it up does: without that Codex passes it over in silence.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from caucus.harnesses.files import Change, Fields, NotMerged, backup_of, filled, merged, said, text_of
from caucus.harnesses.harness import ENTRY, SECONDS, TOKEN, Harness, Told, command
from caucus.harnesses.hooking import is_ours, put_hooks, take_hooks

EDITS: Final = "^(apply_patch|Edit|Write|Bash)$"
"""What changes files; a shell is among them, since a patch may come by it."""
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


def digest(event: str, group: Fields, number: int = 0) -> str:
    """What Codex keeps of a hook that is trusted: a digest of it in a canonical form."""
    said = {"event_name": _EVENTS[event], "hooks": [{"async": False, **group["hooks"][number]}]}
    if "matcher" in group:
        said["matcher"] = group["matcher"]
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + sha256(text.encode()).hexdigest()


def _put_in(told: Told, found: Fields, _: Fields) -> None:
    put_hooks(found, hooks(told))


def _take_out(found: Fields, _: Fields) -> None:
    take_hooks(found, "codex")


def _trusted(file: Path, text: str | None) -> dict[str, str]:
    """The digests of those hooks in a file that are ours, by their places."""
    found: dict[str, str] = {}
    events = json.loads(text or "{}").get("hooks", {})
    for event, groups in events.items() if isinstance(events, dict) else ():
        for at, group in enumerate(groups if event in _EVENTS and isinstance(groups, list) else ()):
            handlers = group.get("hooks") if isinstance(group, dict) else None
            for number, handler in enumerate(handlers if isinstance(handlers, list) else ()):
                if is_ours(handler, "codex"):
                    found[f"{file}:{_EVENTS[event]}:{at}:{number}"] = digest(event, group, number)
    return found


def _configured(file: Path, told: Told | None, before: dict[str, str], after: dict[str, str]) -> list[Change]:
    """The change of the settings: the entry for the tools, and which hooks are trusted."""
    text = text_of(file)
    found, without, wanted = (_parsed(file, text) for _ in range(3))
    kept = _kept(file)
    try:
        _take_settings(without, kept, before)
        _take_settings(wanted, kept, before)
        if told is not None:
            _put_settings(told, wanted, after)
        bare = deepcopy(kept)
        _take_settings(bare, kept, before)
    except (AttributeError, TypeError, KeyError, ValueError):
        raise NotMerged(f"{file} is not as it was expected, and was left alone") from None
    if _said(wanted) == _said(found):
        return []
    if told is None:
        if kept and said(filled(bare.unwrap())) == said(filled(wanted.unwrap())):
            return [Change(file, text, text_of(backup_of(file)), is_restored=True)]
        if not wanted and not kept:
            return [Change(file, text, None, is_restored=True)]
    import tomlkit  # noqa: PLC0415

    return [Change(file, text, tomlkit.dumps(wanted), is_first=_said(without) == _said(found))]


def _parsed(file: Path, text: str | None) -> Any:
    import tomlkit  # noqa: PLC0415
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415

    try:
        return tomlkit.parse(text or "")
    except (TOMLKitError, ValueError, RecursionError) as error:
        raise NotMerged(f"{file} is no TOML, and was left alone: {error}") from None


def _kept(file: Path) -> Any:
    try:
        return _parsed(file, text_of(backup_of(file)))
    except NotMerged:
        return _parsed(file, "")


def _said(document: Any) -> str:
    return json.dumps(document.unwrap(), sort_keys=True, default=str)


def _take_settings(document: Any, kept: Any, places: Iterable[str]) -> None:
    """Take out what is ours, with tables that are empty without it; what was there before us comes back."""
    servers, before = document.get("mcp_servers"), kept.get("mcp_servers", {}).get(ENTRY)
    if servers is not None and ENTRY in servers and TOKEN in str(servers[ENTRY]):
        if before is None:
            del servers[ENTRY]
        else:
            servers[ENTRY] = before
    hooks = document.get("hooks")
    state = None if hooks is None else hooks.get("state")
    if state is not None:
        for place in places:
            state.pop(place, None)
        if not state:
            del hooks["state"]
    for name in ("mcp_servers", "hooks"):
        if name in document and not document[name]:
            del document[name]


def _put_settings(told: Told, document: Any, trusted: Mapping[str, str]) -> None:
    from tomlkit import table  # noqa: PLC0415

    servers = document.setdefault("mcp_servers", table(is_super_table=True))
    servers[ENTRY] = {"url": told.mcp(), "bearer_token_env_var": TOKEN}
    if told.allows:
        servers[ENTRY]["default_tools_approval_mode"] = "approve"
    hooks = document.setdefault("hooks", table(is_super_table=True))
    state = hooks.setdefault("state", table(is_super_table=True))
    for place, found in trusted.items():
        state[place] = {"trusted_hash": found}


def plan(home: Path, environment: Mapping[str, str], told: Told | None) -> list[Change]:
    """What is to be changed."""
    folder = Path(environment.get("CODEX_HOME") or home / ".codex")
    file = folder / "hooks.json"
    put_in = None if told is None else partial(_put_in, told)
    changes = merged(file, put_in, _take_out)
    before = text_of(file)
    after = changes[0].after if changes else before
    trust = _trusted(file, before), _trusted(file, after)
    return [*changes, *_configured(folder / "config.toml", told, *trust)]


CODEX: Final = Harness("codex", "codex", plan, ("codex", "SessionStart"))
