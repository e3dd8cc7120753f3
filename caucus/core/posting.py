"""Messages join a log: posts here, and for the claims that are granted."""

from __future__ import annotations

from caucus.core.core import Core
from caucus.model.drafts import Draft, drafted, stamp
from caucus.model.events import Grant, Holding, Instant, Moved, RequestKey, Said, Stepped
from caucus.model.messages import MessageFields
from caucus.model.records import Appended, Identity
from caucus.rules.channel import Channel
from caucus.rules.claims.ledger import LONGEST_LEASE
from caucus.rules.seatbelts import post_digest


def append(
    core: Core, request: RequestKey | None, now: float, channel: str, message: MessageFields
) -> Appended:
    room = core.channel(channel)
    draft = drafted(message, claim=False)
    cursor = room.next_cursor()
    agent_id = draft.agent_id or ""  # `drafted` has seen to it that it is there
    check_pace(core, room, agent_id, now)
    post = post_digest(draft.type, draft.body)
    room.duplicates.check(agent_id, post, now)
    when = core.clock.instant(now)
    message_json = stamp(draft, core.stamps.next(when.wall))
    core.record(Stepped(when, (Said(room.name, message_json, agent_id, post),), (), request), now)
    return Appended(message_json, cursor)


def check_pace(core: Core, room: Channel, agent_id: str, now: float) -> None:
    """Raises `RateLimited` if the agent has posted too much here, or over all channels."""
    room.posts.check(agent_id, now)
    core.state.posts.check(agent_id, now)


def transition(
    core: Core, room: Channel, draft: Draft, when: Instant, key: str, to: Identity | None
) -> tuple[Said, Moved]:
    """A claim's message, stamped, which charges its author, and what it says of a target.

    That is that ``to`` holds it, or with ``None`` nobody does.
    """
    ts = core.stamps.next(when.wall)
    said = Said(room.name, stamp(draft, ts), draft.agent_id or "")
    if to is None:
        return said, Moved(room.name, key, None, "freed")
    lease_ttl = None if draft.lease_ttl is None else min(draft.lease_ttl, LONGEST_LEASE)
    grant = Grant(Holding(to.agent_id, to.owner, ts, draft.msg_id), lease_ttl)
    return said, Moved(room.name, key, grant, "granted")
