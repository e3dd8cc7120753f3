"""Cases: what a backbone may provide beside `IBackbone`. Where it does not, nothing is held to them."""

from __future__ import annotations

from typing import Any

from caucus import errors
from caucus.interfaces import (
    IBackbone,
    IFollowing,
    IMeasured,
    IReadiness,
    IRepeatable,
    ITokenKeeper,
    IWatchable,
)
from caucus.model.events import RequestKey
from caucus.model.records import Identity
from caucus.testing.kit import Agent, Kit, refused, same

KEY = RequestKey(b"s" * 16, b"k" * 16, b"f" * 16)
TOKEN, OTHER = b"\x01" * 32, b"\x02" * 32
DAVE = Identity("dave-agent", "dave")


def _bearer(agent: Agent, digest: bytes) -> Agent:
    """An agent who speaks by a minted token."""
    bearing: IBackbone = ITokenKeeper(agent.backbone).bearing(digest)
    return Agent(agent.identity, bearing, agent.settle)


async def _keep(agent: Agent, minted: bytes | None, **revoked: Any) -> list[bytes]:
    """Mint a token for dave, and revoke others."""
    change = ITokenKeeper(agent.backbone).change_tokens(
        None if minted is None else (minted, DAVE),
        **revoked,
    )
    return list(await agent.wait(change))


async def who_watches_is_woken_when_there_is_more_to_look_at(kit: Kit) -> None:
    await kit.open_room()
    if not IWatchable.providedBy(kit.alice.backbone):
        return
    watchable = IWatchable(kit.alice.backbone)
    await kit.alice.head()
    seen: list[int] = []
    end = watchable.watch("room", lambda: seen.append(watchable.look("room", 0, 10).cursor))
    await kit.bob.post("one")
    await kit.alice.head()
    same(seen, [1])
    await kit.bob.claim("t")
    await kit.alice.head()
    same(seen, [1, 2])
    end()
    await kit.bob.post("two")
    await kit.alice.head()
    same(seen, [1, 2])


async def who_watches_is_not_woken_by_what_changed_nothing_there(kit: Kit) -> None:
    await kit.open_room()
    if not IWatchable.providedBy(kit.alice.backbone):
        return
    await kit.bob.create("other")
    await kit.alice.head()
    woken: list[None] = []
    IWatchable(kit.alice.backbone).watch("room", lambda: woken.append(None))
    await kit.bob.post("elsewhere", "other")
    await refused(kit.bob.post("wrong", kind="claim", target="t"), errors.InvalidMessage)
    await kit.alice.head()
    same(woken, [])


async def only_a_channel_that_there_is_is_watched(kit: Kit) -> None:
    await kit.open_room()
    if not IWatchable.providedBy(kit.alice.backbone):
        return
    watchable = IWatchable(kit.alice.backbone)
    for name, error in (("nowhere", errors.UnknownChannel), ("BAD", errors.InvalidChannelName)):
        try:
            watchable.watch(name, lambda: None)
        except error:
            continue
        raise AssertionError(f"{name} is watched")


async def a_repeated_request_is_one_write_and_one_answer(kit: Kit) -> None:
    await kit.open_room()
    if not IRepeatable.providedBy(kit.alice.backbone):
        return
    message = kit.alice.message("note", "once")
    asking = [
        IRepeatable(agent.backbone).once(KEY, "append", "room", message)
        for agent in (kit.alice, kit.bob, kit.carol, kit.alice)
    ]
    answers = [await kit.alice.wait(one) for one in asking]
    same(answers, [answers[0]] * 4)
    later = await kit.bob.wait(IRepeatable(kit.bob.backbone).once(KEY, "append", "room", message))
    same((later, await kit.bob.head()), (answers[0], 1))


async def a_repeated_claim_is_granted_as_it_was(kit: Kit) -> None:
    await kit.open_room()
    if not IRepeatable.providedBy(kit.alice.backbone):
        return
    message = kit.alice.message("claim", "mine", target="t")
    first, again = [
        await agent.wait(IRepeatable(agent.backbone).once(KEY, "claim", "room", message))
        for agent in (kit.alice, kit.bob)
    ]
    same((first.outcome, again), ("granted", first))


async def another_request_under_a_key_is_refused(kit: Kit) -> None:
    await kit.open_room()
    if not IRepeatable.providedBy(kit.alice.backbone):
        return
    await kit.alice.wait(
        IRepeatable(kit.alice.backbone).once(KEY, "append", "room", kit.alice.message("note", "one"))
    )
    other = RequestKey(KEY.scope, KEY.key, b"g" * 16)
    message = kit.alice.message("note", "two")
    asking = IRepeatable(kit.bob.backbone).once(other, "append", "room", message)
    await refused(kit.bob.wait(asking), errors.IdempotencyMismatch)
    same(await kit.bob.head(), 1)


async def what_was_refused_is_not_remembered(kit: Kit) -> None:
    await kit.open_room()
    if not IRepeatable.providedBy(kit.alice.backbone):
        return
    taken = kit.bob.message("claim", "mine", target="t")
    await kit.alice.claim("t")
    asking = IRepeatable(kit.bob.backbone).once(KEY, "claim", "room", taken)
    same((await kit.bob.wait(asking)).outcome, "already_claimed")
    await kit.alice.done("t")
    again = IRepeatable(kit.bob.backbone).once(KEY, "claim", "room", taken)
    same((await kit.bob.wait(again)).outcome, "granted")


async def a_request_is_remembered_for_a_day(kit: Kit) -> None:
    await kit.open_room()
    if not IRepeatable.providedBy(kit.alice.backbone):
        return
    message = kit.alice.message("note", "again")
    heads = []
    for _ in range(3):
        await kit.alice.wait(IRepeatable(kit.alice.backbone).once(KEY, "append", "room", message))
        heads.append(await kit.alice.head())
        kit.clock.advance(43_200)
    same(heads, [1, 1, 2])


async def a_minted_token_writes_until_it_is_revoked(kit: Kit) -> None:
    await kit.open_room()
    if not ITokenKeeper.providedBy(kit.alice.backbone):
        return
    same(await _keep(kit.alice, TOKEN), [])
    same((await _bearer(kit.bob, TOKEN).post("one")).cursor, 1)
    same(await _keep(kit.bob, None, agent_id="dave-agent"), [TOKEN])
    for agent in (kit.alice, kit.bob, kit.carol):
        await refused(_bearer(agent, TOKEN).post("two"), errors.Unauthorized)
        await refused(_bearer(agent, TOKEN).claim("t"), errors.Unauthorized)
    same(await kit.alice.head(), 1)
    same(await _keep(kit.alice, None, agent_id="dave-agent"), [])


async def a_revoked_token_gets_no_answer_that_it_had(kit: Kit) -> None:
    await kit.open_room()
    if not (IRepeatable.providedBy(kit.alice.backbone) and ITokenKeeper.providedBy(kit.alice.backbone)):
        return
    await _keep(kit.alice, TOKEN)
    message = kit.alice.message("note", "once")
    for expected in (None, errors.Unauthorized):
        bearer = _bearer(kit.bob, TOKEN)
        asking = bearer.wait(IRepeatable(bearer.backbone).once(KEY, "append", "room", message))
        if expected is None:
            same((await asking).cursor, 1)
            await _keep(kit.alice, None, digest=TOKEN)
        else:
            await refused(asking, expected)


async def a_token_takes_the_place_of_those_that_are_named(kit: Kit) -> None:
    await kit.open_room(max_minted_tokens=1)
    if not ITokenKeeper.providedBy(kit.alice.backbone):
        return
    await _keep(kit.alice, TOKEN)
    error = await refused(_keep(kit.bob, OTHER), errors.TokenLimit)
    same(error.limit, 1)
    await refused(_keep(kit.bob, OTHER, digest=b"\x03" * 32), errors.TokenLimit)
    same(await _keep(kit.bob, OTHER, digest=TOKEN), [TOKEN])
    await refused(_bearer(kit.alice, TOKEN).post("old"), errors.Unauthorized)
    same((await _bearer(kit.alice, OTHER).post("new")).cursor, 1)


async def a_backbone_that_works_is_ready(kit: Kit) -> None:
    await kit.open_room()
    if IReadiness.providedBy(kit.alice.backbone):
        same(IReadiness(kit.alice.backbone).why_not_ready(), None)


async def whoever_has_caught_up_sees_what_was_durable_before(kit: Kit) -> None:
    await kit.open_room()
    if not (IFollowing.providedBy(kit.carol.backbone) and IWatchable.providedBy(kit.carol.backbone)):
        return
    following, watchable = IFollowing(kit.carol.backbone), IWatchable(kit.carol.backbone)
    await kit.alice.post("hello")
    await kit.carol.wait(following.catch_up())
    same(watchable.look("room", 0, 10).cursor, 1)
    same(following.is_stale, False)


async def what_is_counted_has_names_of_its_own(kit: Kit) -> None:
    await kit.open_room()
    if not IMeasured.providedBy(kit.alice.backbone):
        return
    names = [metric.name for metric in IMeasured(kit.alice.backbone).metrics]
    same(len(names) > 0 and len(set(names)) == len(names), True)


CASES = [
    who_watches_is_woken_when_there_is_more_to_look_at,
    who_watches_is_not_woken_by_what_changed_nothing_there,
    only_a_channel_that_there_is_is_watched,
    a_repeated_request_is_one_write_and_one_answer,
    a_repeated_claim_is_granted_as_it_was,
    another_request_under_a_key_is_refused,
    what_was_refused_is_not_remembered,
    a_request_is_remembered_for_a_day,
    a_minted_token_writes_until_it_is_revoked,
    a_revoked_token_gets_no_answer_that_it_had,
    a_token_takes_the_place_of_those_that_are_named,
    a_backbone_that_works_is_ready,
    whoever_has_caught_up_sees_what_was_durable_before,
    what_is_counted_has_names_of_its_own,
]
