"""Cases: claims with leases, taken, renewed, given back and lapsed."""

from __future__ import annotations

from typing import Any

from caucus import errors
from caucus.interfaces import IClaims, IRepeatable
from caucus.model.claims import Claim, Conflicting, Taken
from caucus.model.events import RequestKey
from caucus.model.records import Released
from caucus.model.wanted import Wanted
from caucus.testing.fencing import under
from caucus.testing.kit import ALICE, Kit, refused, same
from caucus.testing.leases import act, board, get, later, live, opened, take, taken, told

KEY = RequestKey(b"s" * 16, b"l" * 16, b"f" * 16)
ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


async def a_claim_is_granted_with_all_that_it_is(kit: Kit) -> None:
    if not await opened(kit):
        return
    await kit.bob.post("before")
    wanted: dict[str, Any] = {
        "lease_ttl": 600,
        "msg_id": ULID,
        "thread": ULID,
        "artifact": "x",
        "renewal": "explicit",
    }
    answer = await take(kit.alice, "src/auth/", "docs/a.md", **wanted)
    number = answer.claim.claim
    (message,) = (await kit.bob.read(1)).messages
    expected = Claim(
        claim=number,
        kind="lease",
        fence=number,
        targets=("src/auth/", "docs/a.md"),
        agent_id=ALICE.agent_id,
        owner=ALICE.owner,
        note="mine",
        ts=message.ts,
        msg_id=ULID,
        cursor=2,
        lease_ttl=600,
        expires_in=600,
        renewal="explicit",
    )
    same(answer, Taken("granted", expected))
    same(await get(kit.bob, answer.claim), expected)
    same((message.type, message.target, message.body), ("claim", "src/auth/, docs/a.md", "mine"))
    same((message.msg_id, message.thread, message.artifact, message.lease_ttl), (ULID, ULID, "x", None))
    same((message.agent_id, message.owner, message.status), (ALICE.agent_id, ALICE.owner, None))


async def a_claim_is_as_it_is_by_default(kit: Kit) -> None:
    if not await opened(kit):
        return
    claim = await taken(kit.alice, "t")
    same((claim.mode, claim.renewal, claim.lease_ttl, claim.expires_in), ("exclusive", "activity", 900, 900))
    wanted = Wanted(targets=("u",), note="as a value")
    answer = await kit.alice.wait(IClaims(kit.alice.backbone).take_claim("room", wanted, ALICE))
    same((answer.outcome, answer.claim.note, answer.claim.msg_id), ("granted", "as a value", wanted.msg_id))


async def all_targets_are_taken_or_none(kit: Kit) -> None:
    if not await opened(kit):
        return
    held = await taken(kit.alice, "b")
    same(await take(kit.bob, "a", "b", "c"), Conflicting((held,)))
    same(await board(kit.bob), [("held", "alice-agent", ("b",))])
    same(await kit.bob.head(), 1)
    same((await take(kit.bob, "a", "c")).outcome, "granted")


async def a_folder_and_what_lies_in_it_are_one_piece_of_work(kit: Kit) -> None:
    if not await opened(kit):
        return
    await take(kit.alice, "src/auth/")
    inside = ["src/auth", "src/auth/x", "src/auth/x/", "src/**", "**", " src/auth/** "]
    same([(await take(kit.bob, target)).outcome for target in inside], ["already_claimed"] * 6)
    outside = ["src/authority", "src", "src/auth.py"]
    same([(await take(kit.bob, target)).outcome for target in outside], ["granted"] * 3)


async def shared_claims_stand_beside_each_other_and_no_exclusive_one(kit: Kit) -> None:
    if not await opened(kit):
        return
    first = await taken(kit.alice, "docs/", mode="shared")
    same((await take(kit.bob, "docs/x", mode="shared")).outcome, "granted")
    same((await take(kit.carol, "docs/x")).outcome, "already_claimed")
    await act(kit.alice, "release", first)
    same((await take(kit.carol, "docs/x")).outcome, "already_claimed")
    same((await take(kit.carol, "docs/y")).outcome, "granted")


async def boards_show_who_still_shares_a_target(kit: Kit) -> None:
    if not await opened(kit):
        return
    first = await taken(kit.alice, "docs/", mode="shared")
    second = await taken(kit.bob, "docs/", mode="shared", note="bob's")
    await act(kit.bob, "release", second)
    await act(kit.alice, "release", first)
    same(
        [(who, status) for _, who, status, *_ in await told(kit.carol)],
        [
            ("alice-agent", None),
            ("bob-agent", None),
            ("bob-agent", "resolved"),
            ("alice-agent", None),
            ("alice-agent", "resolved"),
        ],
    )


async def boards_show_who_holds_what_looks_the_same(kit: Kit) -> None:
    if not await opened(kit):
        return
    first = await taken(kit.alice, "a", "b")
    second = await taken(kit.bob, "a, b")
    await act(kit.alice, "release", first)
    await act(kit.bob, "release", second)
    await kit.carol.claim("a, b", lease_ttl=60)
    third = await taken(kit.alice, "a", "b")
    await act(kit.alice, "release", third)
    await taken(kit.alice, "a", "b")
    await kit.carol.done("a, b")
    same(
        [one[1:3] for one in await told(kit.bob, 2)],
        [
            ("alice-agent", "resolved"),
            ("bob-agent", None),
            ("bob-agent", "resolved"),
            ("carol-agent", None),
            ("alice-agent", None),
            ("alice-agent", "resolved"),
            ("carol-agent", None),
            ("alice-agent", None),
            ("carol-agent", "resolved"),
            ("alice-agent", None),
        ],
    )


async def the_same_claim_again_is_already_yours(kit: Kit) -> None:
    if not await opened(kit):
        return
    first = await taken(kit.alice, "a", "b/")
    for targets in (("a", "b/"), (" b/** ", "a", "a")):
        same(await take(kit.alice, *targets, note="again", lease_ttl=60), Taken("already_yours", first))
    same((await take(kit.alice, "a")).outcome, "already_claimed")
    same((await take(kit.alice, "a", "b/", mode="shared")).outcome, "already_claimed")
    same((await take(kit.alice_too, "a", "b/")).outcome, "already_claimed")
    same(await kit.alice.head(), 1)


async def a_claim_lives_while_its_agent_does(kit: Kit) -> None:
    if not await opened(kit):
        return
    claim = await taken(kit.alice, "t", lease_ttl=100)
    for _ in range(5):
        await later(kit, 90)
        await live(kit.alice)
    same((await get(kit.bob, claim)).expires_in, 100)
    await later(kit, 99)
    same((await get(kit.bob, claim)).expires_in, 1)
    await live(kit.alice_too)
    await live(kit.bob)
    await later(kit, 1)
    await refused(get(kit.bob, claim), errors.UnknownClaim)
    same((await take(kit.bob, "t")).outcome, "granted")


async def all_claims_of_an_agent_live_by_one_sign(kit: Kit) -> None:
    if not await opened(kit):
        return
    await kit.bob.create("other")
    claims = [await taken(kit.alice, "t"), await taken(kit.alice, "u", lease_ttl=40)]
    claims.append(await taken(kit.alice, "t", channel="other", lease_ttl=60))
    await later(kit, 30)
    await live(kit.alice)
    shown = [
        await get(kit.bob, claim, channel)
        for claim, channel in zip(claims, ("room", "room", "other"), strict=True)
    ]
    same([claim.expires_in for claim in shown], [900, 40, 60])


async def a_sign_is_recorded_once_in_a_quarter_of_the_shortest_lease(kit: Kit) -> None:
    if not await opened(kit):
        return
    claim = await taken(kit.alice, "t", lease_ttl=100)
    await later(kit, 24)
    await live(kit.alice)
    same((await get(kit.bob, claim)).expires_in, 76)
    await later(kit, 1)
    await live(kit.alice)
    same((await get(kit.bob, claim)).expires_in, 100)
    same(await kit.alice.head(), 1)


async def an_explicit_claim_lives_by_being_renewed_alone(kit: Kit) -> None:
    if not await opened(kit):
        return
    claim = await taken(kit.alice, "t", lease_ttl=100, renewal="explicit")
    await later(kit, 60)
    await live(kit.alice)
    same((await get(kit.bob, claim)).expires_in, 40)
    same((await act(kit.alice, "renew", claim)).expires_in, 100)
    await later(kit, 60)
    same((await act(kit.alice, "renew", claim, lease_ttl=50)).expires_in, 50)
    await later(kit, 50)
    await refused(get(kit.bob, claim), errors.UnknownClaim)
    same([(status, body) for _, _, status, _, _, body in await told(kit.bob)][1:], [
        ("resolved", "lapsed: alice-agent did not renew it for 50 s.")
    ])  # fmt: skip


async def a_lapse_is_told_to_the_holder_by_the_backbone(kit: Kit) -> None:
    if not await opened(kit):
        return
    await take(kit.alice, "t", "u/", lease_ttl=600)
    await later(kit, 600)
    same(await board(kit.bob), [])
    expected = ("claim", "caucus", "resolved", ("alice-agent",), "t, u/")
    same((await told(kit.bob, 1)), [(*expected, "lapsed: nothing was heard of alice-agent for 10 min.")])


async def renewing_is_no_message_and_charges_nothing(kit: Kit) -> None:
    if not await opened(kit, max_posts_per_minute=1):
        return
    claim = await taken(kit.alice, "t")
    for _ in range(3):
        same((await act(kit.alice, "renew", claim, lease_ttl=20)).lease_ttl, 20)
    same(await kit.alice.head(), 1)
    for seconds in (9, 86_401, "20", False):
        await refused(act(kit.alice, "renew", claim, lease_ttl=seconds), errors.InvalidMessage)


async def a_claim_is_given_back_done_or_not(kit: Kit) -> None:
    if not await opened(kit):
        return
    endings: list[tuple[dict[str, Any], str]] = [
        ({}, "done"),
        ({"done": False}, "released, and not done"),
        ({"note": "see the branch", "done": False}, "see the branch"),
    ]
    for number, (given, body) in enumerate(endings):
        claim = await taken(kit.alice, "t")
        same(await act(kit.alice, "release", claim, **given), Released())
        last = await told(kit.bob, 2 * number + 1)
        same(last, [("claim", "alice-agent", "resolved", None, "t", body)])
        await refused(act(kit.alice, "release", claim), errors.UnknownClaim)
    for wrong in ({"note": ""}, {"done": "yes"}):
        await refused(act(kit.alice, "release", claim, **wrong), errors.InvalidMessage)


async def a_fence_is_of_one_grant_and_its_agent(kit: Kit) -> None:
    if not await opened(kit):
        return
    claim = await taken(kit.alice, "t", lease_ttl=60)
    grant = (claim.claim, claim.fence or 0)
    same((await get(kit.bob, claim, fence=claim.fence)).agent_id, "alice-agent")
    await refused(get(kit.bob, claim, fence=(claim.fence or 0) + 1), errors.ClaimLost)
    same((await under(kit.alice, grant).post("mine")).cursor, 2)
    await refused(under(kit.alice_too, grant).post("not mine"), errors.ClaimLost)
    waiting = await taken(kit.bob, "t", wait=True)
    await refused(under(kit.bob, (waiting.claim, waiting.claim)).post("not yet"), errors.ClaimLost)
    await later(kit, 59)
    await live(kit.bob)
    await later(kit, 1)
    await refused(under(kit.alice, grant).post("too late"), errors.ClaimLost)
    await refused(get(kit.alice, claim, fence=claim.fence), errors.ClaimLost)
    granted = await get(kit.bob, waiting)
    same((granted.state, (granted.fence or 0) > (claim.fence or 0)), ("held", True))
    same((await under(kit.bob, (granted.claim, granted.fence or 0)).post("mine now")).cursor, 5)


async def a_repeated_request_is_one_claim_and_one_answer(kit: Kit) -> None:
    if not (await opened(kit) and IRepeatable.providedBy(kit.alice.backbone)):
        return
    await take(kit.bob, "u")
    for number, (target, outcome) in enumerate((("t", "granted"), ("u", "queued"))):
        key = RequestKey(KEY.scope, b"%d" % number, KEY.fingerprint)
        fields = {"targets": [target], "note": "once", "wait": True}
        answers = []
        for agent in (kit.alice, kit.bob, kit.alice):
            once = IRepeatable(agent.backbone).once(key, "take_claim", "room", fields, ALICE)
            answers.append(await agent.wait(once))
            await later(kit, 100)
            await live(kit.alice)
            await live(kit.bob)
        same((answers[0].outcome, answers[1:]), (outcome, answers[:1] * 2))
    same(len(await board(kit.bob)), 3)


async def a_repeated_release_is_answered_as_it_was(kit: Kit) -> None:
    if not (await opened(kit) and IRepeatable.providedBy(kit.alice.backbone)):
        return
    claim = await taken(kit.alice, "t")
    await take(kit.bob, "t", wait=True)
    for _ in range(2):
        once = IRepeatable(kit.alice.backbone).once(KEY, "release_claim", "room", claim.claim, ALICE)
        same(await kit.alice.wait(once), Released())
    same(await kit.bob.head(), 3)


CASES = [
    a_claim_is_granted_with_all_that_it_is,
    a_claim_is_as_it_is_by_default,
    all_targets_are_taken_or_none,
    a_folder_and_what_lies_in_it_are_one_piece_of_work,
    shared_claims_stand_beside_each_other_and_no_exclusive_one,
    boards_show_who_still_shares_a_target,
    boards_show_who_holds_what_looks_the_same,
    the_same_claim_again_is_already_yours,
    a_claim_lives_while_its_agent_does,
    all_claims_of_an_agent_live_by_one_sign,
    a_sign_is_recorded_once_in_a_quarter_of_the_shortest_lease,
    an_explicit_claim_lives_by_being_renewed_alone,
    a_lapse_is_told_to_the_holder_by_the_backbone,
    renewing_is_no_message_and_charges_nothing,
    a_claim_is_given_back_done_or_not,
    a_fence_is_of_one_grant_and_its_agent,
    a_repeated_request_is_one_claim_and_one_answer,
    a_repeated_release_is_answered_as_it_was,
]
