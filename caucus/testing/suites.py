"""All cases of a backbone, and all of a journal."""

from __future__ import annotations

from caucus.testing import (
    addressing,
    beside,
    channels,
    claiming,
    evidence,
    fencing,
    following,
    handing,
    journaling,
    leasing,
    lining,
    listing,
    pacing,
    posting,
    reading,
    refusing,
    remembering,
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
    *leasing.CASES,
    *lining.CASES,
    *refusing.CASES,
    *handing.CASES,
    *beside.CASES,
    *following.CASES,
    *addressing.CASES,
    *remembering.CASES,
)
JOURNAL_CASES: tuple[JournalCase, ...] = tuple(journaling.CASES)
