"""Claims that somebody else ends, with a reason."""

from __future__ import annotations

from caucus.core.core import Core
from caucus.core.listing import noted
from caucus.errors import Forbidden, UnknownClaim
from caucus.model.drafts import drafted, stamp
from caucus.model.events import Moved, RequestKey, Said, Stepped
from caucus.model.fields import BODY_TEXT
from caucus.model.messages import new_msg_id
from caucus.model.problems import length_problem, refusal
from caucus.model.records import CAUCUS, Identity, Released
from caucus.model.validation import body_problem
from caucus.rules.channel import Channel
from caucus.rules.claims.ledger import Held


def revoke_claim(
    core: Core, request: RequestKey | None, now: float, channel: str, claim: int, reason: str, by: Identity
) -> Released:
    room = core.channel(channel)
    problem = body_problem("reason", reason) or length_problem("reason", reason, BODY_TEXT)
    if problem is not None:
        raise refusal([problem])
    found = room.ledger.find(claim)
    if found is None:
        raise UnknownClaim
    target, held = found
    if by != CAUCUS and by.owner not in (held.grant.holder.owner, room.fields.created_by):
        raise Forbidden
    when = core.clock.instant(now)
    said = _told(core, room, held, reason, by, when.wall) if room.has_room_to_tell() else ()
    core.record(Stepped(when, said, (Moved(room.name, target, None, "revoked"),), request), now)
    return Released()


def _told(core: Core, room: Channel, held: Held, reason: str, by: Identity, wall: float) -> tuple[Said, ...]:
    """The message by which boards see that it has ended. It charges who asked for it, and is not paced."""
    draft = drafted(
        {
            "type": "claim",
            "agent_id": by.agent_id,
            "owner": by.owner,
            "msg_id": new_msg_id(),
            "body": reason,
            "to": [held.grant.holder.agent_id],
            "status": "resolved",
            "target": noted(room, held).target,
        },
        claim=True,
    )
    author = "" if by == CAUCUS else by.agent_id
    return (Said(room.name, stamp(draft, core.stamps.next(wall)), author),)
