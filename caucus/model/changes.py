"""What changes of lease claims are called, in metrics and exports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from caucus.model.events import (
    Change,
    ClaimEnded,
    ClaimExtended,
    ClaimGranted,
    ClaimOffered,
    ClaimOpened,
    ClaimPassed,
    ClaimRenewed,
    OfferEnded,
)

_NAMES: Final[Mapping[type[Change], str]] = {
    ClaimGranted: "granted",
    ClaimPassed: "handed_over",
    ClaimRenewed: "renewed",
    ClaimOffered: "offered",
    ClaimExtended: "extended",
}


def named(change: Change) -> str:
    """The name of a change; of an end, how it came."""
    if isinstance(change, ClaimOpened):
        return "granted" if change.fence else "queued"
    if isinstance(change, ClaimEnded):
        return change.ending
    if isinstance(change, OfferEnded):
        return "declined" if change.is_declined else "offer_ended"
    return _NAMES[type(change)]
