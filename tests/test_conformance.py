"""The matrix: every case of the kit, over every row; those over PostgreSQL are beside it. Nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from caucus.interfaces import IJournal
from caucus.journals import installed_journals, open_journal
from caucus.testing import BACKBONE_CASES, Case, run_case
from tests.providers import HTTPInMemory, HTTPOnASocket, InProcess, SharedInProcess, SharedOverHTTP

JOURNALS: dict[str, Callable[[Path], str]] = {
    "memory": lambda folder: "memory:",
    "sqlite": lambda folder: f"sqlite:{folder / 'room.db'}",
}
ELSEWHERE = ["postgres"]
"""Whose rows are in `tests.test_conformance_postgres`."""
SHARED = {"in_process": SharedInProcess, "http_in_memory": SharedOverHTTP}
WAYS = {"in_process": InProcess, "http_in_memory": HTTPInMemory, "http_on_a_socket": HTTPOnASocket}


@pytest.mark.parametrize("case", BACKBONE_CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("journal", JOURNALS)
@pytest.mark.parametrize("way", WAYS)
async def test_conformance(way: str, journal: str, case: Case, tmp_path: Path) -> None:
    def open_one(clock: Clock) -> Deferred[IJournal]:
        return open_journal(JOURNALS[journal](tmp_path), reactor, clock)

    await run_case(case, WAYS[way](open_one))


@pytest.mark.parametrize("case", BACKBONE_CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("hands", [2, 4])
@pytest.mark.parametrize("way", SHARED)
async def test_conformance_of_several_hands(
    way: str, hands: int, case: Case, request: pytest.FixtureRequest
) -> None:
    for seed in range(request.config.getoption("--seeds")):
        await run_case(case, SHARED[way](hands, seed))


def test_there_is_a_row_for_every_registered_journal() -> None:
    assert sorted([*JOURNALS, *ELSEWHERE]) == sorted(installed_journals())
