"""Cases: claims with leases that are handed over, taken over and revoked."""

from __future__ import annotations

from typing import Any

from caucus import errors
from caucus.interfaces import IClaims
from caucus.model.claims import Addressee, Claim
from caucus.model.records import Released
from caucus.testing.kit import Agent, Kit, refused, same
from caucus.testing.leases import act, board, get, later, opened, take, taken, told


async def _revoke(agent: Agent, claim: Claim, reason: Any = "it is dead") -> Any:
    return await agent.wait(IClaims(agent.backbone).revoke_claim("room", claim.claim, reason, agent.identity))


async def an_offer_is_made_and_its_holder_goes_on_holding(kit: Kit) -> None:
    if not await opened(kit):
        return
    claim = await taken(kit.alice, "t")
    offered = await act(kit.alice, "offer", claim, owner="bob", agent_id="bob-agent", note="yours?")
    same((offered.offered_to, offered.agent_id), (Addressee("bob", "bob-agent"), "alice-agent"))
    same((await get(kit.bob, claim)).offered_to, Addressee("bob", "bob-agent"))
    same(await told(kit.bob, 1), [("note", "alice-agent", "needs-response", ("bob-agent",), None, "yours?")])
    offered = await act(kit.alice, "offer", claim, owner="carol")
    same((offered.offered_to, offered.fence), (Addressee("carol"), claim.fence))
    same((await told(kit.bob, 2))[0][3], ("carol",))
    await refused(act(kit.bob, "accept", claim), errors.Forbidden)


async def what_is_accepted_is_the_other_agents_by_a_fence_of_its_own(kit: Kit) -> None:
    if not await opened(kit):
        return
    claim = await taken(kit.alice, "t")
    await act(kit.alice, "offer", claim, owner="bob")
    await later(kit, 300)
    accepted = await act(kit.bob, "accept", claim, note="on it")
    same((accepted.claim, accepted.agent_id, accepted.note), (claim.claim, "bob-agent", "on it"))
    same((accepted.offered_to, accepted.expires_in, accepted.cursor), (None, 900, 3))
    same((accepted.fence or 0) > (claim.fence or 0), True)
    await refused(get(kit.bob, claim, fence=claim.fence), errors.ClaimLost)
    await refused(act(kit.alice, "release", claim), errors.Forbidden)
    same((await told(kit.bob, 2)), [("claim", "bob-agent", None, None, "t", "on it")])
    same(await board(kit.bob), [("held", "bob-agent", ("t",))])
    same(await act(kit.bob, "release", claim), Released())


async def what_is_declined_stays_whose_it_was(kit: Kit) -> None:
    if not await opened(kit):
        return
    claim = await taken(kit.alice, "t")
    await act(kit.alice, "offer", claim, owner="bob", agent_id="bob-agent")
    for agent in (kit.carol, kit.alice, kit.alice_too):
        await refused(act(agent, "decline", claim), errors.Forbidden)
    declined = await act(kit.bob, "decline", claim)
    same((declined.agent_id, declined.offered_to, declined.fence), ("alice-agent", None, claim.fence))
    offer, answer = (await kit.bob.read(1)).messages
    same((answer.type, answer.reply_to, answer.to), ("answer", offer.msg_id, ("alice-agent",)))
    same((answer.agent_id, answer.body), ("bob-agent", "declined"))
    await refused(act(kit.bob, "accept", claim), errors.Forbidden)


async def an_offer_ends_when_nobody_answers_it(kit: Kit) -> None:
    if not await opened(kit):
        return
    claim = await taken(kit.alice, "t", lease_ttl=3600)
    await act(kit.alice, "offer", claim, owner="bob")
    await later(kit, 599)
    same((await get(kit.bob, claim)).offered_to, Addressee("bob"))
    await later(kit, 1)
    same((await get(kit.bob, claim)).offered_to, None)
    await refused(act(kit.bob, "accept", claim), errors.Forbidden)
    same(await kit.bob.head(), 2)
    await act(kit.alice, "offer", claim, owner="bob", expires_in=20)
    await later(kit, 20)
    await refused(act(kit.bob, "accept", claim), errors.Forbidden)


async def what_is_wrong_with_an_offer_is_refused(kit: Kit) -> None:
    if not await opened(kit):
        return
    claim = await taken(kit.alice, "t")
    wrong: list[dict[str, Any]] = [
        {"owner": ""},
        {"owner": 1},
        {"owner": "bob", "agent_id": ""},
        {"owner": "bob", "note": ""},
        {"owner": "bob", "expires_in": 0},
        {"owner": "bob", "expires_in": 86_401},
    ]
    for given in wrong:
        await refused(act(kit.alice, "offer", claim, **given), errors.InvalidMessage)
    for operation in ("accept", "decline"):
        await refused(act(kit.bob, operation, claim), errors.Forbidden)
        await refused(act(kit.bob, operation, claim, note=""), errors.InvalidMessage)
    waiting = await taken(kit.bob, "t", wait=True)
    await refused(act(kit.bob, "offer", waiting, owner="carol"), errors.Forbidden)
    same(await kit.bob.head(), 1)


async def accepting_more_than_one_may_have_is_refused(kit: Kit) -> None:
    if not await opened(kit, max_claims_per_agent=1):
        return
    claim = await taken(kit.alice, "t")
    await take(kit.bob, "u")
    await act(kit.alice, "offer", claim, owner="bob")
    error = await refused(act(kit.bob, "accept", claim), errors.ClaimLimit)
    same((error.what, error.limit), ("agent", 1))


async def accepting_what_one_waits_for_ends_the_waiting(kit: Kit) -> None:
    if not await opened(kit):
        return
    claim = await taken(kit.alice, "t")
    waiting = await taken(kit.bob, "t", wait=True)
    behind = await taken(kit.carol, "t", wait=True)
    await act(kit.alice, "offer", claim, owner="bob")
    await act(kit.bob, "accept", claim)
    await refused(get(kit.bob, waiting), errors.UnknownClaim)
    same((await get(kit.carol, behind)).ahead, 1)


async def a_take_over_ends_the_same_owners_claims_and_holds_their_place(kit: Kit) -> None:
    if not await opened(kit):
        return
    old = await taken(kit.alice, "src/")
    await kit.alice.claim("docs/x")
    behind = await taken(kit.bob, "src/a", wait=True)
    lost = await take(kit.alice_too, "src/", "docs/")
    same(len(lost.conflicts), 3)
    answer = await take(kit.alice_too, "src/", "docs/", takeover=True)
    same(answer.outcome, "granted")
    await refused(get(kit.alice, old), errors.UnknownClaim)
    same((await get(kit.bob, behind)).ahead, 1)
    by, to = "alice-second", ("alice-agent",)
    body = "taken over by alice-second."
    same(
        await told(kit.bob, 2),
        [
            ("claim", by, "resolved", to, "src/", body),
            ("claim", by, "resolved", to, "docs/x", body),
            ("claim", by, None, None, "src/, docs/", "mine"),
        ],
    )
    same((await take(kit.alice_too, "src/", "docs/", takeover=True)).outcome, "already_yours")


async def who_waits_for_its_owners_claim_may_take_that_over_after_all(kit: Kit) -> None:
    if not await opened(kit):
        return
    await take(kit.alice, "a")
    waiting = await taken(kit.alice_too, "a", wait=True)
    same((await take(kit.alice_too, "a", wait=True)).outcome, "already_yours")
    same((await take(kit.alice_too, "a", takeover=True)).outcome, "granted")
    await refused(get(kit.alice, waiting), errors.UnknownClaim)
    same(await board(kit.bob), [("held", "alice-second", ("a",))])


async def a_take_over_leaves_an_agent_one_claim_on_the_same(kit: Kit) -> None:
    if not await opened(kit):
        return
    await take(kit.alice, "a")
    await take(kit.alice_too, "a", mode="shared", wait=True)
    same((await take(kit.alice_too, "a", mode="shared", takeover=True)).outcome, "granted")
    same(await board(kit.bob), [("held", "alice-second", ("a",))])


async def a_take_over_of_a_shared_place_passes_nobody_who_shares(kit: Kit) -> None:
    if not await opened(kit):
        return
    await take(kit.alice, "a", mode="shared")
    await take(kit.bob, "b")
    await take(kit.carol, "a", "b", mode="shared", wait=True)
    same((await take(kit.alice_too, "a", takeover=True)).outcome, "already_claimed")


async def a_take_over_ends_nothing_if_somebody_elses_claim_is_in_front(kit: Kit) -> None:
    if not await opened(kit):
        return
    old = await taken(kit.alice, "a")
    await take(kit.bob, "b")
    lost = await take(kit.alice_too, "a", "b", takeover=True)
    same(sorted(claim.agent_id for claim in lost.conflicts), ["alice-agent", "bob-agent"])
    same((await take(kit.alice_too, "a", "b", takeover=True, wait=True)).outcome, "queued")
    same((await get(kit.alice, old)).state, "held")


async def a_take_over_barges_past_nobody_for_what_was_not_covered(kit: Kit) -> None:
    if not await opened(kit):
        return
    await take(kit.alice, "a")
    await take(kit.carol, "b")
    await take(kit.bob, "b", "c", wait=True)
    same((await take(kit.alice_too, "a", "c", takeover=True)).outcome, "already_claimed")
    same((await take(kit.alice_too, "a", takeover=True)).outcome, "granted")


async def what_was_covered_and_is_not_taken_over_goes_to_who_waited(kit: Kit) -> None:
    if not await opened(kit):
        return
    await take(kit.alice, "src/")
    behind = await taken(kit.bob, "src/a", wait=True)
    same((await take(kit.alice_too, "src/b", takeover=True)).outcome, "granted")
    same((await get(kit.bob, behind)).state, "held")


async def a_take_over_that_closes_a_circle_ends_who_waits_last(kit: Kit) -> None:
    if not await opened(kit):
        return
    await take(kit.alice, "a")
    await take(kit.bob, "b")
    first = await taken(kit.alice_too, "b", wait=True)
    second = await taken(kit.bob, "a", wait=True)
    same((await take(kit.alice_too, "a", takeover=True)).outcome, "granted")
    await refused(get(kit.bob, second), errors.UnknownClaim)
    same((await get(kit.bob, first)).state, "waiting")


async def a_lease_claim_is_revoked_and_the_next_one_is_let_in(kit: Kit) -> None:
    if not await opened(kit):
        return
    claim = await taken(kit.alice, "t")
    waiting = await taken(kit.carol, "t", wait=True)
    await refused(_revoke(kit.carol, claim), errors.Forbidden)
    same(await _revoke(kit.alice_too, claim, "stuck"), Released())
    same((await get(kit.carol, waiting)).state, "held")
    same((await told(kit.bob, 1))[0], ("claim", "alice-second", "resolved", ("alice-agent",), "t", "stuck"))
    same(await _revoke(kit.bob, waiting), Released())
    same(await board(kit.bob), [])


async def who_waits_and_is_revoked_is_told_so_and_boards_are_not(kit: Kit) -> None:
    if not await opened(kit):
        return
    await take(kit.alice, "t")
    waiting = await taken(kit.carol, "t", wait=True)
    await _revoke(kit.bob, waiting, "not today")
    expected = "Your claim on t, which waited, has ended: not today"
    same(await told(kit.bob, 1), [("note", "bob-agent", None, ("carol-agent",), None, expected)])


CASES = [
    an_offer_is_made_and_its_holder_goes_on_holding,
    what_is_accepted_is_the_other_agents_by_a_fence_of_its_own,
    what_is_declined_stays_whose_it_was,
    an_offer_ends_when_nobody_answers_it,
    what_is_wrong_with_an_offer_is_refused,
    accepting_more_than_one_may_have_is_refused,
    accepting_what_one_waits_for_ends_the_waiting,
    a_take_over_ends_the_same_owners_claims_and_holds_their_place,
    who_waits_for_its_owners_claim_may_take_that_over_after_all,
    a_take_over_leaves_an_agent_one_claim_on_the_same,
    a_take_over_of_a_shared_place_passes_nobody_who_shares,
    a_take_over_ends_nothing_if_somebody_elses_claim_is_in_front,
    a_take_over_barges_past_nobody_for_what_was_not_covered,
    what_was_covered_and_is_not_taken_over_goes_to_who_waited,
    a_take_over_that_closes_a_circle_ends_who_waits_last,
    a_lease_claim_is_revoked_and_the_next_one_is_let_in,
    who_waits_and_is_revoked_is_told_so_and_boards_are_not,
]
