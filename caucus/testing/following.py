"""Cases: waiting for messages, and one feed of any number of channels."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from twisted.internet.defer import Deferred

from caucus import errors
from caucus.interfaces import IClaims, IFeed
from caucus.model.feed import BoardChanged, ChannelMade, FeedMessage, FeedPage
from caucus.testing.kit import Agent, Kit, refused, same
from caucus.testing.leases import act, later, opened, taken

T = TypeVar("T")


async def _feed(agent: Agent, *rooms: str, since: str | None = None, **asked: Any) -> FeedPage:
    """What a feed has to tell an agent."""
    page: FeedPage = await agent.wait(IFeed(agent.backbone).read_feed(rooms, since, **asked))
    return page


def _told(page: FeedPage) -> list[tuple[str, object]]:
    """What a page tells: of a message its channel and body, and else its channel and what it is."""
    return [
        (one.channel, one.message.body if isinstance(one, FeedMessage) else type(one)) for one in page.events
    ]


def _changes(page: FeedPage) -> list[tuple[str, int, int] | None]:
    """What the messages of a page say of claims."""
    changes = [one.change for one in page.events if isinstance(one, FeedMessage)]
    return [None if one is None else (one.kind, one.claim, one.fence) for one in changes]


async def _has_feed(kit: Kit, *channels: str, **limits: int) -> bool:
    """Open the provider with its room and others; says whether it has a feed at all."""
    await kit.open_room(**{"max_posts_per_minute": 1000, **limits})
    for channel in channels:
        await kit.bob.create(channel)
    return bool(IFeed.providedBy(kit.alice.backbone))


async def started(kit: Kit, waiting: Deferred[T]) -> Deferred[T]:
    """An operation that waits, once the provider has heard of it: ``called`` when there is an answer."""
    answer: Deferred[T] = Deferred()
    waiting.chainDeferred(answer)
    await kit.bob.head()  # over a connection of its own, which comes later
    return answer


async def answered(kit: Kit, waiting: Deferred[T]) -> T:
    """What an operation that has waited is answered with."""
    await kit.bob.head()  # bob's backbone has heard of all there is
    return cast("T", await kit.bob.wait(waiting))


async def a_read_waits_until_there_is_a_message(kit: Kit) -> None:
    await kit.open_room()
    waiting = await started(kit, kit.bob.backbone.read_since("room", 0, None, 30))
    same(waiting.called, False)
    await kit.alice.post("one")
    page = await answered(kit, waiting)
    same(([one.body for one in page.messages], page.cursor), (["one"], 1))
    page = await kit.bob.wait(kit.bob.backbone.read_since("room", 0, None, 30))
    same(page.cursor, 1)


async def a_read_waits_no_longer_than_it_wants(kit: Kit) -> None:
    await kit.open_room()
    waiting = await started(kit, kit.bob.backbone.read_since("room", 0, wait=30))
    kit.clock.advance(29)
    kit.bob.settle()
    same(waiting.called, False)
    kit.clock.advance(1)
    page = await answered(kit, waiting)
    same((page.messages, page.cursor), ([], 0))


async def nobody_waits_for_longer_than_fifty_seconds(kit: Kit) -> None:
    await kit.open_room()
    for wait in (50.1, -1, "1", True, [1]):
        waiting: Any = wait
        await refused(
            kit.bob.wait(kit.bob.backbone.read_since("room", 0, None, waiting)), errors.InvalidRequest
        )
    await refused(kit.bob.wait(kit.bob.backbone.read_since("room", 1, None, 50)), errors.InvalidCursor)


async def a_feed_begins_at_the_head_and_tells_what_comes_in_order(kit: Kit) -> None:
    if not await _has_feed(kit, "ops", "quiet"):
        return
    await kit.alice.post("before")
    begun = await _feed(kit.bob, "room", "ops", "quiet")
    same((begun.events, begun.reset), ((), None))
    for number, channel in enumerate(("room", "ops", "ops", "room")):
        await kit.alice.post(f"m{number}", channel)
    page = await _feed(kit.bob, "room", "ops", "quiet", since=begun.since)
    same(_told(page), [("room", "m0"), ("ops", "m1"), ("ops", "m2"), ("room", "m3")])
    same([one.cursor for one in page.events if isinstance(one, FeedMessage)], [2, 1, 2, 3])
    same((await _feed(kit.bob, "room", "ops", since=page.since)).events, ())


async def a_feed_tells_only_of_the_channels_that_it_is_of(kit: Kit) -> None:
    if not await _has_feed(kit, "ops"):
        return
    begun = await _feed(kit.bob, "room")
    await kit.alice.post("there", "ops")
    await kit.alice.post("here")
    page = await _feed(kit.bob, "room", since=begun.since)
    same(_told(page), [("room", "here")])
    same(_told(await _feed(kit.carol, "ops", since=begun.since)), [("ops", "there")])


async def a_feed_of_all_tells_of_new_channels_too(kit: Kit) -> None:
    if not await _has_feed(kit):
        return
    for rooms in ((), ("*",), ("*", "room")):
        begun = await _feed(kit.bob, *rooms)
        channel = f"later-{len(rooms)}"
        await kit.alice.create(channel, purpose="why")
        await kit.alice.post(f"first of {channel}", channel)
        page = await _feed(kit.bob, *rooms, since=begun.since)
        same(_told(page), [(channel, ChannelMade), (channel, f"first of {channel}")])
        made = page.events[0]
        same(isinstance(made, ChannelMade) and (made.created.purpose, made.created.head), ("why", 0))


async def a_feed_waits_until_there_is_something(kit: Kit) -> None:
    if not await _has_feed(kit, "ops"):
        return
    waiting = await started(kit, IFeed(kit.bob.backbone).read_feed(("room",), None, wait=50))
    await kit.alice.post("elsewhere", "ops")
    same(waiting.called, False)
    await kit.alice.post("here")
    page = await answered(kit, waiting)
    same(_told(page), [("room", "here")])
    waiting = await started(kit, IFeed(kit.bob.backbone).read_feed(("room",), page.since, wait=20))
    kit.clock.advance(20)
    page = await answered(kit, waiting)
    same(page.events, ())
    await kit.alice.post("after")
    same(_told(await _feed(kit.bob, "room", since=page.since)), [("room", "after")])


async def a_channel_can_begin_at_a_cursor_and_catches_up_first(kit: Kit) -> None:
    if not await _has_feed(kit, "ops"):
        return
    for number in range(4):
        await kit.alice.post(f"o{number}", "ops")
        await kit.alice.post(f"r{number}")
    first = await _feed(kit.bob, "room:3", "ops:1", limit=2)
    same(_told(first), [("ops", "o1"), ("ops", "o2")])
    await kit.alice.post("new")
    second = await _feed(kit.bob, "ops", "room", since=first.since, limit=2)
    same(_told(second), [("ops", "o3"), ("room", "r3")])
    third = await _feed(kit.bob, "ops", "room", since=second.since, limit=2)
    same((_told(third), third.since), ([("room", "new")], (await _feed(kit.carol)).since))


async def a_position_is_the_same_for_every_reader_and_good_for_other_channels(kit: Kit) -> None:
    if not await _has_feed(kit, "ops"):
        return
    mine, theirs = await _feed(kit.alice, "room"), await _feed(kit.bob)
    same(mine.since, theirs.since)
    await kit.alice.post("r")
    await kit.alice.post("o", "ops")
    same(_told(await _feed(kit.carol, "ops", since=mine.since)), [("ops", "o")])


async def pages_of_a_feed_joined_are_what_became_readable(kit: Kit) -> None:
    if not await _has_feed(kit, "ops", "dev", max_read_limit=5):
        return
    at = (await _feed(kit.bob)).since
    written = []
    for number in range(13):
        channel = ("room", "ops", "dev")[number * number % 3]
        await kit.alice.post(f"m{number}", channel)
        written.append((channel, f"m{number}"))
    for limit in (1, 4, None):
        read, since = list[tuple[str, object]](), at
        while (page := await _feed(kit.bob, since=since, limit=limit)).events:
            same(len(page.events) <= (limit or 5), True)
            read += _told(page)
            since = page.since
        same(read, written)


async def a_position_that_is_not_known_is_a_reset(kit: Kit) -> None:
    if not await _has_feed(kit, "ops"):
        return
    await kit.alice.post("one")
    await kit.alice.post("two", "ops")
    journal, _, _ = (await _feed(kit.bob)).since.partition("@")
    for since in (
        "x",
        "@",
        "0@1",
        "0123@0",
        f"{journal}@99999",
        f"{journal}@x",
        f"{journal}@1,",
        "é",
        "x" * 500,
    ):
        page = await _feed(kit.bob, "room", "ops", since=since)
        same(
            (sorted(page.reset or ()), [one for one in _told(page) if one[1] is not ChannelMade]),
            (
                ["ops", "room"],
                [("room", "one"), ("ops", "two")],
            ),
        )
        same((await _feed(kit.bob, "room", "ops", since=page.since)).reset, None)


async def a_cursor_beyond_the_head_begins_anew(kit: Kit) -> None:
    if not await _has_feed(kit, "ops"):
        return
    await kit.alice.post("one")
    page = await _feed(kit.bob, "room:2", "ops")
    same((page.reset, _told(page)), (("room",), [("room", "one")]))


async def what_no_feed_can_be_of_is_refused(kit: Kit) -> None:
    if not await _has_feed(kit):
        return
    for rooms, error in (
        (("nowhere",), errors.UnknownChannel),
        (("*", "nowhere:0"), errors.UnknownChannel),
        (("BAD",), errors.InvalidChannelName),
        (("",), errors.InvalidChannelName),
        (("room:",), errors.InvalidRequest),
        (("room:-1",), errors.InvalidRequest),
        (("room:1.5",), errors.InvalidRequest),
    ):
        await refused(_feed(kit.bob, *rooms), error)
    wrong: list[dict[str, Any]] = [{"limit": 0}, {"limit": -1}, {"wait": 51}, {"wait": -1}]
    for asked in wrong:
        await refused(_feed(kit.bob, "room", **asked), errors.InvalidRequest)


async def a_message_says_what_became_of_a_claim(kit: Kit) -> None:
    if not await opened(kit) or not IFeed.providedBy(kit.alice.backbone):
        return
    begun = await _feed(kit.bob, "room")
    claim = await taken(kit.alice, "src/")
    await kit.alice.post("between")
    await act(kit.alice, "offer", claim, owner="bob")
    await act(kit.bob, "decline", claim)
    await act(kit.alice, "offer", claim, owner="carol")
    passed = await act(kit.carol, "accept", claim)
    await act(kit.carol, "release", claim)
    page = await _feed(kit.bob, "room", since=begun.since)
    number, first, second = claim.claim, claim.fence, passed.fence
    same(
        _changes(page),
        [
            ("granted", number, first),
            None,
            ("offered", number, first),
            ("declined", number, first),
            ("offered", number, first),
            ("handed_over", number, second),
            ("released", number, second),
        ],
    )
    same([one for one in page.events if isinstance(one, BoardChanged)], [])


async def what_ends_and_what_follows_from_it_is_told_as_such(kit: Kit) -> None:
    if not await opened(kit) or not IFeed.providedBy(kit.alice.backbone):
        return
    begun = await _feed(kit.bob, "room")
    held = await taken(kit.alice, "t", lease_ttl=60)
    queued = await taken(kit.bob, "t", wait=True, lease_ttl=600)
    await later(kit, 61)
    page = await _feed(kit.carol, "room", since=begun.since)
    granted = next(one.change for one in page.events[-1:] if isinstance(one, FeedMessage))
    same(_changes(page)[:2], [("granted", held.claim, held.fence), ("lapsed", held.claim, held.fence)])
    same(granted is not None and (granted.kind, granted.claim), ("granted", queued.claim))
    revoked = await taken(kit.alice, "u")
    revoking = IClaims(kit.alice_too.backbone).revoke_claim(
        "room", revoked.claim, "why", kit.alice_too.identity
    )
    await kit.alice_too.wait(revoking)
    over = await taken(kit.alice, "v")
    await taken(kit.alice_too, "v", takeover=True)
    kinds = [one[0] for one in _changes(await _feed(kit.carol, "room", since=page.since)) if one is not None]
    same(kinds, ["granted", "revoked", "granted", "taken_over", "granted"])
    same(over.state, "held")


async def plain_claims_are_told_too(kit: Kit) -> None:
    if not await _has_feed(kit):
        return
    begun = await _feed(kit.bob, "room")
    await kit.alice.claim("t")
    await kit.alice.claim("t", heartbeat=True)
    await kit.alice.done("t")
    page = await _feed(kit.bob, "room", since=begun.since)
    changes = [one for one in _changes(page) if one is not None]
    same([one[0] for one in changes], ["granted", "granted", "released"])
    same(len({one[1] for one in changes}), 1)
    same(changes[0][2] < changes[1][2] == changes[2][2], True)


async def a_board_that_changed_without_a_message_is_told_once(kit: Kit) -> None:
    if not await opened(kit) or not IFeed.providedBy(kit.alice.backbone):
        return
    await kit.bob.create("ops")
    claim = await taken(kit.alice, "t")
    begun = await _feed(kit.bob, "room", "ops")
    for _ in range(3):
        await act(kit.alice, "renew", claim)
    await taken(kit.bob, "t", wait=True)
    page = await _feed(kit.bob, "room", "ops", since=begun.since)
    same(page.events, (BoardChanged("room"),))
    same((await _feed(kit.bob, "room", "ops", since=page.since)).events, ())


async def a_plain_claim_that_lapses_changes_the_board(kit: Kit) -> None:
    if not await opened(kit) or not IFeed.providedBy(kit.alice.backbone):
        return
    await kit.alice.claim("t", lease_ttl=60)
    begun = await _feed(kit.bob, "room")
    await later(kit, 61)
    page = await _feed(kit.bob, "room", since=begun.since)
    same(page.events, (BoardChanged("room"),))


async def the_iterator_tells_each_event_once(kit: Kit) -> None:
    if not await _has_feed(kit, "ops"):
        return
    await kit.alice.post("r0")
    await kit.alice.post("o0", "ops")
    feed: Any = IFeed(kit.bob.backbone).feed(("room:0", "ops:0"))
    told = []
    for number in range(3):
        told += [await _next(kit, feed), await _next(kit, feed)]
        await kit.alice.post(f"r{number + 1}")
        await kit.alice.post(f"o{number + 1}", "ops")
    same(told, [f"{channel}{number}" for number in range(3) for channel in ("r", "o")])
    since = feed.since
    await feed.aclose()
    kit.bob.settle()
    same(_told(await _feed(kit.carol, "room", "ops", since=since)), [("room", "r3"), ("ops", "o3")])


async def _next(kit: Kit, feed: Any) -> str:
    """The body of the message that a feed tells next."""
    waiting = Deferred.fromCoroutine(feed.__anext__())
    for _ in range(3):
        await kit.bob.head()  # bob's backbone has heard of all there is
        kit.clock.advance(0)
        kit.bob.settle()
    event: Any = await answered(kit, waiting)
    return str(event.message.body)


CASES = [
    a_read_waits_until_there_is_a_message,
    a_read_waits_no_longer_than_it_wants,
    nobody_waits_for_longer_than_fifty_seconds,
    a_feed_begins_at_the_head_and_tells_what_comes_in_order,
    a_feed_tells_only_of_the_channels_that_it_is_of,
    a_feed_of_all_tells_of_new_channels_too,
    a_feed_waits_until_there_is_something,
    a_channel_can_begin_at_a_cursor_and_catches_up_first,
    a_position_is_the_same_for_every_reader_and_good_for_other_channels,
    pages_of_a_feed_joined_are_what_became_readable,
    a_position_that_is_not_known_is_a_reset,
    a_cursor_beyond_the_head_begins_anew,
    what_no_feed_can_be_of_is_refused,
    a_message_says_what_became_of_a_claim,
    what_ends_and_what_follows_from_it_is_told_as_such,
    plain_claims_are_told_too,
    a_board_that_changed_without_a_message_is_told_once,
    a_plain_claim_that_lapses_changes_the_board,
    the_iterator_tells_each_event_once,
]
