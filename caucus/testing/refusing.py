"""Cases: claims with leases that are refused, and what is told of those that are not."""

from __future__ import annotations

from typing import Any

from caucus import errors
from caucus.interfaces import IClaims
from caucus.testing.kit import ALICE, Kit, refused, same
from caucus.testing.leases import act, later, opened, take, taken, told


async def there_are_so_many_claims_and_no_more(kit: Kit) -> None:
    limits = {"max_claims_per_agent": 2, "max_claims_per_channel": 3, "max_waiting_claims_per_channel": 1}
    if not await opened(kit, **limits):
        return
    await kit.alice.claim("plain")
    first = await taken(kit.alice, "a")
    await take(kit.alice, "b")
    error = await refused(take(kit.alice, "c"), errors.ClaimLimit)
    same((error.what, error.limit), ("agent", 2))
    await take(kit.bob, "a", wait=True)
    error = await refused(take(kit.carol, "c"), errors.ClaimLimit)
    same((error.what, error.limit), ("channel", 3))
    await act(kit.alice, "release", first)
    await take(kit.carol, "a", wait=True)
    await kit.bob.create("other")
    await take(kit.bob, "x", channel="other")
    await take(kit.carol, "x", channel="other", wait=True)
    error = await refused(take(kit.alice, "x", channel="other", wait=True), errors.ClaimLimit)
    same((error.what, error.limit), ("waiting", 1))
    same((await kit.carol.claim("more")).outcome, "granted")


async def a_claim_is_paced_and_giving_back_is_not(kit: Kit) -> None:
    if not await opened(kit, max_posts_per_minute=2):
        return
    first = await taken(kit.alice, "a")
    await take(kit.bob, "b")
    await take(kit.alice, "b", wait=True)
    error = await refused(take(kit.alice, "c"), errors.RateLimited)
    same(error.scope, "channel")
    same((await take(kit.alice, "b", wait=True)).outcome, "already_yours")
    await act(kit.alice, "release", first)
    await refused(kit.alice.post("too much"), errors.RateLimited)
    await later(kit, 60)
    same((await take(kit.alice, "b")).outcome, "already_yours")
    same((await take(kit.bob, "b/", "b")).outcome, "already_claimed")
    await kit.alice.post("one")
    await kit.alice.post("two")


async def a_full_channel_takes_no_claim_and_tells_of_those_it_has(kit: Kit) -> None:
    if not await opened(kit, max_messages_per_channel=2):
        return
    first = await taken(kit.alice, "a")
    await take(kit.bob, "a", wait=True)
    await kit.bob.post("the last")
    wanteds: tuple[dict[str, Any], ...] = ({}, {"wait": True})
    for wanted in wanteds:
        await refused(take(kit.carol, f"c{len(wanted)}", **wanted), errors.ChannelFull)
    await refused(act(kit.alice, "offer", first, owner="bob"), errors.ChannelFull)
    await act(kit.alice, "release", first)
    same((await take(kit.carol, "a", wait=True)).outcome, "queued")
    same(
        [(who, status) for _, who, status, *_ in await told(kit.bob, 2)],
        [("alice-agent", "resolved"), ("bob-agent", None)],
    )


async def a_claim_with_many_targets_is_told_cut_and_numbered(kit: Kit) -> None:
    if not await opened(kit):
        return
    targets = [f"{number}/{'x' * 60}" for number in range(32)]
    claim = await taken(kit.alice, *targets)
    await act(kit.alice, "release", claim)
    granted, ended = (one[4] for one in await told(kit.bob))
    same((len(granted), granted), (1024, ended))
    same(granted.endswith(f"… #{claim.claim}"), True)
    same(claim.targets, tuple(targets))


async def what_is_wrong_with_a_claim_is_told_together(kit: Kit) -> None:
    if not await opened(kit):
        return
    wrong: list[tuple[int, dict[str, Any]]] = [
        (1, {"targets": []}),
        (1, {"targets": ["t"] * 33}),
        (1, {"targets": ["*.py"]}),
        (1, {"targets": ["src/*/x"]}),
        (1, {"targets": [" "]}),
        (1, {"targets": ["x" * 1025]}),
        (1, {"targets": ["esc\x1b"]}),
        (1, {"targets": "t"}),
        (1, {"note": ""}),
        (1, {"note": "x" * 16_001}),
        (1, {"mode": "both"}),
        (1, {"lease_ttl": 9}),
        (1, {"lease_ttl": 86_401}),
        (1, {"lease_ttl": True}),
        (1, {"renewal": "never"}),
        (1, {"wait": 1}),
        (1, {"takeover": "yes"}),
        (1, {"msg_id": "x"}),
        (1, {"thread": "x"}),
        (1, {"artifact": ""}),
        (1, {"heartbeat": True}),
        (3, {"targets": ["*"], "mode": "", "lease_ttl": 1.5}),
    ]
    for count, fields in wrong:
        error = await refused(take(kit.alice, "t", **fields), errors.InvalidMessage)
        same((fields, len(error.issues)), (fields, count))
    asking = IClaims(kit.alice.backbone).take_claim("room", {}, ALICE)
    error = await refused(kit.alice.wait(asking), errors.InvalidMessage)
    same(len(error.issues), 2)
    await refused(take(kit.alice, "t", channel="nowhere"), errors.UnknownChannel)
    same(await kit.alice.head(), 0)
    same((await take(kit.alice, "t", lease_ttl=60.0)).claim.lease_ttl, 60)


async def only_its_agent_does_something_with_a_claim(kit: Kit) -> None:
    if not await opened(kit):
        return
    claim = await taken(kit.alice, "t")
    for agent in (kit.alice_too, kit.bob):
        for operation in ("renew", "release"):
            await refused(act(agent, operation, claim), errors.Forbidden)
        await refused(act(agent, "offer", claim, owner="carol"), errors.Forbidden)
    await kit.alice.claim("plain")
    (plain,) = await kit.bob.wait(IClaims(kit.bob.backbone).list_claims("room", targets=["plain"]))
    for operation in ("renew", "release", "accept", "decline"):
        await refused(act(kit.alice, operation, plain), errors.PlainClaim)
    await kit.bob.create("other")
    for channel, number in (("other", claim.claim), ("room", 1)):
        operation_ = IClaims(kit.alice.backbone).renew_claim(channel, number, ALICE)
        await refused(kit.alice.wait(operation_), errors.UnknownClaim)


CASES = [
    there_are_so_many_claims_and_no_more,
    a_claim_is_paced_and_giving_back_is_not,
    a_full_channel_takes_no_claim_and_tells_of_those_it_has,
    a_claim_with_many_targets_is_told_cut_and_numbered,
    what_is_wrong_with_a_claim_is_told_together,
    only_its_agent_does_something_with_a_claim,
]
