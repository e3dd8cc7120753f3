"""Cases: who is there, what is addressed to whom, and what became of it."""

from __future__ import annotations

from typing import Any

from caucus import errors
from caucus.interfaces import IAlive, IFeed, IInbox, IPresence
from caucus.model.messages import new_msg_id
from caucus.model.presence import InboxPage, ToldMessage
from caucus.model.records import Identity
from caucus.testing.following import answered, started
from caucus.testing.kit import Agent, Kit, refused, same
from caucus.testing.leases import act, taken

TELL_SECONDS = 15
"""Within so many seconds one backbone tells the others who was there, and what was shown."""


async def _has_inbox(kit: Kit, **limits: int) -> bool:
    """Open the provider with its room; says whether it has an inbox at all."""
    await kit.open_room(**{"max_posts_per_minute": 1000, **limits})
    return bool(IInbox.providedBy(kit.alice.backbone))


async def _say(agent: Agent, body: str, *to: str, channel: str = "room", **fields: Any) -> tuple[int, str]:
    """Say something to somebody; the cursor and the id."""
    msg_id = new_msg_id()
    said = await agent.post(body, channel, "question", to=to or None, msg_id=msg_id, **fields)
    return int(said.cursor), msg_id


async def _inbox(agent: Agent, **asked: Any) -> InboxPage:
    """What is owed to an agent."""
    page: InboxPage = await agent.wait(IInbox(agent.backbone).read_inbox(agent.identity, **asked))
    return page


async def _bodies(agent: Agent, **asked: Any) -> list[str]:
    return [item.message.body for item in (await _inbox(agent, **asked)).items]


async def _message(agent: Agent, cursor: int, channel: str = "room") -> ToldMessage:
    told: ToldMessage = await agent.wait(IInbox(agent.backbone).get_message(channel, cursor))
    return told


async def _states(agent: Agent, cursor: int) -> dict[str, str]:
    """What became of a message, by name, as an agent is told that it was not addressed to."""
    return {one.name: one.state for one in (await _message(agent, cursor)).receipts}


async def _ack(agent: Agent, cursor: int, channel: str = "room") -> None:
    await agent.wait(IInbox(agent.backbone).ack(channel, cursor, agent.identity))


async def _read(agent: Agent, cursor: int = 0) -> None:
    """Read the room; over HTTP the token says who does, in process whoever shows it."""
    page = await agent.read(cursor)
    if IAlive.providedBy(agent.backbone):
        IAlive(agent.backbone).showed(agent.identity, "room", cursor, page.cursor)


async def _later(kit: Kit, seconds: float = TELL_SECONDS) -> None:
    """So much time passes, and what one backbone has to tell is heard at the others."""
    kit.clock.advance(seconds)
    for _ in range(2):
        await _settled(kit.alice_too)
    for agent in (kit.alice, kit.bob, kit.carol):
        await agent.head()


async def _settled(agent: Agent) -> None:
    """What was decided before is durable, and known to an agent's backbone."""
    await refused(agent.claim("t", lease_ttl=-1), errors.InvalidMessage)


async def what_is_addressed_is_owed_to_each_name_oldest_first(kit: Kit) -> None:
    if not await _has_inbox(kit):
        return
    await kit.bob.create("ops")
    await _say(kit.alice, "to nobody")
    await _say(kit.alice, "to the agent", "bob-agent")
    await _say(kit.alice, "to the owner", "bob", channel="ops")
    await _say(kit.alice, "to both", "bob", "bob-agent", "carol")
    page = await _inbox(kit.bob)
    same(
        [(item.channel, item.cursor, item.message.body) for item in page.items],
        [("room", 2, "to the agent"), ("ops", 1, "to the owner"), ("room", 3, "to both")],
    )
    same(await _bodies(kit.carol), ["to both"])
    same(await _bodies(kit.alice), [])


async def a_sender_sees_what_became_of_it_when_it_is_so(kit: Kit) -> None:
    if not await _has_inbox(kit):
        return
    cursor, msg_id = await _say(kit.alice, "are you there?", "bob")
    same(await _states(kit.alice, cursor), {"bob": "sent"})
    await _read(kit.carol)
    await _later(kit)
    same(await _states(kit.alice, cursor), {"bob": "sent"})
    await _read(kit.bob)
    await _later(kit)
    same(await _states(kit.alice, cursor), {"bob": "served"})
    await _ack(kit.bob, cursor)
    same(await _states(kit.alice, cursor), {"bob": "acked"})
    await kit.carol.post("not mine to answer", kind="answer", reply_to=msg_id)
    same(await _states(kit.alice, cursor), {"bob": "acked"})
    await kit.bob.post("I am", kind="answer", reply_to=msg_id)
    same(await _states(kit.alice, cursor), {"bob": "answered"})
    await _ack(kit.bob, cursor)
    same(await _states(kit.alice, cursor), {"bob": "answered"})


async def what_was_shown_after_another_message_is_not_that_message(kit: Kit) -> None:
    if not await _has_inbox(kit):
        return
    first, _ = await _say(kit.alice, "one", "bob")
    await kit.carol.post("between")
    second, _ = await _say(kit.alice, "two", "bob")
    await _read(kit.bob, 1)
    await _later(kit)
    same(
        (await _states(kit.alice, first), await _states(kit.alice, second)),
        ({"bob": "sent"}, {"bob": "served"}),
    )


async def an_answer_counts_for_both_names_and_in_its_channel_only(kit: Kit) -> None:
    if not await _has_inbox(kit):
        return
    await kit.bob.create("ops")
    cursor, msg_id = await _say(kit.alice, "q", "bob", "bob-agent", "carol")
    await kit.bob.post("elsewhere", "ops", "answer", reply_to=msg_id)
    same(set((await _states(kit.alice, cursor)).values()), {"sent"})
    await kit.bob.post("here", kind="answer", reply_to=msg_id)
    same(await _states(kit.alice, cursor), {"bob": "answered", "bob-agent": "answered", "carol": "sent"})


async def an_inbox_shows_what_is_open_or_all_of_it(kit: Kit) -> None:
    if not await _has_inbox(kit):
        return
    cursors = []
    ids = []
    for number in range(4):
        cursor, msg_id = await _say(kit.alice, f"q{number}", "bob")
        cursors.append(cursor)
        ids.append(msg_id)
    await _ack(kit.bob, cursors[1])
    await kit.bob.post("a2", kind="answer", reply_to=ids[2])
    same(await _bodies(kit.bob), ["q0", "q3"])
    same(await _bodies(kit.bob, everything=True), ["q0", "q1", "q2", "q3"])
    states = [item.state for item in (await _inbox(kit.bob, everything=True)).items]
    seen = ["sent" if state == "served" else state for state in states]  # over HTTP the inbox has shown it
    same(seen, ["sent", "acked", "answered", "sent"])


async def an_inbox_waits_for_what_comes_after_a_position(kit: Kit) -> None:
    if not await _has_inbox(kit):
        return
    await _say(kit.alice, "open", "bob")
    page = await _inbox(kit.bob, wait=30)
    same(len(page.items), 1)
    waiting = await started(
        kit, IInbox(kit.bob.backbone).read_inbox(kit.bob.identity, since=page.since, wait=30)
    )
    await _say(kit.alice, "to somebody else", "carol")
    await kit.bob.head()
    same(waiting.called, False)
    await _say(kit.alice, "another", "bob-agent")
    later = await answered(kit, waiting)
    same([item.message.body for item in later.items], ["another"])
    waiting = await started(
        kit, IInbox(kit.bob.backbone).read_inbox(kit.bob.identity, since=later.since, wait=30)
    )
    kit.clock.advance(30)
    same((await answered(kit, waiting)).items, ())
    same(await _bodies(kit.bob), ["open", "another"])


async def an_inbox_is_read_in_pages(kit: Kit) -> None:
    if not await _has_inbox(kit, max_read_limit=3):
        return
    for number in range(8):
        await _say(kit.alice, f"q{number}", "bob", "bob-agent")
    read, since = list[str](), None
    while (page := await _inbox(kit.bob, since=since)).items:
        same(len(page.items) <= 3, True)
        read += [item.message.body for item in page.items]
        since = page.since
    same(read, [f"q{number}" for number in range(8)])


async def positions_of_feeds_and_inboxes_are_the_same(kit: Kit) -> None:
    if not await _has_inbox(kit) or not IFeed.providedBy(kit.alice.backbone):
        return
    await _say(kit.alice, "before", "bob")
    feed = await kit.bob.wait(IFeed(kit.bob.backbone).read_feed(("room",)))
    await _say(kit.alice, "after", "bob")
    same(await _bodies(kit.bob, since=feed.since), ["after"])
    same(await _bodies(kit.bob, since="of another log"), ["before", "after"])


async def acking_twice_writes_once(kit: Kit) -> None:
    if not await _has_inbox(kit):
        return
    cursor, _ = await _say(kit.alice, "q", "bob")
    for _ in range(2):
        await _ack(kit.bob, cursor)
    same(await kit.bob.head(), cursor)
    same(await _bodies(kit.bob), [])


async def what_cannot_be_acked_is_refused(kit: Kit) -> None:
    if not await _has_inbox(kit):
        return
    cursor, _ = await _say(kit.alice, "q", "bob")
    await refused(_ack(kit.carol, cursor), errors.Forbidden)
    for wrong in (0, cursor + 1, -1):
        await refused(_ack(kit.bob, wrong), errors.InvalidCursor)
    await refused(_ack(kit.bob, cursor, "nowhere"), errors.UnknownChannel)
    await refused(_ack(kit.bob, cursor, "BAD"), errors.InvalidChannelName)
    same(await _bodies(kit.bob), ["q"])


async def a_name_that_nobody_has_is_unreachable(kit: Kit) -> None:
    if not await _has_inbox(kit):
        return
    for agent in (kit.bob, kit.carol):
        await agent.post("I have written")
    cursor, _ = await _say(kit.alice, "q", "bob", "carol-agent", "nobody", "bob-agnet", "alice")
    told = await _message(kit.alice, cursor)
    same((told.message.body, told.unreachable), ("q", ("nobody", "bob-agnet")))
    same(told.receipts[-3].state, "sent")
    for wrong in (0, cursor + 1):
        await refused(_message(kit.alice, wrong), errors.NotFound)
    await refused(_message(kit.alice, 1, "nowhere"), errors.UnknownChannel)


async def a_message_that_is_addressed_to_nobody_has_no_receipts(kit: Kit) -> None:
    if not await _has_inbox(kit):
        return
    cursor, _ = await _say(kit.alice, "q")
    told = await _message(kit.bob, cursor)
    same((told.receipts, told.unreachable, told.cursor), ((), (), cursor))


async def what_the_backbone_says_of_a_claim_is_owed_too(kit: Kit) -> None:
    if not await _has_inbox(kit):
        return
    claim = await taken(kit.alice, "src/")
    await act(kit.alice, "offer", claim, owner="bob", note="yours?")
    same(await _bodies(kit.bob), ["yours?"])
    await act(kit.bob, "decline", claim, note="no")
    same((await _bodies(kit.alice), await _bodies(kit.bob)), (["no"], []))


async def who_was_heard_of_is_told_last_seen_first(kit: Kit) -> None:
    await kit.open_room()
    if not IPresence.providedBy(kit.alice.backbone):
        return
    await kit.bob.create("ops")
    for agent, channel in ((kit.alice, "room"), (kit.bob, "ops"), (kit.carol, "room")):
        await _be_there(agent, channel)
        for _ in range(2):
            kit.clock.advance(10)
            await _settled(kit.alice_too)
    for _ in range(50):  # what another backbone has to tell comes when it comes
        there = {one.agent_id: one for one in await _who(kit.alice_too)}
        if {"alice-agent", "bob-agent", "carol-agent"} <= there.keys():
            break
    same([one for one in there if one != "alice-second"][-3:], ["carol-agent", "bob-agent", "alice-agent"])
    seen = [there[name].seen_ago for name in ("carol-agent", "bob-agent", "alice-agent")]
    same([20 <= seen[0] <= 35, 40 <= seen[1] <= 55, 60 <= seen[2] <= 75], [True] * 3)
    same([one.agent_id for one in await _who(kit.alice_too, "ops")], ["bob-agent"])
    same(there["alice-agent"].owner, "alice")
    await refused(_who(kit.alice, "nowhere"), errors.UnknownChannel)


async def who_is_there_comes_with_what_they_have(kit: Kit) -> None:
    await kit.open_room()
    if not IPresence.providedBy(kit.alice.backbone):
        return
    await taken(kit.alice, "a", lease_ttl=600)
    await taken(kit.alice, "b", lease_ttl=600)
    await kit.alice.claim("c")
    await taken(kit.bob, "a", wait=True, lease_ttl=600)
    for agent in (kit.alice, kit.bob):
        await _be_there(agent, "room")
    await _later(kit)
    there = {one.agent_id: (one.holding, one.waiting) for one in await _who(kit.carol)}
    same((there["alice-agent"], there["bob-agent"]), ((3, 0), (0, 1)))


async def whoever_was_not_heard_of_for_a_day_is_not_there(kit: Kit) -> None:
    await kit.open_room()
    if not IPresence.providedBy(kit.alice.backbone):
        return
    await _be_there(kit.alice, "room")
    await _later(kit)
    kit.clock.advance(86_400 - 3 * TELL_SECONDS)
    await _settled(kit.alice_too)
    same("alice-agent" in [one.agent_id for one in await _who(kit.carol)], True)
    kit.clock.advance(4 * TELL_SECONDS)
    await _settled(kit.alice_too)
    same("alice-agent" in [one.agent_id for one in await _who(kit.carol)], False)


async def an_agent_can_know_what_it_may_do(kit: Kit) -> None:
    await kit.open_room(max_posts_per_minute=5, max_channel_creates_per_minute=3)
    if not IPresence.providedBy(kit.alice.backbone):
        return
    await kit.alice.create("ops")
    for number in range(2):
        await kit.alice.post(f"m{number}")
    await taken(kit.alice, "t")
    found = await kit.alice.wait(IPresence(kit.alice.backbone).whoami(kit.alice.identity))
    same((found.agent_id, found.owner, found.ends), ("alice-agent", "alice", None))
    same((found.holding, found.waiting), (1, 0))
    told = {(one.scope, one.channel): (one.limit, one.left, one.window) for one in found.budgets}
    same(
        told,
        {
            ("all_channels", None): (20, 17, 60),
            ("channel_creates", None): (3, 2, 60),
            ("channel", "room"): (5, 2, 60),
        },
    )
    same((found.limits["max_posts_per_minute"], found.limits["max_claims_per_agent"]), (5, 256))
    kit.clock.advance(61)
    found = await kit.alice.wait(IPresence(kit.alice.backbone).whoami(kit.alice.identity))
    same([(one.scope, one.left) for one in found.budgets], [("all_channels", 20), ("channel_creates", 3)])


async def who_speaks_must_be_somebody(kit: Kit) -> None:
    if not await _has_inbox(kit) or not IAlive.providedBy(kit.alice.backbone):
        return  # over HTTP the token says
    inbox = IInbox(kit.alice.backbone)
    nobody = Identity("", "alice")
    await refused(kit.alice.wait(inbox.read_inbox(nobody)), errors.InvalidMessage)
    await refused(kit.alice.wait(inbox.ack("room", 1, nobody)), errors.InvalidMessage)


async def _who(agent: Agent, channel: str | None = None) -> list[Any]:
    return list(await agent.wait(IPresence(agent.backbone).who(channel)))


async def _be_there(agent: Agent, channel: str) -> None:
    """Ask for something in a channel."""
    if IAlive.providedBy(agent.backbone):
        IAlive(agent.backbone).heard_of(agent.identity, channel)
    else:
        await agent.wait(agent.backbone.subscribe(channel))


CASES = [
    what_is_addressed_is_owed_to_each_name_oldest_first,
    a_sender_sees_what_became_of_it_when_it_is_so,
    what_was_shown_after_another_message_is_not_that_message,
    an_answer_counts_for_both_names_and_in_its_channel_only,
    an_inbox_shows_what_is_open_or_all_of_it,
    an_inbox_waits_for_what_comes_after_a_position,
    an_inbox_is_read_in_pages,
    positions_of_feeds_and_inboxes_are_the_same,
    acking_twice_writes_once,
    what_cannot_be_acked_is_refused,
    a_name_that_nobody_has_is_unreachable,
    a_message_that_is_addressed_to_nobody_has_no_receipts,
    what_the_backbone_says_of_a_claim_is_owed_too,
    who_was_heard_of_is_told_last_seen_first,
    who_is_there_comes_with_what_they_have,
    whoever_was_not_heard_of_for_a_day_is_not_there,
    an_agent_can_know_what_it_may_do,
    who_speaks_must_be_somebody,
]
