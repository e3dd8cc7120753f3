"""Lease claims: taken, waited for in line, or lost."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nsmallest
from typing import Final

from msgspec.structs import replace

from caucus.core import posting
from caucus.core.core import Core
from caucus.core.listing import shown_plain
from caucus.core.speaking import speaker
from caucus.core.step import claimed
from caucus.errors import ClaimLimit, Deadlock
from caucus.model.claims import Claim, Conflicting, Taken, TakeResult
from caucus.model.drafts import stamp
from caucus.model.events import (
    ClaimOpened,
    ClaimsChanged,
    Instant,
    Moved,
    RequestKey,
    Said,
    Stepped,
    Terms,
)
from caucus.model.records import Identity
from caucus.model.targets import read_targets
from caucus.model.wanted import Asked, asked_for
from caucus.rules.channel import Channel
from caucus.rules.claims.board import Standing

MOST_SHOWN: Final = 32
"""So many conflicts at most are shown."""


def take_claim(
    core: Core, request: RequestKey | None, now: float, channel: str, wanted: object, by: Identity
) -> TakeResult:
    room = core.channel(channel)
    asked = asked_for(wanted)
    agent = speaker(core, by, now)
    claims, when, name = core.state.claims, core.clock.instant(now), room.name
    is_shared, targets = asked.mode == "shared", read_targets(asked.targets)
    standing = Standing(claims.numbers.next(when.wall), name, targets, agent, False, is_shared)
    claims.put_on_board(room)
    if claims.board.is_alone(name, targets):
        posting.check_pace(core, room, agent.agent_id, now)
        _require_room(core, room, standing, (), waits=False)
        return _open(core, request, now, when, standing, asked, (), waits=False)
    front = claims.board.conflicts(standing)
    victims = _victims(core, standing, front) if front and asked.takeover else []
    mine = claims.leases.same(standing)
    if mine is not None and (mine.is_held or not victims):
        return Taken("already_yours", claims.seen.shown(mine, now))
    if mine is not None and all(one.claim != mine.claim for one in victims):
        victims.append(mine.standing())  # which shares what it waits for, and so does not conflict
    posting.check_pace(core, room, agent.agent_id, now)
    waits = bool(front) and not victims
    if waits and not asked.wait:
        return _lost(core, room, front, now)
    circle = claims.board.circle(standing) if waits else []
    if circle:
        raise Deadlock(tuple(circle[1:]))
    _require_room(core, room, standing, victims, waits=waits)
    return _open(core, request, now, when, standing, asked, victims, waits=waits)


def _victims(core: Core, standing: Standing, front: Sequence[Standing]) -> list[Standing]:
    """The claims of the same owner whose place it takes: none if something else stands in front of it."""
    victims = [one for one in front if one.agent.owner == standing.agent.owner]
    if core.state.claims.board.in_front_of_places(standing, victims):
        return []
    return victims


def _lost(core: Core, room: Channel, front: Sequence[Standing], now: float) -> Conflicting:
    """What stands in front: what is held, in the order of its grants, and then the queue."""
    seen = core.state.claims.seen

    def place(one: Standing) -> tuple[bool, int]:
        if not one.is_held:
            return True, one.claim
        lease = seen.lease(one.claim)
        return False, room.ledger.claim(one.claim).fence if lease is None else lease.fence

    def shown(one: Standing) -> Claim:
        lease = seen.lease(one.claim)
        return (
            shown_plain(room, room.ledger.claim(one.claim), now) if lease is None else seen.shown(lease, now)
        )

    return Conflicting(tuple(map(shown, nsmallest(MOST_SHOWN, front, key=place))))


def _require_room(
    core: Core, room: Channel, standing: Standing, victims: Sequence[Standing], *, waits: bool
) -> None:
    """Raises `ClaimLimit` if there are too many lease claims, and `ChannelFull` if the log takes no more."""
    limits, leases = core.limits, core.state.claims.leases
    there, own = leases.count_in(room.name), leases.count_of(standing.agent)
    for victim in victims:
        if leases.get(victim.claim) is not None:
            there -= 1
            own -= victim.agent == standing.agent
    if there >= limits.max_claims_per_channel:
        raise ClaimLimit("channel", limits.max_claims_per_channel)
    if own >= limits.max_claims_per_agent:
        raise ClaimLimit("agent", limits.max_claims_per_agent)
    if waits and leases.waiting_in(room.name) >= limits.max_waiting_claims_per_channel:
        raise ClaimLimit("waiting", limits.max_waiting_claims_per_channel)
    if not waits:
        room.next_cursor()


def _open(
    core: Core,
    request: RequestKey | None,
    now: float,
    when: Instant,
    standing: Standing,
    asked: Asked,
    victims: Sequence[Standing],
    *,
    waits: bool,
) -> Taken:
    """There is a claim now: granted, or in line."""
    claims, agent, name = core.state.claims, standing.agent, standing.channel
    if victims:
        claim, event = _taken_over(core, request, now, standing, asked, victims)
    else:
        claim, terms = standing.claim, _terms(asked, core.stamps.next(when.wall))
        if waits:
            event = ClaimsChanged(when, (), (), (ClaimOpened(claim, name, agent, terms),), request)
        else:
            draft = claimed(claim, agent, terms, terms.note, terms.msg_id, terms.ts)
            said = Said(name, stamp(draft, terms.ts), agent.agent_id)
            cursor = core.state.channels[name].length + 1
            opened = ClaimOpened(claim, name, agent, terms, claim, cursor)
            event = ClaimsChanged(when, (said,), (), (opened,), request)
    core.record(event, now)
    lease = claims.leases.get(claim)
    if lease is None:
        raise AssertionError("a claim that was opened is there")
    if lease.is_held:
        return Taken("granted", lease.shown(now + float(asked.lease_ttl), 0, now))
    return Taken("queued", claims.seen.shown(lease, now))


def _terms(asked: Asked, ts: str) -> Terms:
    return Terms(
        asked.targets,
        asked.note,
        asked.msg_id,
        ts,
        asked.lease_ttl,
        asked.mode == "shared",
        asked.renewal == "explicit",
        asked.thread,
        asked.artifact,
    )


def _taken_over(
    core: Core,
    request: RequestKey | None,
    now: float,
    standing: Standing,
    asked: Asked,
    victims: Sequence[Standing],
) -> tuple[int, ClaimsChanged]:
    """The victims end, and the claim is held in their place."""
    agent, name = standing.agent, standing.channel
    room, body = core.state.channels[name], f"taken over by {agent.agent_id}."
    with core.new_step(now) as step:
        for victim in victims:
            held = room.ledger.find(victim.claim)
            if held is None:
                step.end(victim, "taken_over", agent, body)
            else:
                step.end_plain(room, *held, agent, body, Moved(name, held[0], None, "taken_over"))
        claim = step.number()
        step.open(claim, name, agent, _terms(asked, step.stamp()))
        step.inherit(replace(standing, claim=claim, is_held=True))
        step.settle()
    event = step.event(request)
    if isinstance(event, Stepped):
        raise AssertionError("a claim was opened")
    return claim, event
