"""Cases: the ledger's whole life cycle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from caucus import errors
from caucus.model.records import AlreadyClaimed, Granted, Holder, Identity, NotHeld
from caucus.testing.kit import ALICE, BOB, CAROL, Agent, Kit, fails_with_issues, refused, same


def _holder(agent: Identity, granted: Granted) -> Holder:
    """The holder that a granted message makes of ``agent``."""
    message = granted.message
    return Holder(agent.agent_id, agent.owner, str(message.ts), message.msg_id)


async def _held_by_alice(kit: Kit, **fields: Any) -> AlreadyClaimed:
    """Alice claims ``t``: how everyone else's claim is answered."""
    await kit.open_room()
    return AlreadyClaimed(_holder(ALICE, await kit.alice.claim("t", **fields)))


async def a_free_target_is_granted_and_appended(kit: Kit) -> None:
    await kit.open_room()
    result = await kit.alice.claim("auth-timeout repro")
    same((result.outcome, result.cursor), ("granted", 1))
    same((await kit.bob.read()).messages, [result.message])


async def a_held_target_names_its_holder(kit: Kit) -> None:
    taken = await _held_by_alice(kit)
    same(await kit.bob.claim("t"), taken)
    same(await kit.alice.claim("t"), taken)
    same(await kit.alice_too.claim("t"), taken)
    same(await kit.bob.claim("t", heartbeat=True), taken)
    same(await kit.bob.head(), 1)


async def of_many_claims_at_once_one_is_granted(kit: Kit) -> None:
    await kit.open_room()
    agents = [kit.alice, kit.alice_too, kit.bob, kit.carol] * 6
    started = [agent.backbone.claim("room", agent.message("claim", "mine", target="t")) for agent in agents]
    results = [await kit.alice.wait(operation) for operation in started]
    granted = [result for result in results if isinstance(result, Granted)]
    same(len(granted), 1)
    message = granted[0].message
    holder = Identity(str(message.agent_id), str(message.owner))
    lost = [result for result in results if isinstance(result, AlreadyClaimed)]
    same(lost, [AlreadyClaimed(_holder(holder, granted[0]))] * 23)


async def targets_are_one_after_trimming_and_nfc(kit: Kit) -> None:
    await kit.open_room()
    await kit.alice.claim("cafe\u0301 repro")
    for target in ("caf\u00e9 repro", " \ufeffcaf\u00e9 repro\u2003"):
        same((await kit.bob.claim(target)).outcome, "already_claimed")
    for target in ("Caf\u00e9 repro", "caf\u00e9  repro", "caf\u00e9\u200b repro", "caf\u00e9 repro\u200b"):
        result = await kit.bob.claim(target)
        same((result.outcome, result.message.target), ("granted", target))


async def a_lease_lapses_at_its_instant(kit: Kit) -> None:
    taken = await _held_by_alice(kit, lease_ttl=60)
    kit.clock.advance(59)
    same(await kit.bob.claim("t"), taken)
    kit.clock.advance(1)
    same((await kit.bob.claim("t")).outcome, "granted")


async def without_a_lease_a_claim_never_lapses(kit: Kit) -> None:
    taken = await _held_by_alice(kit)
    kit.clock.advance(10**8)
    same(await kit.bob.claim("t"), taken)


async def a_lease_is_stored_as_an_integer(kit: Kit) -> None:
    await kit.open_room()
    fields = kit.alice.claim_fields(lease_ttl=60.0)
    result = await kit.alice.wait(kit.alice.backbone.claim("room", fields))
    same(b'"lease_ttl":60,' in result.message_json, True)


async def a_very_long_lease_is_a_lease(kit: Kit) -> None:
    taken = await _held_by_alice(kit, lease_ttl=10**300)
    same(await kit.bob.claim("t"), taken)


async def a_heartbeat_starts_the_lease_anew(kit: Kit) -> None:
    await _held_by_alice(kit, lease_ttl=60)
    kit.clock.advance(59)
    beat = await kit.alice_too.claim("t", heartbeat=True, lease_ttl=30)
    kit.clock.advance(29)
    same(await kit.bob.claim("t"), AlreadyClaimed(_holder(kit.alice_too.identity, beat)))
    kit.clock.advance(1)
    same((await kit.bob.claim("t")).outcome, "granted")


async def a_heartbeat_without_a_lease_ends_it(kit: Kit) -> None:
    await _held_by_alice(kit, lease_ttl=60)
    await kit.alice.claim("t", heartbeat=True)
    kit.clock.advance(10**6)
    same((await kit.bob.claim("t")).outcome, "already_claimed")


async def a_heartbeat_on_a_free_target_claims_it(kit: Kit) -> None:
    await kit.open_room()
    same((await kit.alice.claim("t", heartbeat=True)).outcome, "granted")
    same((await kit.bob.claim("t")).outcome, "already_claimed")


async def the_owner_gives_a_claim_away(kit: Kit) -> None:
    taken = await _held_by_alice(kit)
    same(await kit.bob.reassign("t", BOB), taken)
    given = await kit.alice_too.reassign("t", BOB)
    same((given.message.owner, given.cursor), ("alice", 2))
    same(await kit.alice.claim("t"), AlreadyClaimed(_holder(BOB, given)))
    same(await kit.alice.reassign("t", CAROL), AlreadyClaimed(_holder(BOB, given)))
    same((await kit.bob.done("t")).outcome, "granted")


async def a_free_target_is_given_to_anyone(kit: Kit) -> None:
    await kit.open_room()
    given = await kit.alice.reassign("t", Identity("q", "bob"), lease_ttl=60)
    same(await kit.carol.claim("t"), AlreadyClaimed(_holder(Identity("q", "bob"), given)))
    kit.clock.advance(60)
    same((await kit.carol.reassign("t", ALICE)).outcome, "granted")


async def a_done_target_is_free_again(kit: Kit) -> None:
    taken = await _held_by_alice(kit)
    same(await kit.bob.done("t"), taken)
    finished = await kit.alice_too.done("t", status="fyi")
    same((finished.outcome, finished.cursor, finished.message.status), ("granted", 2, "resolved"))
    same(await kit.alice.done("t"), NotHeld())
    same((await kit.bob.claim("t")).outcome, "granted")


async def a_lapsed_target_is_not_held(kit: Kit) -> None:
    await _held_by_alice(kit, lease_ttl=1)
    kit.clock.advance(1)
    same(await kit.alice.done("t"), NotHeld())
    same(await kit.bob.head(), 1)


async def any_status_may_come_with_done(kit: Kit) -> None:
    await _held_by_alice(kit)
    fields = kit.alice.claim_fields(status=7)
    result = await kit.alice.wait(kit.alice.backbone.mark_claim_done("room", fields))
    same(result.message.status, "resolved")


def _operations(agent: Agent, fields: dict[str, object]) -> list[Callable[[], Any]]:
    backbone = agent.backbone
    return [
        lambda: agent.wait(backbone.claim("room", fields)),
        lambda: agent.wait(backbone.reassign_claim("room", fields, BOB)),
        lambda: agent.wait(backbone.mark_claim_done("room", fields)),
    ]


async def a_wrong_claim_is_refused_by_all_three(kit: Kit) -> None:
    await kit.open_room()
    alice = kit.alice
    wrong: list[Any] = [
        *(
            {"target": value}
            for value in ("", "   ", "\ufeff", 7, None, "nl\n", "esc\x1b", "x" * 1025, "\ud800")
        ),
        *({"lease_ttl": value} for value in (0, -1, 1.5, "60", True, float("inf"))),
        *({"heartbeat": value} for value in (1, "yes", [1])),
        {"type": "note"},
        {"type": "note", "foo": 1, "body": ""},
        {"foo": 1},
        {"body": ""},
        {"msg_id": "bad"},
    ]
    for fields in wrong:
        await fails_with_issues(1, *_operations(alice, alice.claim_fields(**fields)))
    same(await alice.head(), 0)


async def an_assignee_must_be_somebody(kit: Kit) -> None:
    await kit.open_room()
    seven: Any = 7
    nobody: tuple[Any, ...] = (Identity("", "o"), Identity("a", ""), Identity(seven, "o"), None, "bob")
    for assignee in nobody:
        await refused(kit.alice.reassign("t", assignee), errors.InvalidRequest)
    odd = (Identity("a\x1b", "o"), Identity("a", "o" * 1025), Identity("a" * 1025, "o"))
    await fails_with_issues(1, *(lambda one=one: kit.alice.reassign("t", one) for one in odd))
    same((await kit.alice.claim("t")).outcome, "granted")


async def a_full_channel_refuses_only_what_would_append(kit: Kit) -> None:
    await kit.open_room(max_messages_per_channel=1)
    await kit.alice.claim("t")
    same((await kit.bob.claim("t")).outcome, "already_claimed")
    same((await kit.bob.done("u")).outcome, "not_held")
    error = await refused(kit.bob.claim("u"), errors.ChannelFull)
    same((error.channel, error.limit), ("room", 1))
    await refused(kit.alice.done("t"), errors.ChannelFull)
    same((await kit.bob.claim("t")).outcome, "already_claimed")


CASES = [
    a_free_target_is_granted_and_appended,
    a_held_target_names_its_holder,
    of_many_claims_at_once_one_is_granted,
    targets_are_one_after_trimming_and_nfc,
    a_lease_lapses_at_its_instant,
    without_a_lease_a_claim_never_lapses,
    a_lease_is_stored_as_an_integer,
    a_very_long_lease_is_a_lease,
    a_heartbeat_starts_the_lease_anew,
    a_heartbeat_without_a_lease_ends_it,
    a_heartbeat_on_a_free_target_claims_it,
    the_owner_gives_a_claim_away,
    a_free_target_is_given_to_anyone,
    a_done_target_is_free_again,
    a_lapsed_target_is_not_held,
    any_status_may_come_with_done,
    a_wrong_claim_is_refused_by_all_three,
    an_assignee_must_be_somebody,
    a_full_channel_refuses_only_what_would_append,
]
