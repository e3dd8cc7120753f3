"""Cases: writes that happen only while their claim is held."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from caucus import errors
from caucus.interfaces import IClaims, IRepeatable
from caucus.model.claims import Claim
from caucus.model.events import RequestKey
from caucus.testing.kit import BOB, Agent, Kit, refused, same

KEY = RequestKey(b"s" * 16, b"c" * 16, b"f" * 16)


async def _held(agent: Agent, target: str = "t", **fields: Any) -> tuple[int, int]:
    """Take a target; the number of the claim, and the fence of its grant."""
    await agent.claim(target, **fields)
    claims: list[Claim] = await agent.wait(IClaims(agent.backbone).list_claims("room", targets=[target]))
    return claims[-1].claim, claims[-1].fence or 0


async def _confirm(agent: Agent, claim: int, fence: int) -> Claim:
    shown: Claim = await agent.wait(IClaims(agent.backbone).get_claim("room", claim, fence))
    return shown


def under(agent: Agent, grant: tuple[int, int]) -> Agent:
    """An agent that acts on a claim."""
    return Agent(agent.identity, IClaims(agent.backbone).fenced(*grant, agent.identity), agent.settle)


async def a_grant_is_confirmed_while_exactly_it_is_live(kit: Kit) -> None:
    await kit.open_room()
    if not IClaims.providedBy(kit.alice.backbone):
        return
    claim, fence = await _held(kit.alice, lease_ttl=60)
    same((await _confirm(kit.bob, claim, fence)).agent_id, "alice-agent")
    await refused(_confirm(kit.bob, claim, fence + 1), errors.ClaimLost)
    _, beaten = await _held(kit.alice, heartbeat=True, lease_ttl=60)
    await refused(_confirm(kit.bob, claim, fence), errors.ClaimLost)
    same((await _confirm(kit.bob, claim, beaten)).fence, beaten)
    kit.clock.advance(60)
    for asked in ((claim, beaten), (1, 1)):
        await refused(_confirm(kit.bob, *asked), errors.ClaimLost)
    nowhere = IClaims(kit.bob.backbone).get_claim("nowhere", claim, fence)
    await refused(kit.bob.wait(nowhere), errors.ClaimLost)


async def what_is_written_under_a_claim_is_written_while_it_is_held(kit: Kit) -> None:
    await kit.open_room()
    if not IClaims.providedBy(kit.alice.backbone):
        return
    grant = await _held(kit.alice, lease_ttl=60)
    alice = under(kit.alice, grant)
    same((await alice.post("still mine")).cursor, 2)
    await kit.bob.create("other")
    same((await alice.post("there too", "other")).cursor, 1)
    kit.clock.advance(60)
    await refused(alice.post("too late"), errors.ClaimLost)
    same((await kit.bob.claim("t")).outcome, "granted")
    await refused(alice.post("far too late"), errors.ClaimLost)
    same([message.body for message in (await kit.bob.read()).messages], ["mine", "still mine", "mine"])


async def what_a_lost_claim_stops_charges_nothing(kit: Kit) -> None:
    await kit.open_room(max_posts_per_minute=2)
    if not IClaims.providedBy(kit.alice.backbone):
        return
    grant = await _held(kit.alice)
    await kit.alice.reassign("t", BOB)
    kit.clock.advance(60)
    alice = under(kit.alice, grant)
    for number in range(5):
        await refused(alice.post(f"{number}"), errors.ClaimLost)
    await kit.alice.post("one")
    await kit.alice.post("two")


async def a_claim_is_an_agents_and_not_its_owners_other_sessions(kit: Kit) -> None:
    await kit.open_room()
    if not IClaims.providedBy(kit.alice.backbone):
        return
    grant = await _held(kit.alice)
    for agent in (kit.alice_too, kit.bob):
        await refused(under(agent, grant).post("mine as well"), errors.ClaimLost)
    same(await kit.bob.head(), 1)


async def every_write_may_stand_under_a_claim(kit: Kit) -> None:
    await kit.open_room()
    if not IClaims.providedBy(kit.alice.backbone):
        return
    claim, fence = await _held(kit.alice)
    data, address = b"evidence", sha256(b"evidence").hexdigest()
    for grant, error in (((claim, fence + 1), errors.ClaimLost), ((claim, fence), None)):
        alice = under(kit.alice, grant)
        operations = [
            lambda alice=alice: alice.wait(alice.backbone.put_artifact("room", address, data)),
            lambda alice=alice: alice.claim("u"),
            lambda alice=alice: alice.done("t"),
        ]
        for operation in operations:
            if error is None:
                await operation()
            else:
                await refused(operation(), error)
    same(await kit.bob.head(), 3)


async def an_answer_that_was_given_is_given_again_though_the_claim_is_lost(kit: Kit) -> None:
    await kit.open_room()
    both = IClaims.providedBy(kit.alice.backbone) and IRepeatable.providedBy(kit.alice.backbone)
    if not both:
        return
    grant = await _held(kit.alice, lease_ttl=60)
    message = kit.alice.message("note", "once")
    answers = []
    for _ in range(2):
        alice = under(kit.alice, grant)
        answers.append(await alice.wait(IRepeatable(alice.backbone).once(KEY, "append", "room", message)))
        kit.clock.advance(60)
    same(answers[0], answers[1])
    same(await kit.bob.head(), 2)


CASES = [
    a_grant_is_confirmed_while_exactly_it_is_live,
    what_is_written_under_a_claim_is_written_while_it_is_held,
    what_a_lost_claim_stops_charges_nothing,
    a_claim_is_an_agents_and_not_its_owners_other_sessions,
    every_write_may_stand_under_a_claim,
    an_answer_that_was_given_is_given_again_though_the_claim_is_lost,
]
