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
    return Appended(add(core, request, room, draft, now, post), cursor)


def check_pace(core: Core, room: Channel, agent_id: str, now: float) -> None:
    """Raises `RateLimited` if the agent has posted too much here, or over all channels."""
    room.posts.check(agent_id, now)
    core.state.posts.check(agent_id, now)


def add(
    core: Core,
    request: RequestKey | None,
    room: Channel,
    draft: Draft,
    now: float,
    post: int = 0,
    given: tuple[str, Identity | None] | None = None,
) -> bytes:
    """Stamp and record a message, which charges its author; ``given`` is as in `composed`."""
    when = core.clock.instant(now)
    said, moved = composed(core, room, draft, when, post, given)
    core.record(Stepped(when, (said,), moved, request), now)
    return said.message_json


def composed(
    core: Core,
    room: Channel,
    draft: Draft,
    when: Instant,
    post: int = 0,
    given: tuple[str, Identity | None] | None = None,
) -> tuple[Said, tuple[Moved, ...]]:
    """Stamp a message; ``given`` is a target key and its new holder."""
    ts = core.stamps.next(when.wall)
    said = Said(room.name, stamp(draft, ts), draft.agent_id or "", post)
    if given is None:
        return said, ()
    key, to = given
    if to is None:
        return said, (Moved(room.name, key, None, "freed"),)
    lease_ttl = None if draft.lease_ttl is None else min(draft.lease_ttl, LONGEST_LEASE)
    grant = Grant(Holding(to.agent_id, to.owner, ts, draft.msg_id), lease_ttl)
    return said, (Moved(room.name, key, grant, "granted"),)
