"""Lease claims: taken, waited for in line, or lost."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nsmallest
from typing import Final

from caucus.core import posting
from caucus.core.core import Core
from caucus.core.listing import shown_plain
from caucus.errors import ClaimLimit, Deadlock
from caucus.model.claims import Claim, Conflicting, Taken, TakeResult
from caucus.model.events import Author, Moved, RequestKey, Terms
from caucus.model.problems import identity_problems, refusal
from caucus.model.records import Identity
from caucus.model.targets import read_targets
from caucus.model.wanted import Wanted, read_wanted
from caucus.rules.channel import Channel
from caucus.rules.claims.board import Standing

MOST_SHOWN: Final = 32
"""So many conflicts at most are shown."""


def take_claim(
    core: Core, request: RequestKey | None, now: float, channel: str, wanted: object, by: Identity
) -> TakeResult:
    room = core.channel(channel)
    asked = read_wanted(wanted)
    agent = author_of(by)
    claims = core.state.claims
    standing = Standing(
        claims.numbers.next(core.clock.wall()),
        room.name,
        read_targets(asked.targets),
        agent,
        is_held=False,
        is_shared=asked.mode == "shared",
    )
    claims.put_on_board(room)
    front = claims.board.conflicts(standing)
    victims = _victims(core, standing, front) if front and asked.takeover else []
    mine = claims.leases.same(standing)
    if mine is not None and (mine.is_held or not victims):
        return Taken("already_yours", claims.seen.shown(mine, now))
    posting.check_pace(core, room, agent.agent_id, now)
    waits = bool(front) and not victims
    if waits and not asked.wait:
        return _lost(core, room, front, now)
    circle = claims.board.circle(standing, front) if waits else []
    if circle:
        raise Deadlock(tuple(circle[1:]))
    _require_room(core, room, standing, victims, waits=waits)
    return _open(core, request, now, room, standing, asked, victims, waits=waits)


def author_of(by: Identity) -> Author:
    """Who speaks. Raises `InvalidMessage` for one that no token could stand for."""
    problems = identity_problems(getattr(by, "agent_id", None), getattr(by, "owner", None))
    if problems:
        raise refusal(problems)
    return Author(by.agent_id, by.owner)


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
    ended = [one for one in map(leases.get, (victim.claim for victim in victims)) if one is not None]
    if len(leases.numbers_in(room.name)) - len(ended) >= limits.max_claims_per_channel:
        raise ClaimLimit("channel", limits.max_claims_per_channel)
    own = sum(one.agent == standing.agent for one in ended)
    if leases.count_of(standing.agent) - own >= limits.max_claims_per_agent:
        raise ClaimLimit("agent", limits.max_claims_per_agent)
    if waits and leases.waiting_in(room.name) >= limits.max_waiting_claims_per_channel:
        raise ClaimLimit("waiting", limits.max_waiting_claims_per_channel)
    if not waits:
        room.next_cursor()


def _open(
    core: Core,
    request: RequestKey | None,
    now: float,
    room: Channel,
    standing: Standing,
    asked: Wanted,
    victims: Sequence[Standing],
    *,
    waits: bool,
) -> Taken:
    """There is a claim now: granted, or in line."""
    agent, name = standing.agent, room.name
    with core.new_step(now) as step:
        for victim in victims:
            body = f"taken over by {agent.agent_id}."
            held = room.ledger.find(victim.claim)
            if held is None:
                step.end(victim, "taken_over", agent, body)
            else:
                gone = Moved(name, held[0], None, "taken_over")
                step.end_plain(room, held[0], held[1], agent, body, gone)
        claim = step.number()
        terms = Terms(
            asked.targets,
            asked.note,
            asked.msg_id,
            step.stamp(),
            asked.lease_ttl,
            asked.mode == "shared",
            asked.renewal == "explicit",
            asked.thread,
            asked.artifact,
        )
        step.open(claim, name, agent, terms, is_charged=waits)
        if not waits:
            step.grant(claim, name, agent, at_once=True)
        if victims:
            step.inherit(Standing(claim, name, standing.targets, agent, True, standing.is_shared))
            step.settle()
    core.record(step.event(request), now)
    claims = core.state.claims
    lease = claims.leases.get(claim)
    if lease is None:
        raise AssertionError("a claim that was opened is there")
    return Taken("queued" if waits else "granted", claims.seen.shown(lease, now))
