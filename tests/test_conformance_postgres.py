"""The rows of the matrix over PostgreSQL: one backbone, and two and four, each identity at another."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from caucus.interfaces import IJournal
from caucus.testing import BACKBONE_CASES, Case, run_case
from tests.postgres import Cluster
from tests.providers_postgres import DaemonsInProcess, DaemonsOverHTTP, open_at
from tests.test_conformance import WAYS

SEVERAL = {"in_process": DaemonsInProcess, "http_in_memory": DaemonsOverHTTP}


@pytest.mark.parametrize("case", BACKBONE_CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("way", WAYS)
async def test_conformance_over_postgres(way: str, case: Case, postgres: Cluster) -> None:
    dsn = postgres.dsn()

    def open_one(clock: Clock) -> Deferred[IJournal]:
        return Deferred.fromCoroutine(open_at(dsn, clock))

    await run_case(case, WAYS[way](open_one))


@pytest.mark.parametrize("case", BACKBONE_CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("hands", [2, 4])
@pytest.mark.parametrize("way", SEVERAL)
async def test_conformance_of_several_daemons(way: str, hands: int, case: Case, postgres: Cluster) -> None:
    await run_case(case, SEVERAL[way](hands, postgres.dsn()))
