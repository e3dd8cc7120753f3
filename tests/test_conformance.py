"""The matrix: every case of the kit, over every row. Nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from caucus.interfaces import IJournal
from caucus.journals import installed_journals
from caucus.journals.memory import MemoryJournal
from caucus.testing import BACKBONE_CASES, Case, run_case
from tests.providers import HTTPInMemory, HTTPOnASocket, InProcess

JOURNALS: dict[str, Callable[[], IJournal]] = {"memory": MemoryJournal}
WAYS = {"in_process": InProcess, "http_in_memory": HTTPInMemory, "http_on_a_socket": HTTPOnASocket}


@pytest.mark.parametrize("case", BACKBONE_CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("journal", JOURNALS)
@pytest.mark.parametrize("way", WAYS)
async def test_conformance(way: str, journal: str, case: Case) -> None:
    await run_case(case, WAYS[way](JOURNALS[journal]))


def test_there_is_a_row_for_every_registered_journal() -> None:
    assert sorted(JOURNALS) == sorted(installed_journals())
