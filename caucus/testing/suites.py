"""All cases of a backbone, and all of a journal."""

from __future__ import annotations

from caucus.testing import (
    beside,
    channels,
    claiming,
    evidence,
    fencing,
    journaling,
    listing,
    pacing,
    posting,
    reading,
    revoking,
    shape,
)
from caucus.testing.journaling import JournalCase
from caucus.testing.kit import Case

BACKBONE_CASES: tuple[Case, ...] = (
    *shape.CASES,
    *channels.CASES,
    *posting.CASES,
    *reading.CASES,
    *claiming.CASES,
    *pacing.CASES,
    *evidence.CASES,
    *listing.CASES,
    *revoking.CASES,
    *fencing.CASES,
    *beside.CASES,
)
JOURNAL_CASES: tuple[JournalCase, ...] = tuple(journaling.CASES)
