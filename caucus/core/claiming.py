"""Claims: taken, given to somebody, given free. Check and write are one step."""

from __future__ import annotations

from caucus.core import posting
from caucus.core.core import Core
from caucus.errors import InvalidRequest
from caucus.model.drafts import Draft, drafted
from caucus.model.events import RequestKey, Stepped
from caucus.model.messages import MessageFields, fields_of, target_key
from caucus.model.problems import identity_problems, refusal
from caucus.model.records import AlreadyClaimed, ClaimResult, Granted, Holder, Identity, NotHeld
from caucus.rules.channel import Channel


def claim(
    core: Core, request: RequestKey | None, now: float, channel: str, message: MessageFields
) -> ClaimResult:
    room, draft, key, author = _checked(core, now, channel, message)
    lost = room.ledger.may_claim(key, author.owner, now, heartbeat=draft.heartbeat is True)
    if lost is None and room.is_on_board:
        lost = _lost_to_lease(core, room, key)
    return lost or _grant(core, request, room, draft, key, now, author)


def reassign_claim(
    core: Core,
    request: RequestKey | None,
    now: float,
    channel: str,
    message: MessageFields,
    assignee: Identity,
) -> ClaimResult:
    parts = (getattr(assignee, "agent_id", None), getattr(assignee, "owner", None))
    if not all(isinstance(part, str) and part for part in parts):
        raise InvalidRequest("The assignee must have an agent_id and an owner, both non-empty strings.")
    room, draft, key, author = _checked(core, now, channel, message, assignee)
    lost = room.ledger.may_reassign(key, author.owner, now) or _lost_to_lease(core, room, key)
    return lost or _grant(core, request, room, draft, key, now, assignee)


def mark_claim_done(
    core: Core, request: RequestKey | None, now: float, channel: str, message: MessageFields
) -> ClaimResult:
    if isinstance(message, Draft):
        message.status = "resolved"
    else:
        message = {**fields_of(message), "status": "resolved"}
    room, draft, key, author = _checked(core, now, channel, message)
    lost = room.ledger.may_finish(key, author.owner, now)
    if lost is None or isinstance(lost, NotHeld):
        lost = _lost_to_lease(core, room, key) or lost
    return lost or _grant(core, request, room, draft, key, now, None)


def _checked(
    core: Core, now: float, channel: str, message: MessageFields, assignee: Identity | None = None
) -> tuple[Channel, Draft, str, Identity]:
    """What every claim operation checks before the ledger."""
    room = core.channel(channel)
    draft = drafted(message, claim=True)
    problems = () if assignee is None else identity_problems(assignee.agent_id, assignee.owner)
    if problems:
        raise refusal(problems, "assignee.")
    # `drafted` has seen to it that they are there.
    author, target = Identity(draft.agent_id or "", draft.owner or ""), draft.target or ""
    posting.check_pace(core, room, author.agent_id, now)
    return room, draft, target_key(target), author


def _grant(
    core: Core,
    request: RequestKey | None,
    room: Channel,
    draft: Draft,
    key: str,
    now: float,
    to: Identity | None,
) -> Granted:
    """Append a granted transition: ``to`` holds the target, or with ``None`` nobody does."""
    cursor = room.next_cursor()
    if not room.is_on_board:
        when = core.clock.instant(now)
        said, moved = posting.transition(core, room, draft, when, key, to)
        core.record(Stepped(when, (said,), (moved,), request), now)
        return Granted(said.message_json, cursor)
    with core.new_step(now) as step:
        said, moved = posting.transition(core, room, draft, step.when, key, to)
        step.move(room, said, moved)
        step.settle()
    core.record(step.event(request), now)
    return Granted(said.message_json, cursor)


def _lost_to_lease(core: Core, room: Channel, key: str) -> AlreadyClaimed | None:
    """A target that nobody holds plainly is lost to the lease claim that covers it, or waits for it."""
    if not room.is_on_board or room.ledger.entry(key) is not None:
        return None
    lease = core.state.claims.lease_on(room, key)
    if lease is None:
        return None
    by = lease.agent
    return AlreadyClaimed(Holder(by.agent_id, by.owner, lease.ts or lease.terms.ts, lease.terms.msg_id))
