"""Cases: claims that wait in line, circles of them, and plain claims beside them."""

from __future__ import annotations

from caucus import errors
from caucus.interfaces import IClaims
from caucus.testing.kit import BOB, CAROL, Kit, refused, same
from caucus.testing.leases import act, board, get, later, live, opened, take, taken, told


async def a_claim_waits_for_what_is_in_front_and_is_granted_in_turn(kit: Kit) -> None:
    if not await opened(kit):
        return
    first = await taken(kit.alice, "src/")
    second = await take(kit.bob, "src/a", wait=True)
    third = await take(kit.carol, "src/a", "docs/", wait=True)
    same((second.outcome, second.claim.state, second.claim.ahead), ("queued", "waiting", 1))
    same((third.outcome, third.claim.ahead), ("queued", 2))
    waiting = second.claim
    same((waiting.fence, waiting.ts, waiting.cursor, waiting.expires_in), (None, None, None, None))
    await act(kit.alice, "release", first)
    same(
        await board(kit.bob),
        [("held", "bob-agent", ("src/a",)), ("waiting", "carol-agent", ("src/a", "docs/"))],
    )
    granted = await get(kit.bob, waiting)
    same((granted.cursor, (granted.fence or 0) > waiting.claim, granted.msg_id), (3, True, waiting.msg_id))
    await act(kit.bob, "release", waiting)
    same((await get(kit.bob, third.claim)).state, "held")
    same([one[1:3] for one in await told(kit.bob)], [
        ("alice-agent", None), ("alice-agent", "resolved"), ("bob-agent", None),
        ("bob-agent", "resolved"), ("carol-agent", None),
    ])  # fmt: skip


async def one_release_grants_to_all_that_waited_for_nothing_else(kit: Kit) -> None:
    if not await opened(kit):
        return
    first = await taken(kit.alice, "src/")
    await take(kit.bob, "src/a", wait=True)
    await take(kit.carol, "src/b", wait=True)
    await take(kit.alice_too, "src/a", "src/b", wait=True)
    await act(kit.alice, "release", first)
    same([state for state, *_ in await board(kit.bob)], ["held", "held", "waiting"])
    same(await kit.bob.head(), 4)


async def one_release_grants_to_all_who_share(kit: Kit) -> None:
    if not await opened(kit):
        return
    first = await taken(kit.alice, "a")
    await take(kit.bob, "a", wait=True, mode="shared")
    await take(kit.carol, "a", wait=True, mode="shared")
    await take(kit.alice_too, "a", wait=True)
    await act(kit.alice, "release", first)
    same([state for state, *_ in await board(kit.bob)], ["held", "held", "waiting"])


async def nobody_is_barged_past(kit: Kit) -> None:
    if not await opened(kit):
        return
    await take(kit.alice, "a")
    await take(kit.bob, "a", "b", wait=True)
    lost = await take(kit.carol, "b")
    same((lost.outcome, [claim.agent_id for claim in lost.conflicts]), ("already_claimed", ["bob-agent"]))
    same((await kit.carol.claim("b")).by.agent_id, "bob-agent")
    same((await take(kit.carol, "b", wait=True)).claim.ahead, 1)


async def whoever_gives_up_its_place_lets_the_next_one_in(kit: Kit) -> None:
    if not await opened(kit):
        return
    await take(kit.alice, "a")
    second = await taken(kit.bob, "a", "b", wait=True)
    third = await taken(kit.carol, "b", wait=True)
    await act(kit.bob, "release", second, note="never mind")
    same((await get(kit.carol, third)).state, "held")
    same([one[1:3] for one in await told(kit.bob)], [("alice-agent", None), ("carol-agent", None)])


async def a_waiting_claim_lapses_by_the_same_rule_and_without_a_message(kit: Kit) -> None:
    if not await opened(kit):
        return
    await take(kit.alice, "a")
    waiting = await taken(kit.bob, "a", "b", wait=True, lease_ttl=60)
    behind = await taken(kit.carol, "b", wait=True, lease_ttl=200)
    await later(kit, 60)
    await refused(get(kit.bob, waiting), errors.UnknownClaim)
    same((await get(kit.carol, behind)).state, "held")
    same(await kit.bob.head(), 2)


async def what_is_granted_out_of_the_queue_has_a_minute_at_least(kit: Kit) -> None:
    if not await opened(kit):
        return
    first = await taken(kit.alice, "a")
    long = await taken(kit.bob, "a", wait=True, lease_ttl=100)
    short = await taken(kit.carol, "a", wait=True, lease_ttl=50)
    await later(kit, 49)
    await live(kit.carol)
    await later(kit, 41)
    await act(kit.alice, "release", first)
    same((await get(kit.alice, long)).expires_in, 60)
    await act(kit.bob, "release", long)
    same((await get(kit.alice, short)).expires_in, 50)


async def what_is_due_happens_in_the_order_of_its_instants(kit: Kit) -> None:
    if not await opened(kit):
        return
    await take(kit.alice, "a", lease_ttl=30)
    await take(kit.bob, "a", "b", wait=True, lease_ttl=20)
    third = await taken(kit.carol, "a", "c", wait=True, lease_ttl=40)
    await later(kit, 45)  # bob's ended before alice's, whose end was before carol's would have been
    same(await board(kit.alice_too), [("held", "carol-agent", ("a", "c"))])
    same((await get(kit.alice_too, third)).expires_in, 40)
    same(
        [one[1:3] for one in await told(kit.alice_too)],
        [("alice-agent", None), ("caucus", "resolved"), ("carol-agent", None)],
    )


async def one_lapse_follows_another(kit: Kit) -> None:
    if not await opened(kit):
        return
    await take(kit.alice, "a", lease_ttl=30)
    second = await taken(kit.bob, "a", wait=True, lease_ttl=40)
    third = await taken(kit.carol, "a", wait=True, lease_ttl=300)
    await later(kit, 30)
    same((await get(kit.alice, second)).state, "held")
    await later(kit, 39)
    same((await get(kit.alice, second)).expires_in, 1)
    await later(kit, 1)
    same((await get(kit.alice, third)).state, "held")
    same(len(await told(kit.alice)), 5)


async def waiting_for_oneself_is_a_deadlock(kit: Kit) -> None:
    if not await opened(kit):
        return
    await kit.bob.create("other")
    a = await taken(kit.alice, "a")
    b = await taken(kit.bob, "b", channel="other")
    error = await refused(take(kit.alice, "a/", "a", "c", wait=True), errors.Deadlock)
    same(error.cycle, (a.claim,))
    waiting = await taken(kit.bob, "a", wait=True)
    error = await refused(take(kit.alice, "b", channel="other", wait=True), errors.Deadlock)
    same(error.cycle, (b.claim, waiting.claim, a.claim))
    same((await take(kit.alice, "b", channel="other")).outcome, "already_claimed")
    same((await take(kit.carol, "b", channel="other", wait=True)).outcome, "queued")


async def a_lease_claim_is_lost_to_by_plain_ones(kit: Kit) -> None:
    if not await opened(kit):
        return
    claim = await taken(kit.alice, "src/")
    waiting = await taken(kit.bob, "src/", "docs/", wait=True)
    for agent in (kit.alice, kit.bob):
        for target, by in (("src/x", claim), ("docs/x", waiting)):
            for lost in (
                await agent.claim(target),
                await agent.claim(target, heartbeat=True),
                await agent.reassign(target, CAROL),
                await agent.done(target),
            ):
                same(
                    (lost.outcome, lost.by.agent_id, lost.by.msg_id),
                    ("already_claimed", by.agent_id, by.msg_id),
                )
    same((await kit.carol.done("src/x")).by.ts, claim.ts)
    same((await kit.carol.done("elsewhere")).outcome, "not_held")
    same(await kit.bob.head(), 1)


async def a_plain_claim_is_waited_for_and_its_owner_is_free_in_what_it_does(kit: Kit) -> None:
    if not await opened(kit):
        return
    await kit.alice.claim("src/x")
    lost = await take(kit.bob, "src/")
    same([(one.kind, one.agent_id) for one in lost.conflicts], [("plain", "alice-agent")])
    waiting = await taken(kit.bob, "src/", wait=True)
    same((await kit.alice.claim("src/x", heartbeat=True)).outcome, "granted")
    same((await kit.carol.claim("src/x")).by.agent_id, "alice-agent")
    same((await kit.alice.reassign("src/x", CAROL)).outcome, "granted")
    same((await kit.carol.done("src/x")).outcome, "granted")
    same((await get(kit.bob, waiting)).state, "held")
    same((await kit.carol.claim("src/x")).outcome, "already_claimed")


async def a_plain_claim_that_lapses_lets_the_next_one_in(kit: Kit) -> None:
    if not await opened(kit):
        return
    await kit.alice.claim("t", lease_ttl=60)
    waiting = await taken(kit.bob, "t", wait=True)
    await later(kit, 60)
    same((await get(kit.bob, waiting)).state, "held")
    same([one[1:3] for one in await told(kit.bob)], [("alice-agent", None), ("bob-agent", None)])


async def a_reassignment_that_closes_a_circle_ends_who_waits_last(kit: Kit) -> None:
    if not await opened(kit):
        return
    await kit.alice.claim("a")
    held = await taken(kit.bob, "b")
    first = await taken(kit.carol, "b", wait=True)
    second = await taken(kit.bob, "a", wait=True)
    same((await kit.alice.reassign("a", CAROL)).outcome, "granted")
    await refused(get(kit.bob, second), errors.UnknownClaim)
    same((await get(kit.carol, first)).state, "waiting")
    kind, who, _, to, _, body = (await told(kit.bob))[-1]
    same((kind, who, to), ("note", "caucus", ("bob-agent",)))
    same(str(held.claim) in body, True)


async def who_waits_for_a_claim_is_told_when_it_is_granted(kit: Kit) -> None:
    if not await opened(kit):
        return
    first = await taken(kit.alice, "a")
    second = await taken(kit.bob, "a", wait=True)
    asking = IClaims(kit.bob.backbone).get_claim("room", second.claim, wait=40)
    await kit.bob.head()
    await act(kit.alice, "release", first)
    await kit.bob.head()
    granted = await kit.bob.wait(asking)
    same((granted.state, granted.claim), ("held", second.claim))
    again = IClaims(kit.bob.backbone).get_claim("room", second.claim, wait=40)
    same((await kit.bob.wait(again)).state, "held")


async def who_waits_for_a_claim_that_ends_learns_that(kit: Kit) -> None:
    if not await opened(kit):
        return
    await take(kit.alice, "a")
    second = await taken(kit.bob, "a", wait=True)
    asking = IClaims(kit.bob.backbone).get_claim("room", second.claim, wait=40)
    await kit.bob.head()
    await kit.bob.wait(IClaims(kit.bob.backbone).revoke_claim("room", second.claim, "not needed", BOB))
    await kit.bob.head()
    await refused(kit.bob.wait(asking), errors.UnknownClaim)


async def what_cannot_be_waited_for_is_refused(kit: Kit) -> None:
    if not await opened(kit):
        return
    claim = await taken(kit.alice, "a")
    for wait in (51, -1, float("inf")):
        asking = IClaims(kit.bob.backbone).get_claim("room", claim.claim, wait=wait)
        await refused(kit.bob.wait(asking), errors.InvalidRequest)
    asking = IClaims(kit.bob.backbone).get_claim("room", claim.claim, claim.fence, 1)
    same(await kit.bob.wait(asking), claim)  # which is decided, and waits for nothing


async def the_queue_is_filtered_like_the_rest(kit: Kit) -> None:
    if not await opened(kit):
        return
    await take(kit.alice, "src/")
    await take(kit.bob, "src/a", wait=True)
    await kit.carol.claim("docs/x")
    same([agent for _, agent, _ in await board(kit.bob)], ["alice-agent", "carol-agent", "bob-agent"])
    same([agent for _, agent, _ in await board(kit.bob, state="waiting")], ["bob-agent"])
    same([agent for _, agent, _ in await board(kit.bob, owner="carol")], ["carol-agent"])
    same(
        [agent for _, agent, _ in await board(kit.bob, targets=["src/a", "lib/"])],
        ["alice-agent", "bob-agent"],
    )
    same([agent for _, agent, _ in await board(kit.bob, targets=["docs/"])], ["carol-agent"])


CASES = [
    a_claim_waits_for_what_is_in_front_and_is_granted_in_turn,
    one_release_grants_to_all_that_waited_for_nothing_else,
    one_release_grants_to_all_who_share,
    nobody_is_barged_past,
    whoever_gives_up_its_place_lets_the_next_one_in,
    a_waiting_claim_lapses_by_the_same_rule_and_without_a_message,
    what_is_granted_out_of_the_queue_has_a_minute_at_least,
    what_is_due_happens_in_the_order_of_its_instants,
    one_lapse_follows_another,
    waiting_for_oneself_is_a_deadlock,
    a_lease_claim_is_lost_to_by_plain_ones,
    a_plain_claim_is_waited_for_and_its_owner_is_free_in_what_it_does,
    a_plain_claim_that_lapses_lets_the_next_one_in,
    a_reassignment_that_closes_a_circle_ends_who_waits_last,
    who_waits_for_a_claim_is_told_when_it_is_granted,
    who_waits_for_a_claim_that_ends_learns_that,
    what_cannot_be_waited_for_is_refused,
    the_queue_is_filtered_like_the_rest,
]
