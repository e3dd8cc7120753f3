"""Lease claims that are handed over: offered, and accepted or declined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from caucus.core import posting
from caucus.core.core import Core
from caucus.core.holding import lease_of, own_lease, shown_now
from caucus.core.speaking import speaker
from caucus.errors import ClaimLimit, Forbidden
from caucus.model.claims import Claim
from caucus.model.drafts import Draft
from caucus.model.events import Author, ClaimOffered, OfferEnded, RequestKey
from caucus.model.fields import as_integer
from caucus.model.messages import new_msg_id
from caucus.model.records import Identity
from caucus.model.targets import joined
from caucus.model.wanted import ANSWERING, OFFER_SECONDS, OFFERING, checked
from caucus.rules.channel import Channel
from caucus.rules.claims.handover import Offer
from caucus.rules.claims.leased import Lease


def offer_claim(
    core: Core,
    request: RequestKey | None,
    now: float,
    channel: str,
    claim: int,
    by: Identity,
    given: Mapping[str, object],
) -> Claim:
    room = core.channel(channel)
    fields = checked(given, OFFERING, ("to",))
    agent = speaker(core, by, now)
    posting.check_pace(core, room, agent.agent_id, now)
    lease = own_lease(core, room, claim, agent)
    if not lease.is_held:
        raise Forbidden
    room.next_cursor()
    to = cast("Mapping[str, str | None]", fields["to"])
    agent_id, owner = to.get("agent_id") or "", str(to["owner"])
    text = joined(lease.terms.targets, claim)
    draft = Draft(
        type="note",
        agent_id=agent.agent_id,
        owner=agent.owner,
        msg_id=new_msg_id(),
        body=str(fields.get("note") or f"I offer you claim #{claim}, on {text}: accept or decline it."),
        to=(agent_id or owner,),
        status="needs-response",
    )
    seconds = as_integer(fields.get("expires_in")) or OFFER_SECONDS
    with core.new_step(now) as step:
        step.say(room.name, draft, charged=True)
        step.changed.append(ClaimOffered(claim, room.name, agent_id, owner, seconds, draft.msg_id))
    core.record(step.event(request), now)
    return shown_now(core, claim, now)


def accept_claim(
    core: Core,
    request: RequestKey | None,
    now: float,
    channel: str,
    claim: int,
    by: Identity,
    given: Mapping[str, object],
) -> Claim:
    room = core.channel(channel)
    fields = checked(given, ANSWERING)
    agent = speaker(core, by, now)
    posting.check_pace(core, room, agent.agent_id, now)
    lease, _offer = _offered(core, room, claim, agent)
    most = core.limits.max_claims_per_agent
    if lease.agent != agent and core.state.claims.leases.count_of(agent) >= most:
        raise ClaimLimit("agent", most)
    room.next_cursor()
    with core.new_step(now) as step:
        step.pass_on(step.standing(claim), agent, str(fields.get("note") or lease.terms.note))
        step.settle()
    core.record(step.event(request), now)
    return shown_now(core, claim, now)


def decline_claim(
    core: Core,
    request: RequestKey | None,
    now: float,
    channel: str,
    claim: int,
    by: Identity,
    given: Mapping[str, object],
) -> Claim:
    room = core.channel(channel)
    fields = checked(given, ANSWERING)
    agent = speaker(core, by, now)
    lease, offer = _offered(core, room, claim, agent)
    draft = Draft(
        type="answer",
        agent_id=agent.agent_id,
        owner=agent.owner,
        msg_id=new_msg_id(),
        body=str(fields.get("note") or "declined"),
        reply_to=offer.msg_id,
        to=(lease.agent.agent_id,),
    )
    with core.new_step(now) as step:
        step.say(room.name, draft, charged=True)
        step.changed.append(OfferEnded(claim, room.name, is_declined=True))
    core.record(step.event(request), now)
    return shown_now(core, claim, now)


def _offered(core: Core, room: Channel, claim: int, agent: Author) -> tuple[Lease, Offer]:
    """A claim that is offered to an agent. Raises as `lease_of`, or `Forbidden`."""
    lease = lease_of(core, room, claim)
    if lease.offer is None or not lease.offer.is_for(agent):
        raise Forbidden
    return lease, lease.offer
