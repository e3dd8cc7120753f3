"""How claims, messages and times are said to an agent: each in as few words as do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from caucus.agents.quoting import in_line, name, quoted

if TYPE_CHECKING:  # the command line says it in the same words, and must start soon
    from caucus.model.claims import Claim
    from caucus.model.messages import Message

POST_LENGTH = 600
"""So much of a post is shown where there are many."""


def seconds(count: float) -> str:
    """A duration, to the unit that matters."""
    if count < 90:
        return f"{max(0, round(count))} s"
    if count < 5400:
        return f"{round(count / 60)} min"
    return f"{round(count / 3600)} h" if count < 172_800 else f"{round(count / 86_400)} days"


def who(agent_id: str | None, owner: str | None) -> str:
    """An agent, with its owner first: that is who to talk to."""
    return f"{name(owner or '?')}/{name(agent_id) if agent_id else '(any agent)'}"


def targets(claim: Claim) -> str:
    """What a claim is on."""
    shown = ", ".join(in_line(one) for one in claim.targets[:8])
    more = len(claim.targets) - 8
    return f"{shown} and {more} more" if more > 0 else shown


def left(claim: Claim) -> str:
    """For how much longer a claim is held."""
    return "no end" if claim.expires_in is None else f"{seconds(claim.expires_in)} left"


def holding(claim: Claim) -> str:
    """Who is in front, in a few words."""
    holder = who(claim.agent_id, claim.owner)
    if claim.state == "waiting":
        return f"{holder} waits for it in front of you (#{claim.claim})"
    return f"{holder} holds it, {left(claim)} (#{claim.claim})"


def lost(conflicts: Iterable[Claim]) -> str:
    """What stands in the way of a claim, in one line."""
    first, *others = conflicts
    more = f", and {len(others)} more in the way" if others else ""
    return f"lost: {holding(first)}{more}"


def claim_line(claim: Claim, own: tuple[str, str]) -> str:
    """A claim on the board."""
    mine = " (you)" if (claim.agent_id, claim.owner) == own else ""
    head = f"#{claim.claim} {targets(claim)}: {who(claim.agent_id, claim.owner)}{mine}"
    shared = ", shared" if claim.mode == "shared" else ""
    if claim.state == "waiting":
        return f"{head} waits, {claim.ahead} ahead{shared}, {in_line(claim.note)}"
    to = claim.offered_to
    offered = "" if to is None else f", offered to {who(to.agent_id, to.owner)}"
    return f"{head}, {left(claim)}{shared}{offered}, {in_line(claim.note)}"


def post(message: Message, cursor: int, most: int = POST_LENGTH, *, channel: str = "", start: int = 0) -> str:
    """A message: a line of ours, and the text as quoted lines."""
    kind = message.type if message.status is None else f"{message.type}, {message.status}"
    parts = [f"[{cursor}]", (message.ts or "")[11:16], kind, "by", who(message.agent_id, message.owner)]
    if channel:
        parts.insert(1, f"in {channel}")
    if message.to:
        parts.append("to " + ", ".join(in_line(one, 32) for one in message.to[:4]))
    if message.target:
        parts.append("on " + in_line(message.target))
    if message.artifact:
        parts.append("with evidence " + in_line(message.artifact, 160))
    if message.msg_id:
        parts.append(f"id {message.msg_id}")
    if message.reply_to:
        parts.append(f"answers {message.reply_to}")
    how = f": read with cursor={cursor - 1}, limit=1, offset={{}}"
    return f"{' '.join(parts)}:\n{quoted(message.body, most, how, start)}"
