"""The matrix: every case of the kit, over every row. Nothing else."""

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
from tests.providers_postgres import DaemonsInProcess, DaemonsOverHTTP, open_at

JOURNALS = ("memory", "postgres", "sqlite")
SHARED = {"in_process": SharedInProcess, "http_in_memory": SharedOverHTTP}
OVER_POSTGRES = {"in_process": DaemonsInProcess, "http_in_memory": DaemonsOverHTTP}
WAYS = {"in_process": InProcess, "http_in_memory": HTTPInMemory, "http_on_a_socket": HTTPOnASocket}


@pytest.mark.parametrize("case", BACKBONE_CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("journal", JOURNALS)
@pytest.mark.parametrize("way", WAYS)
async def test_conformance(
    way: str, journal: str, case: Case, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    await run_case(case, WAYS[way](opener(journal, tmp_path, request)))


@pytest.mark.parametrize("case", BACKBONE_CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("hands", [2, 4])
@pytest.mark.parametrize("way", OVER_POSTGRES)
async def test_conformance_of_several_daemons(
    way: str, hands: int, case: Case, request: pytest.FixtureRequest
) -> None:
    dsn = request.getfixturevalue("postgres").dsn()
    await run_case(case, OVER_POSTGRES[way](hands, dsn))


@pytest.mark.parametrize("case", BACKBONE_CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("hands", [2, 4])
@pytest.mark.parametrize("way", SHARED)
async def test_conformance_of_several_hands(
    way: str, hands: int, case: Case, request: pytest.FixtureRequest
) -> None:
    for seed in range(request.config.getoption("--seeds")):
        await run_case(case, SHARED[way](hands, seed))


def opener(
    journal: str, folder: Path, request: pytest.FixtureRequest
) -> Callable[[Clock], Deferred[IJournal]]:
    """What opens a new journal whose time is a clock's."""
    if journal == "postgres":
        dsn = request.getfixturevalue("postgres").dsn()
        return lambda clock: Deferred.fromCoroutine(open_at(dsn, clock))
    rest = {"memory": "", "sqlite": str(folder / "room.db")}[journal]
    return lambda clock: open_journal(f"{journal}:{rest}", reactor, clock)


def test_there_is_a_row_for_every_registered_journal() -> None:
    assert list(JOURNALS) == sorted(installed_journals())
