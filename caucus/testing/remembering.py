"""Cases: how far each session of an agent was told what is new."""

from __future__ import annotations

from typing import cast

from caucus.interfaces import IFeed, ISessions
from caucus.model.records import Identity
from caucus.testing.kit import Agent, Kit, same


async def _known(agent: Agent, session: str, channel: str = "room", by: Identity | None = None) -> str | None:
    """Up to where a session of an agent was told, or of another agent, as the provider of this one has it."""
    known = ISessions(agent.backbone).told_up_to(by or agent.identity, session, channel)
    return cast("str | None", await agent.wait(known))


async def _tell(agent: Agent, session: str, channel: str = "room") -> str:
    """Note that a session was told all there is; the position."""
    since = str((await agent.wait(IFeed(agent.backbone).read_feed([channel]))).since)
    await agent.wait(ISessions(agent.backbone).note_told(agent.identity, session, channel, since))
    return since


async def each_session_is_told_for_itself(kit: Kit) -> None:
    await kit.open_room()
    if not ISessions.providedBy(kit.alice.backbone):
        return
    await kit.bob.create("ops")
    same(await _known(kit.alice, "one"), None)
    since = await _tell(kit.alice, "one")
    same(await _known(kit.alice, "one"), since)
    same(await _known(kit.bob, "one", by=kit.alice.identity), since)
    same(await _known(kit.alice, "two"), None)
    same(await _known(kit.alice, "one", "ops"), None)
    same(await _known(kit.bob, "one"), None)


async def what_a_session_was_told_never_goes_back(kit: Kit) -> None:
    await kit.open_room()
    if not ISessions.providedBy(kit.alice.backbone):
        return
    first = await _tell(kit.alice, "one")
    await kit.bob.post("news")
    then = await _tell(kit.alice, "one")
    for since in (first, "nonsense", "another@7"):
        sessions = ISessions(kit.alice.backbone)
        await kit.alice.wait(sessions.note_told(kit.alice.identity, "one", "room", since))
        same(await _known(kit.alice, "one"), then)


CASES = (
    each_session_is_told_for_itself,
    what_a_session_was_told_never_goes_back,
)
