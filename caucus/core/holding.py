"""Lease claims that somebody has: renewed and given back."""

from __future__ import annotations

from collections.abc import Mapping

from caucus.core.core import Core
from caucus.core.speaking import speaker
from caucus.errors import Forbidden, PlainClaim, UnknownClaim
from caucus.model.claims import Claim
from caucus.model.events import Author, ClaimRenewed, ClaimsChanged, RequestKey
from caucus.model.fields import as_integer
from caucus.model.records import Identity, Released
from caucus.model.wanted import RELEASING, RENEWING, checked
from caucus.rules.channel import Channel
from caucus.rules.claims.leased import Lease


def renew_claim(
    core: Core,
    request: RequestKey | None,
    now: float,
    channel: str,
    claim: int,
    by: Identity,
    given: Mapping[str, object],
) -> Claim:
    room = core.channel(channel)
    fields = checked(given, RENEWING)
    lease = own_lease(core, room, claim, speaker(core, by, now))
    lease_ttl = as_integer(fields.get("lease_ttl")) or lease.terms.lease_ttl
    renewed = ClaimRenewed(claim, room.name, lease_ttl)
    core.record(ClaimsChanged(core.clock.instant(now), changed=(renewed,), request=request), now)
    return shown_now(core, claim, now)


def release_claim(
    core: Core,
    request: RequestKey | None,
    now: float,
    channel: str,
    claim: int,
    by: Identity,
    given: Mapping[str, object],
) -> Released:
    room = core.channel(channel)
    fields = checked(given, RELEASING)
    agent = speaker(core, by, now)
    own_lease(core, room, claim, agent)
    is_done = fields.get("done") is not False
    body = str(fields.get("note") or ("done" if is_done else "released, and not done"))
    with core.new_step(now) as step:
        step.end(step.standing(claim), "done" if is_done else "released", agent, body, charged=True)
        step.settle()
    core.record(step.event(request), now)
    return Released()


def lease_of(core: Core, room: Channel, claim: int) -> Lease:
    """A channel's lease claim. Raises `UnknownClaim`, or `PlainClaim` for one that has none."""
    lease = core.state.claims.leases.get(claim)
    if lease is not None and lease.channel == room.name:
        return lease
    if room.ledger.find(claim) is not None:
        raise PlainClaim
    raise UnknownClaim


def own_lease(core: Core, room: Channel, claim: int, agent: Author) -> Lease:
    """An agent's own. Raises as `lease_of`, or `Forbidden`."""
    lease = lease_of(core, room, claim)
    if lease.agent != agent:
        raise Forbidden
    return lease


def shown_now(core: Core, claim: int, now: float) -> Claim:
    """A lease claim that is there, as it is shown."""
    lease = core.state.claims.leases.get(claim)
    if lease is None:
        raise UnknownClaim
    return core.state.claims.seen.shown(lease, now)
