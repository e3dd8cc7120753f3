"""A claim as it is shown: whose it is, on what, since when, and for how long."""

from __future__ import annotations

from math import ceil
from typing import ClassVar, Literal

from caucus.model.records import Result

Kind = Literal["plain", "lease"]
"""How a claim was taken.

``plain`` is by the operation `claim`, on one target, for an owner; ``lease`` by `take_claim`, for an agent.
"""
ClaimState = Literal["held", "waiting"]
Mode = Literal["exclusive", "shared"]
Renewal = Literal["activity", "explicit"]


def seconds_left(ends: float, now: float) -> int:
    """In how many seconds something ends, which has not: at least 1, and what floats add is not one more."""
    return max(1, ceil(ends - now - 0.0005))


class Addressee(Result, frozen=True):
    """Whom something is offered to: an agent, or whoever acts for an owner if ``agent_id`` is ``None``."""

    owner: str
    agent_id: str | None = None


class Claim(Result, frozen=True, kw_only=True):
    """One claim that is there.

    ``claim`` is its number for its whole life, ``fence`` that of its last grant: who acts on something
    outside passes that on, and whoever has seen a greater one refuses it. ``ts``, ``msg_id`` and ``note``
    are of the message that granted it last, which is the one before ``cursor``. ``expires_in`` is in whole
    seconds, at least 1; ``None`` says that it never lapses.

    While it waits, ``fence``, ``ts``, ``cursor`` and ``expires_in`` are ``None``, and ``ahead`` is how many
    claims stand in front of it.
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
    offered_to: Addressee | None = None
    ahead: int = 0


class Taken(Result, frozen=True):
    """There is a claim now: it was ``granted``, or waits as ``queued``; or it was ``already_yours``."""

    outcome: Literal["granted", "queued", "already_yours"]
    claim: Claim


class Conflicting(Result, frozen=True, tag="already_claimed", tag_field="outcome"):
    """Nothing was taken: what stood in front of it, at most 32 of them. Nothing was written."""

    conflicts: tuple[Claim, ...]
    outcome: ClassVar[Literal["already_claimed"]] = "already_claimed"


TakeResult = Taken | Conflicting
