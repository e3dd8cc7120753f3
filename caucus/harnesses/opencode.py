"""opencode: an entry for the tools in ``~/.config/opencode/opencode.json``, and a plugin of our own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from caucus.harnesses.files import Change, Fields, give_back, merged, own, put
from caucus.harnesses.harness import ENTRY, TOKEN, Harness, Told, plugin

_CALL_MILLISECONDS: Final = 55_000
"""A call may wait for 50 s."""


def _put_in(told: Told, found: Fields, _: Fields) -> None:
    headers = {"Authorization": f"Bearer {{env:{TOKEN}}}"}
    entry = {"type": "remote", "url": told.mcp(), "headers": headers, "oauth": False}
    put(found, entry | {"timeout": _CALL_MILLISECONDS}, "mcp", ENTRY)


def _take_out(found: Fields, kept: Fields) -> None:
    give_back(found, kept, TOKEN, "mcp", ENTRY)


def plan(home: Path, environment: Mapping[str, str], told: Told | None) -> list[Change]:
    """What is to be changed."""
    put_in = None if told is None else partial(_put_in, told)
    base = Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "opencode"
    text = None if told is None else plugin("opencode.js", told)
    commented = base / "opencode.jsonc"  # it wins over the other
    return [
        *merged(commented if commented.exists() else base / "opencode.json", put_in, _take_out),
        *own(base / "plugins" / "caucus.js", text),
    ]


OPENCODE: Final = Harness("opencode", "opencode", plan, ("opencode", "session.created"))
