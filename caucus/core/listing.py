"""Claims that are there: listed, and looked up by their numbers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import ceil
from typing import get_args

from attrs import frozen
from twisted.internet.defer import Deferred

from caucus.core.core import Core
from caucus.core.waiting import wait_for
from caucus.errors import ClaimLost, InvalidRequest, UnknownChannel, UnknownClaim
from caucus.model.claims import Claim, ClaimState
from caucus.model.events import Author, Holding, RequestKey
from caucus.model.targets import Target, read_targets
from caucus.model.wanted import MOST_TARGETS, target_problem
from caucus.rules.channel import Channel
from caucus.rules.claims.ledger import Held
from caucus.rules.noted import noted


def list_claims(
    core: Core,
    channel: str,
    owner: str | None,
    agent_id: str | None,
    state: str | None,
    targets: Sequence[str],
) -> list[Claim]:
    room, now = core.durable_channel(channel), core.clock.now()
    if state is not None and state not in get_args(ClaimState):
        raise InvalidRequest("state must be held or waiting.")
    asked = _asked_for(targets)
    if asked:
        core.state.claims.put_on_board(room)
    found = []
    with core.durable_claims() as seen:
        wanted = _Wanted(owner, agent_id, state, seen.beside(room.name, asked) if asked else None)
        for held in seen.plain(room).values():
            by = held.grant.holder
            if not _is_over(held, now) and wanted.takes(held.claim, by, "held"):
                found.append(shown_plain(room, held, now))
        for lease in seen.leases(room.name):
            is_live = not seen.is_over(lease, now)
            if is_live and wanted.takes(lease.claim, lease.agent, "held" if lease.is_held else "waiting"):
                found.append(seen.shown(lease, now))
    return sorted(found, key=_place)


@frozen
class _Wanted:
    """Which claims are asked for; of those ``beside`` what was named, if anything was."""

    owner: str | None
    agent_id: str | None
    state: str | None
    beside: Collection[int] | None

    def takes(self, claim: int, by: Author | Holding, state: ClaimState) -> bool:
        return (
            self.owner in (None, by.owner)
            and self.agent_id in (None, by.agent_id)
            and self.state in (None, state)
            and (self.beside is None or claim in self.beside)
        )


def get_claim(core: Core, channel: str, claim: int) -> Claim:
    room, now = core.durable_channel(channel), core.clock.now()
    with core.durable_claims() as seen:
        lease = seen.lease(claim)
        if lease is not None and lease.channel == room.name and not seen.is_over(lease, now):
            return seen.shown(lease, now)
        held = seen.plain_one(room, claim)
    if held is None or _is_over(held, now):
        raise UnknownClaim
    return shown_plain(room, held, now)


def wait_for_claim(core: Core, channel: str, claim: int, seconds: float) -> Deferred[Claim]:
    """The claim, once it does not wait any more: how many are in front is of no use to whoever waits."""

    def look(is_last: bool) -> Claim | None:
        return None if not is_last and is_waiting(core, channel, claim) else get_claim(core, channel, claim)

    return wait_for(core, ("claim",), (str(claim),), seconds, look)


def is_waiting(core: Core, channel: str, claim: int) -> bool:
    """Whether a claim is there and waits, by durable events."""
    room, now = core.durable_channel(channel), core.clock.now()
    with core.durable_claims() as seen:
        lease = seen.lease(claim)
        return (
            lease is not None
            and lease.channel == room.name
            and not lease.is_held
            and not seen.is_over(lease, now)
        )


def confirm_claim(
    core: Core, _request: RequestKey | None, now: float, channel: str, claim: int, fence: int
) -> Claim:
    try:
        room = core.channel(channel)
    except UnknownChannel:
        raise ClaimLost from None  # as after a log that was lost: with a fence, nothing is merely unknown
    claims = core.state.claims
    lease = claims.leases.get(claim)
    if lease is not None and lease.is_held and (lease.channel, lease.fence) == (room.name, fence):
        return claims.seen.shown(lease, now)
    found = room.ledger.find(claim)
    held = None if found is None else room.ledger.live(found[0], now)
    if held is None or held.fence != fence:
        raise ClaimLost
    return shown_plain(room, held, now)


def shown_plain(room: Channel, held: Held, now: float) -> Claim:
    """A plain claim, as it is shown ``now``."""
    holder = held.grant.holder
    message = noted(room, held.cursor)
    return Claim(
        claim=held.claim,
        fence=held.fence,
        targets=(message.target,),
        agent_id=holder.agent_id,
        owner=holder.owner,
        note=message.body,
        ts=holder.ts,
        msg_id=holder.msg_id,
        cursor=held.cursor,
        lease_ttl=held.grant.lease_ttl,
        expires_in=None if held.ends is None else max(1, ceil(held.ends - now)),
    )


def _is_over(held: Held, now: float) -> bool:
    """Whether a plain claim has lapsed, though that may not have been recorded yet."""
    return held.ends is not None and now >= held.ends


def _asked_for(texts: Sequence[object]) -> tuple[Target, ...]:
    if len(texts) > MOST_TARGETS:
        raise InvalidRequest(f"At most {MOST_TARGETS} targets can be asked for.")
    for text in texts:
        problem = target_problem("target", text)
        if problem is not None:
            raise InvalidRequest(f"{problem.issue}.")
    return read_targets(tuple(map(str, texts)))


def _place(claim: Claim) -> tuple[bool, int]:
    """Held claims first, in the order of their grants, and then the queue."""
    return claim.state == "waiting", claim.fence or claim.claim
