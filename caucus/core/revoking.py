"""Claims of either kind that somebody else ends, with a reason."""

from __future__ import annotations

from caucus.core.core import Core
from caucus.core.speaking import speaker
from caucus.core.step import ITSELF
from caucus.errors import Forbidden, UnknownClaim
from caucus.model.events import Moved, RequestKey
from caucus.model.records import CAUCUS, Identity, Released
from caucus.model.wanted import REVOKING, checked
from caucus.rules.channel import Channel


def revoke_claim(
    core: Core, request: RequestKey | None, now: float, channel: str, claim: int, reason: str, by: Identity
) -> Released:
    room = core.channel(channel)
    checked({"reason": reason}, REVOKING, ("reason",))
    agent = ITSELF if by == CAUCUS else speaker(core, by, now)
    lease = core.state.claims.leases.get(claim)
    with core.new_step(now) as step:
        if lease is not None and lease.channel == room.name:
            _require_right(room, lease.agent.owner, by)
            step.end(step.standing(claim), "revoked", agent, reason, charged=True)
        else:
            found = room.ledger.find(claim)
            if found is None:
                raise UnknownClaim
            target, held = found
            _require_right(room, held.grant.holder.owner, by)
            gone = Moved(room.name, target, None, "revoked")
            step.end_plain(room, target, held, agent, reason, gone)
        step.settle()
    core.record(step.event(request), now)
    return Released()


def _require_right(room: Channel, owner: str, by: Identity) -> None:
    """Raises `Forbidden` unless it is somebody of the holder's owner, or the channel's, or an admin."""
    if by != CAUCUS and by.owner not in (owner, room.fields.created_by):
        raise Forbidden
