"""Cursor: an entry for the tools in ``~/.cursor/mcp.json``; what is told without asking, it is not."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from caucus.harnesses.files import Change, Fields, merged, put, take
from caucus.harnesses.harness import LINE, TOKEN, Harness, Told


def _servers(told: Told | None, found: Fields) -> None:
    if told is None:
        take(found, "mcpServers", LINE)
        return
    headers = {"Authorization": f"Bearer ${{env:{TOKEN}}}"}
    put(found, {"url": told.mcp(), "headers": headers}, "mcpServers", LINE)


def plan(home: Path, environment: Mapping[str, str], told: Told | None) -> list[Change]:  # noqa: ARG001
    """What is to be changed."""
    return merged(home / ".cursor" / "mcp.json", partial(_servers, told))


CURSOR: Final = Harness(
    "cursor", "cursor", plan, None, "It has the tools alone: nothing is told without asking."
)
