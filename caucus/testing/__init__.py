"""The conformance kit: any `IBackbone` or `IJournal` can be held to its interface.

Each case is an asynchronous function of one `Kit` (or one `JournalKit`) that raises
`AssertionError` where the provider differs. There is no test framework inside: run the cases of
`BACKBONE_CASES` and `JOURNAL_CASES` with whichever you use, each on a kit of its own.
"""

from caucus.testing.journaling import IJournalProvider, JournalKit
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
]
