"""Cases: claims that somebody else ends, for a reason."""

from __future__ import annotations

from typing import Any

from caucus import errors
from caucus.interfaces import IClaims, IRepeatable
from caucus.model.events import RequestKey
from caucus.model.records import Released
from caucus.testing.kit import Agent, Kit, fails_with_issues, refused, same

KEY = RequestKey(b"s" * 16, b"r" * 16, b"f" * 16)


async def _number(agent: Agent) -> int:
    """The number of the room's last claim."""
    claims: Any = await agent.wait(IClaims(agent.backbone).list_claims("room"))
    return int(claims[-1].claim)


async def _revoke(agent: Agent, claim: int, reason: Any = "it is dead", channel: str = "room") -> Any:
    return await agent.wait(IClaims(agent.backbone).revoke_claim(channel, claim, reason, agent.identity))


async def the_owners_other_session_ends_a_claim_and_its_holder_is_told(kit: Kit) -> None:
    await kit.open_room()
    if not IClaims.providedBy(kit.alice.backbone):
        return
    await kit.alice.claim(" t ", lease_ttl=600)
    number = await _number(kit.bob)
    same(await _revoke(kit.alice_too, number, "stuck since noon"), Released())
    same(await kit.alice.wait(IClaims(kit.alice.backbone).list_claims("room")), [])
    granted, told = (await kit.bob.read()).messages
    same((told.type, told.status, told.to), ("claim", "resolved", ("alice-agent",)))
    same(told.body, "stuck since noon")
    same((told.agent_id, told.owner, told.target), ("alice-second", "alice", granted.target))
    same((await kit.bob.claim("t")).outcome, "granted")
    same(await _number(kit.bob) > number, True)


async def whoever_made_the_channel_ends_any_claim_in_it(kit: Kit) -> None:
    await kit.open_room()
    if not IClaims.providedBy(kit.alice.backbone):
        return
    await kit.alice.claim("t")
    same(await _revoke(kit.bob, await _number(kit.bob)), Released())


async def nobody_else_ends_a_claim(kit: Kit) -> None:
    await kit.open_room()
    if not IClaims.providedBy(kit.alice.backbone):
        return
    await kit.alice.claim("t")
    await refused(_revoke(kit.carol, await _number(kit.bob)), errors.Forbidden)
    same((await kit.carol.claim("t")).outcome, "already_claimed")
    same(await kit.bob.head(), 1)


async def a_claim_that_is_not_there_is_unknown_before_anything_is_forbidden(kit: Kit) -> None:
    await kit.open_room()
    if not IClaims.providedBy(kit.alice.backbone):
        return
    await kit.alice.claim("t", lease_ttl=60)
    number = await _number(kit.bob)
    kit.clock.advance(60)
    for claim in (number, 1, 0):
        await refused(_revoke(kit.carol, claim), errors.UnknownClaim)
    await refused(_revoke(kit.alice, number, channel="nowhere"), errors.UnknownChannel)


async def a_reason_is_mandatory_and_has_the_rules_of_a_body(kit: Kit) -> None:
    await kit.open_room()
    if not IClaims.providedBy(kit.alice.backbone):
        return
    await kit.alice.claim("t")
    number = await _number(kit.bob)
    wrong = ("", None, 7, "esc\x1b", "x" * 16_001, "cr\r")
    asking = [lambda reason=reason: _revoke(kit.alice, number, reason) for reason in wrong]
    await fails_with_issues(1, *asking)
    same(await _revoke(kit.alice, number, "x" * 16_000), Released())


async def neither_pace_nor_a_full_channel_keeps_a_claim(kit: Kit) -> None:
    await kit.open_room(max_posts_per_minute=1, max_messages_per_channel=1)
    if not IClaims.providedBy(kit.alice.backbone):
        return
    await kit.alice.claim("t")
    same(await _revoke(kit.alice, await _number(kit.bob)), Released())
    same(await kit.bob.head(), 2)
    await refused(kit.bob.post("more"), errors.ChannelFull)


async def a_repeated_revocation_is_one(kit: Kit) -> None:
    await kit.open_room()
    both = IClaims.providedBy(kit.alice.backbone) and IRepeatable.providedBy(kit.alice.backbone)
    if not both:
        return
    await kit.alice.claim("t")
    number = await _number(kit.bob)
    for agent in (kit.alice, kit.bob):
        asked = (KEY, "revoke_claim", "room", number, "gone", kit.alice.identity)
        same(await agent.wait(IRepeatable(agent.backbone).once(*asked)), Released())
    same(await kit.bob.head(), 2)


CASES = [
    the_owners_other_session_ends_a_claim_and_its_holder_is_told,
    whoever_made_the_channel_ends_any_claim_in_it,
    nobody_else_ends_a_claim,
    a_claim_that_is_not_there_is_unknown_before_anything_is_forbidden,
    a_reason_is_mandatory_and_has_the_rules_of_a_body,
    neither_pace_nor_a_full_channel_keeps_a_claim,
    a_repeated_revocation_is_one,
]
