"""`docs/limits.md` says what bounds everything that lives long: each bound is reached here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from twisted.internet.defer import maybeDeferred

from tests import bounds_agents, bounds_connection, bounds_following, bounds_process  # noqa: F401  # they say what they reach
from tests.bounds import REACHED

DOCS = (Path(__file__).parent.parent / "docs" / "limits.md").read_text()


def rows() -> list[str]:
    cells = re.findall(r"^\| ([^|]+?) \|", DOCS, re.MULTILINE)
    return [cell for cell in cells if cell not in ("what", "---")]


def test_each_row_of_the_docs_is_reached_and_nothing_else_is() -> None:
    assert sorted(rows()) == sorted(REACHED)


@pytest.mark.parametrize("what", list(REACHED))
async def test_the_bound_is_reached(what: str) -> None:
    await maybeDeferred(REACHED[what])
