"""Cases: claims that are listed, and keep their numbers."""

from __future__ import annotations

from typing import Any

from caucus import errors
from caucus.interfaces import IClaims
from caucus.model.claims import Claim
from caucus.model.records import Identity
from caucus.testing.kit import ALICE, BOB, Agent, Kit, refused, same


async def _list(agent: Agent, channel: str = "room", **asked: Any) -> list[Claim]:
    """What an agent sees of a channel's claims."""
    return list(await agent.wait(IClaims(agent.backbone).list_claims(channel, **asked)))


async def _get(agent: Agent, claim: int, channel: str = "room") -> Claim:
    shown: Claim = await agent.wait(IClaims(agent.backbone).get_claim(channel, claim))
    return shown


async def _targets(agent: Agent, *asked: str) -> list[str]:
    """The targets of what an exclusive claim on these would conflict with."""
    return [claim.targets[0] for claim in await _list(agent, targets=asked)]


async def a_claim_is_listed_with_all_that_it_is(kit: Kit) -> None:
    await kit.open_room()
    if not IClaims.providedBy(kit.alice.backbone):
        return
    same(await _list(kit.bob), [])
    await kit.bob.post("before")
    granted = await kit.alice.claim(" Src/auth ", lease_ttl=900)
    kit.clock.advance(88)
    (listed,) = await _list(kit.bob)
    number = listed.claim
    message = granted.message
    expected = Claim(
        claim=number,
        fence=number,
        targets=(" Src/auth ",),
        agent_id=ALICE.agent_id,
        owner=ALICE.owner,
        note="mine",
        ts=message.ts,
        msg_id=message.msg_id,
        cursor=2,
        lease_ttl=900,
        expires_in=812,
    )
    same((listed, await _get(kit.carol, number)), (expected, expected))
    same((listed.kind, listed.state, listed.mode, listed.renewal), ("plain", "held", "exclusive", "explicit"))


async def a_claim_that_never_lapses_has_no_end(kit: Kit) -> None:
    await kit.open_room()
    if not IClaims.providedBy(kit.alice.backbone):
        return
    await kit.alice.claim("t")
    (listed,) = await _list(kit.alice)
    same((listed.lease_ttl, listed.expires_in), (None, None))


async def claims_are_listed_in_the_order_of_their_grants(kit: Kit) -> None:
    await kit.open_room()
    if not IClaims.providedBy(kit.alice.backbone):
        return
    for agent, target in ((kit.alice, "c"), (kit.bob, "a"), (kit.alice_too, "b")):
        await agent.claim(target, lease_ttl=60)
    same([claim.targets for claim in await _list(kit.bob)], [("c",), ("a",), ("b",)])
    await kit.alice.claim("c", heartbeat=True, lease_ttl=60)
    listed = await _list(kit.bob)
    same([claim.targets for claim in listed], [("a",), ("b",), ("c",)])
    same(sorted(claim.fence or 0 for claim in listed), [claim.fence for claim in listed])


async def a_claim_keeps_its_number_and_each_grant_has_a_higher_fence(kit: Kit) -> None:
    await kit.open_room()
    if not IClaims.providedBy(kit.alice.backbone):
        return
    await kit.alice.claim("t", lease_ttl=60)
    (taken,) = await _list(kit.bob)
    await kit.alice_too.claim("t", heartbeat=True, lease_ttl=60)
    beaten = await _get(kit.bob, taken.claim)
    same((beaten.agent_id, beaten.cursor), (kit.alice_too.identity.agent_id, 2))
    await kit.alice.reassign("t", BOB, lease_ttl=60)
    given = await _get(kit.bob, taken.claim)
    same((given.owner, given.note), ("bob", "yours"))
    same((taken.fence or 0) < (beaten.fence or 0) < (given.fence or 0), True)
    await kit.bob.done("t")
    await refused(_get(kit.bob, taken.claim), errors.UnknownClaim)
    await kit.carol.claim("t")
    (again,) = await _list(kit.bob)
    same(again.claim > (given.fence or 0), True)


async def fences_rise_over_all_channels_and_with_the_time_of_day(kit: Kit) -> None:
    await kit.open_room()
    if not IClaims.providedBy(kit.alice.backbone):
        return
    await kit.bob.create("other")
    fences = []
    for number, channel in enumerate(("room", "other", "room", "other")):
        await kit.alice.claim(f"t{number}", channel)
        fences.append((await _list(kit.bob, channel))[-1].fence or 0)
        kit.clock.advance(number % 2)
    same(fences, sorted(set(fences)))
    same(fences[-1] // 1000, int(kit.clock.seconds()) - 1)


async def what_has_lapsed_is_not_listed(kit: Kit) -> None:
    await kit.open_room()
    if not IClaims.providedBy(kit.alice.backbone):
        return
    await kit.alice.claim("t", lease_ttl=60)
    (taken,) = await _list(kit.bob)
    kit.clock.advance(59)
    same((await _get(kit.bob, taken.claim)).expires_in, 1)
    kit.clock.advance(1)
    same(await _list(kit.bob), [])
    await refused(_get(kit.bob, taken.claim), errors.UnknownClaim)


async def claims_are_listed_by_whose_they_are(kit: Kit) -> None:
    await kit.open_room()
    if not IClaims.providedBy(kit.alice.backbone):
        return
    for agent, target in ((kit.alice, "a"), (kit.bob, "b"), (kit.alice_too, "c")):
        await agent.claim(target)
    alices = [claim.targets[0] for claim in await _list(kit.bob, owner="alice")]
    second = [claim.targets[0] for claim in await _list(kit.bob, agent_id="alice-second")]
    same((alices, second), (["a", "c"], ["c"]))
    same([len(await _list(kit.bob, state=state)) for state in ("held", "waiting")], [3, 0])
    same(await _list(kit.bob, owner="alice", agent_id="bob-agent"), [])


async def a_dry_run_shows_what_a_claim_would_conflict_with(kit: Kit) -> None:
    await kit.open_room()
    if not IClaims.providedBy(kit.alice.backbone):
        return
    for target in ("src/auth", "src/auth/session.py", "src/authority", "docs/", "docs/*.md"):
        await kit.alice.claim(target)
    same(await _targets(kit.bob, "src/auth"), ["src/auth"])
    same(await _targets(kit.bob, " src/auth/ "), ["src/auth", "src/auth/session.py"])
    same(await _targets(kit.bob, "src/**", "docs/x"), ["src/auth", "src/auth/session.py", "src/authority"])
    same(await _targets(kit.bob, "docs/"), ["docs/", "docs/*.md"])
    same(len(await _targets(kit.bob, "**")), 5)
    same(await _targets(kit.bob, "src/auth/session.py/x"), [])


async def what_cannot_be_asked_for_is_refused(kit: Kit) -> None:
    await kit.open_room()
    if not IClaims.providedBy(kit.alice.backbone):
        return
    wrong: list[dict[str, Any]] = [
        {"state": "gone"},
        {"targets": ["*.py"]},
        {"targets": ["ok", " "]},
        {"targets": ["x" * 1025]},
        {"targets": ["esc\x1b"]},
        {"targets": ["t"] * 33},
    ]
    for asked in wrong:
        await refused(_list(kit.bob, **asked), errors.InvalidRequest)
    await refused(_list(kit.bob, "nowhere"), errors.UnknownChannel)
    await refused(_list(kit.bob, "BAD"), errors.InvalidChannelName)
    await refused(_get(kit.bob, 1, "nowhere"), errors.UnknownChannel)
    for number in (0, 1, -1, 10**15):
        await refused(_get(kit.bob, number), errors.UnknownClaim)


async def a_claim_of_another_channel_is_unknown(kit: Kit) -> None:
    await kit.open_room()
    if not IClaims.providedBy(kit.alice.backbone):
        return
    await kit.bob.create("other")
    await kit.alice.reassign("t", Identity("x", "y"))
    (taken,) = await _list(kit.bob)
    same((taken.agent_id, taken.owner), ("x", "y"))
    await refused(_get(kit.bob, taken.claim, "other"), errors.UnknownClaim)


CASES = [
    a_claim_is_listed_with_all_that_it_is,
    a_claim_that_never_lapses_has_no_end,
    claims_are_listed_in_the_order_of_their_grants,
    a_claim_keeps_its_number_and_each_grant_has_a_higher_fence,
    fences_rise_over_all_channels_and_with_the_time_of_day,
    what_has_lapsed_is_not_listed,
    claims_are_listed_by_whose_they_are,
    a_dry_run_shows_what_a_claim_would_conflict_with,
    what_cannot_be_asked_for_is_refused,
    a_claim_of_another_channel_is_unknown,
]
