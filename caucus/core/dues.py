"""What is due happens: leases lapse and offers end, in the order of their instants, with what follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import Final

from msgspec.structs import replace

from caucus.core.step import ITSELF, Step
from caucus.model.events import ClaimsChanged, Moved, OfferEnded, Stepped
from caucus.rules.claims.leased import Lease
from caucus.rules.claims.leases import End
from caucus.rules.state import State

AT_ONCE: Final = 1000
"""So many of these at most are one event."""


def due_steps(state: State, new_step: Callable[[], Step], now: float) -> Iterator[Stepped | ClaimsChanged]:
    """The steps by which what is due ``now`` happens; each is to be recorded before the next is asked for."""
    ends = state.claims.ends
    taken = ends.take(now)
    todo = taken[:]  # in order, and so a heap
    try:
        while todo:
            with new_step() as step:
                for _ in range(AT_ONCE):
                    if not todo:
                        break
                    _end(state, step, heappop(todo), todo)
                    step.settle()
            if step.moved or step.changed:
                yield step.event()
    finally:
        ends.put_back(taken)


def _end(state: State, step: Step, end: End, todo: list[End]) -> None:
    if not end.claim:
        room = state.channels[end.channel]
        held = room.ledger.entry(end.target)
        if held is not None:
            step.free(room, end.target, held, Moved(end.channel, end.target, None, "lapsed"))
        return
    claim, leases = end.claim, state.claims.leases
    lease = leases.get(claim)
    standing = step.board.get(claim)
    if lease is None or standing is None or claim in step.touched:
        return  # what was granted in this step has its time, and else it has ended
    ends = leases.ends(lease)
    if lease.offer is not None and lease.offer.ends == end.at < ends:
        step.changed.append(OfferEnded(claim, lease.channel, is_declined=False))
        if ends <= step.now:
            heappush(todo, replace(end, at=ends))
    elif ends <= step.now:
        step.end(standing, "lapsed", ITSELF, _unheard(lease, step.now - leases.heard(lease)))


def _unheard(lease: Lease, seconds: float) -> str:
    agent_id = lease.agent.agent_id
    if lease.terms.is_explicit:
        return f"lapsed: {agent_id} did not renew it for {span(seconds)}."
    return f"lapsed: nothing was heard of {agent_id} for {span(seconds)}."


def span(seconds: float) -> str:
    """How long that is, for people: in seconds up to two minutes, and then in minutes, or in hours."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"
