"""What cases of lease claims work with: agents that take, wait, give back and are heard of."""

from __future__ import annotations

from typing import Any

from caucus.errors import ClaimLost
from caucus.interfaces import IAlive, IClaims
from caucus.model.claims import Claim, Taken
from caucus.testing.kit import Agent, Kit, refused


async def opened(kit: Kit, **limits: int) -> bool:
    """Open the provider with its room; says whether it has such claims at all."""
    await kit.open_room(**limits)
    return bool(IClaims.providedBy(kit.alice.backbone))


async def take(agent: Agent, *targets: str, channel: str = "room", **wanted: Any) -> Any:
    """Ask for a claim; what is answered."""
    fields = {"targets": list(targets), "note": "mine", **wanted}
    return await agent.wait(IClaims(agent.backbone).take_claim(channel, fields, agent.identity))


async def taken(agent: Agent, *targets: str, channel: str = "room", **wanted: Any) -> Claim:
    """Have a claim, held or waiting."""
    answer = await take(agent, *targets, channel=channel, **wanted)
    if not isinstance(answer, Taken):
        raise AssertionError(f"expected a claim, got {answer!r}")
    return answer.claim


async def get(agent: Agent, claim: Claim, channel: str = "room", fence: int | None = None) -> Claim:
    """A claim as it stands."""
    shown: Claim = await agent.wait(IClaims(agent.backbone).get_claim(channel, claim.claim, fence))
    return shown


async def board(agent: Agent, channel: str = "room", **asked: Any) -> list[tuple[str, str, tuple[str, ...]]]:
    """The claims of a channel as they are listed: each one's state, agent and targets."""
    claims = await agent.wait(IClaims(agent.backbone).list_claims(channel, **asked))
    return [(claim.state, claim.agent_id, claim.targets) for claim in claims]


async def act(agent: Agent, operation: str, claim: Claim, *, channel: str = "room", **given: Any) -> Any:
    """Do something with a claim, such as ``renew``; what is answered."""
    method = getattr(IClaims(agent.backbone), f"{operation}_claim")
    return await agent.wait(method(channel, claim.claim, agent.identity, **given))


async def live(agent: Agent) -> None:
    """Give a sign of life, and nothing else; it is recorded afterwards, if it is to be."""
    if IAlive.providedBy(agent.backbone):
        IAlive(agent.backbone).heard_of(agent.identity)
    await _ask(agent)


async def later(kit: Kit, seconds: float) -> None:
    """So much time passes, and what is due happens; alice's other session alone is heard of."""
    kit.clock.advance(seconds)
    await _ask(kit.alice_too)


async def _ask(agent: Agent) -> None:
    """Ask for what is decided as a write is, and answered once all before it is durable."""
    await refused(agent.wait(IClaims(agent.backbone).get_claim("room", 1, 1)), ClaimLost)


async def told(agent: Agent, cursor: int = 0) -> list[tuple[Any, ...]]:
    """The claims, notes and answers after a cursor: type, author, status, addressees, target and body."""
    page = await agent.read(cursor)
    return [(one.type, one.agent_id, one.status, one.to, one.target, one.body) for one in page.messages]
