"""Cases: seatbelts, duplicates and full channels."""

from __future__ import annotations

from caucus import errors
from caucus.testing.kit import Kit, refused, same


async def an_agent_posts_only_so_often_in_a_channel(kit: Kit) -> None:
    await kit.open_room(max_posts_per_minute=2)
    await kit.alice.post("one")
    kit.clock.advance(10.5)
    await kit.alice.claim("t")
    error = await refused(kit.alice.post("three"), errors.RateLimited)
    same((error.limit, error.scope, error.retry_after), (2, "channel", 50))
    await refused(kit.alice.claim("u"), errors.RateLimited)
    await kit.alice_too.post("another session has its own budget")
    await kit.bob.post("and so has another agent")


async def a_post_counts_until_exactly_one_window_has_passed(kit: Kit) -> None:
    await kit.open_room(max_posts_per_minute=1, window_seconds=10)
    await kit.alice.post("one")
    kit.clock.advance(9.5)
    error = await refused(kit.alice.post("two"), errors.RateLimited)
    same(error.retry_after, 1)
    kit.clock.advance(0.5)
    await kit.alice.post("two")


async def an_agent_posts_only_so_often_over_all_channels(kit: Kit) -> None:
    await kit.open_room(max_posts_per_minute=2, global_max_posts_per_minute=3)
    await kit.bob.create("other")
    for number in range(2):
        await kit.alice.post(f"{number}")
    await kit.alice.post("2", "other")
    error = await refused(kit.alice.post("3", "other"), errors.RateLimited)
    same((error.limit, error.scope, error.retry_after), (3, "all_channels", 60))
    await kit.bob.post("free", "other")


async def the_channel_budget_outranks_the_one_over_all(kit: Kit) -> None:
    await kit.open_room(max_posts_per_minute=1, global_max_posts_per_minute=1)
    await kit.alice.post("one")
    same((await refused(kit.alice.post("two"), errors.RateLimited)).scope, "channel")


async def what_is_refused_charges_nothing(kit: Kit) -> None:
    await kit.open_room(max_posts_per_minute=2)
    await kit.bob.claim("t")
    await kit.alice.post("one")
    await refused(kit.alice.post("one"), errors.DuplicatePost)
    await refused(kit.alice.post(""), errors.InvalidMessage)
    same((await kit.alice.claim("t")).outcome, "already_claimed")
    same((await kit.alice.done("u")).outcome, "not_held")
    await kit.alice.post("two")


async def repeating_oneself_is_refused(kit: Kit) -> None:
    await kit.open_room()
    await kit.alice.post("same", kind="finding")
    await refused(kit.alice.post("same", kind="finding"), errors.DuplicatePost)
    await refused(kit.alice.post("\ufeff same \n", kind="finding"), errors.DuplicatePost)
    await kit.alice.post("same", kind="note")
    await kit.alice.post("same", kind="finding")
    await kit.bob.post("same", kind="finding")
    await kit.bob.create("other")
    await kit.alice.post("same", "other", kind="finding")


async def a_claim_is_no_duplicate_and_leaves_the_last_post_alone(kit: Kit) -> None:
    await kit.open_room()
    await kit.alice.post("mine")
    await kit.alice.claim("t")
    await kit.alice.claim("u")
    await refused(kit.alice.post("mine"), errors.DuplicatePost)


async def the_last_post_is_forgotten_after_a_quiet_window(kit: Kit) -> None:
    await kit.open_room()
    await kit.alice.post("same")
    kit.clock.advance(59)
    await refused(kit.alice.post("same"), errors.DuplicatePost)
    kit.clock.advance(59)
    await refused(kit.alice.post("same"), errors.DuplicatePost)
    kit.clock.advance(60)
    await kit.alice.post("same")


async def the_agent_seen_least_recently_is_forgotten(kit: Kit) -> None:
    await kit.open_room(max_posts_per_minute=1, max_tracked_agents=2, global_max_posts_per_minute=9)
    await kit.alice.post("one")
    await kit.bob.post("one")
    await kit.carol.post("one")
    await kit.alice.post("two")
    await refused(kit.carol.post("two"), errors.RateLimited)
    await kit.bob.post("two")


async def a_full_channel_takes_no_post(kit: Kit) -> None:
    await kit.open_room(max_messages_per_channel=1, max_posts_per_minute=1)
    await kit.alice.post("one")
    error = await refused(kit.alice.post("one"), errors.ChannelFull)  # outranks pace and duplicate
    same((error.channel, error.limit), ("room", 1))
    await refused(kit.alice.post(""), errors.InvalidMessage)


CASES = [
    an_agent_posts_only_so_often_in_a_channel,
    a_post_counts_until_exactly_one_window_has_passed,
    an_agent_posts_only_so_often_over_all_channels,
    the_channel_budget_outranks_the_one_over_all,
    what_is_refused_charges_nothing,
    repeating_oneself_is_refused,
    a_claim_is_no_duplicate_and_leaves_the_last_post_alone,
    the_last_post_is_forgotten_after_a_quiet_window,
    the_agent_seen_least_recently_is_forgotten,
    a_full_channel_takes_no_post,
]
