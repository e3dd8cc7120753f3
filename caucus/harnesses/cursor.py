"""Cursor: an entry for the tools in ``~/.cursor/mcp.json``; what is told without asking, it is not."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from caucus.harnesses.files import Change, Fields, give_back, merged, put
from caucus.harnesses.harness import ENTRY, TOKEN, Harness, Told


def _put_in(told: Told, found: Fields, _: Fields) -> None:
    headers = {"Authorization": f"Bearer ${{env:{TOKEN}}}"}
    put(found, {"url": told.mcp(), "headers": headers}, "mcpServers", ENTRY)


def _take_out(found: Fields, kept: Fields) -> None:
    give_back(found, kept, TOKEN, "mcpServers", ENTRY)


def plan(home: Path, environment: Mapping[str, str], told: Told | None) -> list[Change]:  # noqa: ARG001
    """What is to be changed."""
    put_in = None if told is None else partial(_put_in, told)
    return merged(home / ".cursor" / "mcp.json", put_in, _take_out)


CURSOR: Final = Harness(
    "cursor", "cursor", plan, None, "It has the tools alone: nothing is told without asking."
)
