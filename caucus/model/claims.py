"""A claim as it is shown: whose it is, on what, since when, and for how long."""

from __future__ import annotations

from typing import Literal

from caucus.model.records import Identity, Result

Kind = Literal["plain", "lease"]
"""How a claim was taken: ``plain`` is by the operation `claim`, on one target, for an owner.

A ``lease`` is what a later version has beside it.
"""
ClaimState = Literal["held", "waiting"]
Mode = Literal["exclusive", "shared"]
Renewal = Literal["activity", "explicit"]


class Claim(Result, frozen=True, kw_only=True):
    """One claim that is there.

    ``claim`` is its number for its whole life, ``fence`` that of its last grant: who acts on something
    outside passes that on, and whoever has seen a greater one refuses it. ``ts``, ``msg_id`` and ``note``
    are of the message that granted it last, which is the one before ``cursor``. ``expires_in`` is in whole
    seconds, at least 1; ``None`` says that it never lapses.
    """

    claim: int
    kind: Kind = "plain"
    state: ClaimState = "held"
    fence: int | None
    targets: tuple[str, ...]
    mode: Mode = "exclusive"
    agent_id: str
    owner: str
    note: str
    ts: str | None
    msg_id: str
    cursor: int | None
    lease_ttl: int | None
    expires_in: int | None
    renewal: Renewal = "explicit"
    offered_to: Identity | None = None
    ahead: int = 0
