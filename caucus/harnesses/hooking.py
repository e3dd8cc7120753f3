"""Hooks among those of others, as most harnesses have them: events, groups with a matcher, handlers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from caucus.harnesses.files import Fields
from caucus.harnesses.harness import ENTRY


def is_ours(handler: Any, dialect: str) -> bool:
    """Whether a handler is one of ours, and not one that looks a little like it."""
    if not isinstance(handler, dict):
        return False
    if handler.get("type") == "mcp_tool":
        return handler.get("server") == ENTRY and handler.get("tool") == "hook"
    line = handler.get("command", "")
    return isinstance(line, str) and line.startswith("curl ") and all(
        part in line for part in (f"/hooks/{dialect}/", "/dev/fd/3", "3<<CAUCUS")
    )  # fmt: skip


def put_hooks(found: Fields, hooks: Mapping[str, list[Any]]) -> None:
    """Put hooks, by their events, after others that are there. Raises `TypeError` if something else is."""
    events = found.setdefault("hooks", {})
    if not isinstance(events, dict):
        raise TypeError("hooks")
    for event, groups in hooks.items():
        there = events.setdefault(event, [])
        if not isinstance(there, list):
            raise TypeError(event)
        there.extend(groups)


def take_hooks(found: Fields, dialect: str) -> None:
    """Take out our handlers, and what is empty without them."""
    events = found.get("hooks")
    if not isinstance(events, dict):
        return
    for event, groups in list(events.items()):
        if isinstance(groups, list) and any(_has_ours(group, dialect) for group in groups):
            left = [_without(group, dialect) for group in groups]
            events[event] = [group for group in left if group is not None]
            if not events[event]:
                del events[event]
    if not events:
        del found["hooks"]


def _has_ours(group: Any, dialect: str) -> bool:
    handlers = group.get("hooks") if isinstance(group, dict) else None
    return isinstance(handlers, list) and any(is_ours(one, dialect) for one in handlers)


def _without(group: Any, dialect: str) -> Any:
    """A group without our handlers; nothing, if no other is in it."""
    if not _has_ours(group, dialect):
        return group
    left = [one for one in group["hooks"] if not is_ours(one, dialect)]
    return {**group, "hooks": left} if left else None
