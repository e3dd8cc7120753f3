"""The conformance kit: any `IBackbone` or `IJournal` can be held to its interface.

Each case is an asynchronous function that raises `AssertionError` where the provider differs; its
name says the rule. There is no test framework inside: run the cases of `BACKBONE_CASES` with
`run_case`, and those of `JOURNAL_CASES` with `run_journal_case`, each on a fresh provider. With
pytest-twisted, for a backbone of one's own::

    from caucus.testing import BACKBONE_CASES, IBackboneProvider, run_case

    @implementer(IBackboneProvider)
    class Provider:
        def open(self, clock, limits, identities):
            backbone = MyBackbone(clock, limits)
            return succeed([backbone for _ in identities])  # one for each, in a Deferred

        def settle(self):
            pass  # a provider with a network of its own moves what is in flight here

        def close(self):
            return succeed(None)

    @pytest.mark.parametrize("case", BACKBONE_CASES, ids=lambda case: case.__name__)
    def test_conformance(case):
        return Deferred.fromCoroutine(run_case(case, Provider()))
"""

from caucus.testing.journaling import IJournalProvider, JournalKit, run_journal_case
from caucus.testing.kit import (
    ALICE,
    ALICE_TOO,
    BOB,
    CAROL,
    IDENTITIES,
    Agent,
    Case,
    IBackboneProvider,
    Kit,
    run_case,
)
from caucus.testing.suites import BACKBONE_CASES, JOURNAL_CASES

__all__ = [
    "ALICE",
    "ALICE_TOO",
    "BACKBONE_CASES",
    "BOB",
    "CAROL",
    "IDENTITIES",
    "JOURNAL_CASES",
    "Agent",
    "Case",
    "IBackboneProvider",
    "IJournalProvider",
    "JournalKit",
    "Kit",
    "run_case",
    "run_journal_case",
]
