"""Lease claims: held by an agent or waiting, and for how long. Pure: time comes in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from math import inf
from typing import Final, assert_never

from msgspec.structs import replace

from caucus.model.claims import Addressee, Claim, seconds_left
from caucus.model.events import (
    Author,
    Change,
    ClaimEnded,
    ClaimExtended,
    ClaimGranted,
    ClaimOffered,
    ClaimOpened,
    ClaimPassed,
    ClaimRenewed,
    OfferEnded,
    Record,
    Terms,
)
from caucus.model.targets import read_targets
from caucus.rules.claims.board import Board, Standing
from caucus.rules.claims.handover import Offer, offered

SIGNS: Final = 4
"""A sign of life is recorded when the last one is this part of the agent's shortest lease old."""


class Lease(Record, frozen=True):
    """A lease claim, as it stands.

    ``since`` is when its agent asked for it, renewed it or was given it; it does not lapse before
    ``floor``. ``fence``, ``ts`` and ``cursor`` are of its last grant: 0 and empty while it waits.
    ``extended`` is when a restart gave it more.
    """

    claim: int
    channel: str
    agent: Author
    terms: Terms
    since: float
    floor: float
    fence: int = 0
    ts: str = ""
    cursor: int = 0
    offer: Offer | None = None
    extended: float | None = None

    @property
    def is_held(self) -> bool:
        """Whether it is held; else it waits."""
        return self.fence > 0

    def standing(self, before: Standing | None = None) -> Standing:
        """As others see it that want the same; ``before`` is how they did until now."""
        terms = self.terms
        targets = read_targets(terms.targets) if before is None else before.targets
        return Standing(self.claim, self.channel, targets, self.agent, self.is_held, terms.is_shared)

    def shown(self, ends: float, ahead: int, now: float) -> Claim:
        """As it is shown ``now``; ``ahead`` is how many claims stand in front of it."""
        terms, agent, held = self.terms, self.agent, self.is_held
        offer = None if self.offer is None or self.offer.ends <= now else self.offer
        return Claim(
            claim=self.claim,
            kind="lease",
            state="held" if held else "waiting",
            fence=self.fence if held else None,
            targets=terms.targets,
            mode="shared" if terms.is_shared else "exclusive",
            agent_id=agent.agent_id,
            owner=agent.owner,
            note=terms.note,
            ts=self.ts if held else None,
            msg_id=terms.msg_id,
            cursor=self.cursor or None,
            lease_ttl=terms.lease_ttl,
            expires_in=seconds_left(ends, now) if held else None,
            renewal="explicit" if terms.is_explicit else "activity",
            offered_to=None if offer is None else Addressee(offer.owner, offer.agent_id or None),
            ahead=0 if held else ahead,
        )


class LeasesDump(Record, frozen=True):
    """What `LeaseClaims` dump: the claims, and when each agent was last heard of."""

    leases: list[Lease]
    heard: list[tuple[Author, float]]


class LeaseClaims:
    """The lease claims of all channels.

    :param moved: is told when one ends now that ended at another time: its number, and both instants.
    """

    def __init__(self, board: Board, moved: Callable[[int, float | None, float | None], None]) -> None:
        self.board = board
        self._moved = moved
        self.by_number: dict[int, Lease] = {}
        """The claims, by their numbers."""
        self._agents: dict[Author, _Agent] = {}
        self._channels: dict[str, dict[int, None]] = {}
        self._waiting: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.by_number)

    def __iter__(self) -> Iterator[Lease]:
        return iter(self.by_number.values())

    def dump(self) -> LeasesDump:
        """The claims as they stand, for `load`."""
        heard = [(agent, known.heard) for agent, known in self._agents.items()]
        heard.sort(key=lambda one: (one[0].agent_id, one[0].owner))
        return LeasesDump(list(self.by_number.values()), heard)

    def load(self, dumped: LeasesDump) -> None:
        """Be as these were; so far there are none."""
        for lease in dumped.leases:
            self._put(lease)
        for agent, at in dumped.heard:
            self._agents[agent].heard = at

    def get(self, claim: int) -> Lease | None:
        """The claim with this number."""
        return self.by_number.get(claim)

    def of(self, agent: Author) -> list[Lease]:
        """An agent's claims, over all channels."""
        known = self._agents.get(agent)
        return [] if known is None else [self.by_number[claim] for claim in known.claims]

    def same(self, standing: Standing) -> Lease | None:
        """The agent's claim there on the same targets in the same mode, if it has one."""
        known = self._agents.get(standing.agent)
        if known is None:
            return None
        own = known.claims
        there = [*self.board.named(standing.channel, standing.targets[0])]
        beside = (one for one in there if one.agent == standing.agent)
        for other in beside if len(there) < len(own) else filter(None, map(self.board.get, own)):
            if (
                other.claim in self.by_number
                and (other.channel, other.is_shared) == (standing.channel, standing.is_shared)
                and set(other.targets) == set(standing.targets)
            ):
                return self.by_number[other.claim]
        return None

    def count_of(self, agent: Author) -> int:
        """How many claims an agent has, over all channels."""
        known = self._agents.get(agent)
        return 0 if known is None else len(known.claims)

    def count_in(self, channel: str) -> int:
        """How many claims there are in a channel."""
        return len(self._channels.get(channel, ()))

    def numbers_in(self, channel: str) -> Collection[int]:
        """The numbers of a channel's claims."""
        return self._channels.get(channel, {}).keys()

    def waiting_in(self, channel: str) -> int:
        """How many of a channel's claims wait."""
        return self._waiting.get(channel, 0)

    @property
    def waiting(self) -> int:
        """How many claims wait, over all channels."""
        return sum(self._waiting.values())

    def heard(self, lease: Lease, last: float | None = None) -> float:
        """When there was the last sign of life that counts for a claim, if its agent's was the ``last``."""
        since = lease.since
        if lease.terms.is_explicit:
            return since
        if last is None:
            known = self._agents.get(lease.agent)
            last = since if known is None else known.heard
        return max(since, last)

    def ends(self, lease: Lease, last: float | None = None) -> float:
        """When a claim lapses, as things stand, or if the ``last`` sign of life of its agent was then."""
        return max(lease.floor, self.heard(lease, last) + float(lease.terms.lease_ttl))

    def due(self, claim: int) -> float | None:
        """When something becomes of a claim by itself: it lapses, or its offer ends."""
        lease = self.by_number.get(claim)
        if lease is None:
            return None
        ends = self.ends(lease)
        return ends if lease.offer is None else min(ends, lease.offer.ends)

    def lacks_sign(self, agent: Author, now: float) -> bool:
        """Whether a sign of life of an agent is to be recorded, if there is one ``now``."""
        known = self._agents.get(agent)
        if known is None:
            return False
        if known.shortest is None:
            leases = (one.terms for one in self.of(agent))
            known.shortest = min((one.lease_ttl for one in leases if not one.is_explicit), default=inf)
        return now >= known.heard + known.shortest / SIGNS

    def not_extended(self, down: float, until: float) -> list[Lease]:
        """What was live at ``down``, lapses before ``until``, and was not extended since a sign of life."""
        return [
            lease
            for lease in self.by_number.values()
            if down < self.ends(lease) < until
            and (lease.extended is None or lease.extended < self.heard(lease))
        ]

    def live(self, agent: Author, at: float) -> float | None:
        """There is a sign of life of an agent; gives when the last one was, for `unlive`."""
        known = self._agents.get(agent)
        if known is None:
            return None
        before, known.heard = known.heard, at
        return before

    def unlive(self, agent: Author, before: float) -> None:
        """Undo `live`."""
        known = self._agents[agent]
        with self._moving(known.claims):
            known.heard = before

    def apply(self, change: Change, at: float) -> None:
        """Something becomes of a claim."""
        claim = change.claim
        before = self.by_number.get(claim)
        if isinstance(change, ClaimOpened):
            ts = change.terms.ts if change.fence else ""
            place = (change.fence, ts, change.cursor)
            self._put(Lease(claim, change.channel, change.agent, change.terms, at, at, *place))
            self._moved(claim, None, at + float(change.terms.lease_ttl))
        elif before is not None:
            with self._moving((claim,)):
                after = _changed(before, change, at)
                if after is None:
                    self._remove(before)
                else:
                    self._put(after)

    def restore(self, claim: int, before: Lease | None, heard: Iterable[tuple[Author, float | None]]) -> None:
        """Undo what was applied: the claim is as it was, and its agents were heard of as they were."""
        now = self.by_number.get(claim)
        with self._moving((claim,)):
            if before is not None:
                self._put(before)
            elif now is not None:
                self._remove(now)
            for agent, at in heard:
                known = self._agents.get(agent)
                if known is not None and at is not None:
                    known.heard = at

    def heard_of(self, *agents: Author) -> tuple[tuple[Author, float | None], ...]:
        """When there were signs of life of agents, for `restore`."""
        known = ((agent, self._agents.get(agent)) for agent in agents)
        return tuple((agent, None if one is None else one.heard) for agent, one in known)

    @contextmanager
    def _moving(self, claims: Iterable[int]) -> Iterator[None]:
        """Tells of claims that end at another time after what is done within."""
        before = [(claim, self.due(claim)) for claim in claims]
        yield
        for claim, was in before:
            due = self.due(claim)
            if due != was:
                self._moved(claim, was, due)

    def _put(self, lease: Lease) -> None:
        claim, agent = lease.claim, lease.agent
        before = self.by_number.get(claim)
        if before is None:
            self._channels.setdefault(lease.channel, {})[claim] = None
        else:
            self._forget(before, agent)
        self.by_number[claim] = lease
        known = self._agents.get(agent)
        if known is None:
            known = self._agents[agent] = _Agent(lease.since)
        known.claims[claim] = None
        if known.shortest is not None and not lease.terms.is_explicit:
            known.shortest = min(known.shortest, lease.terms.lease_ttl)
        if not lease.fence:
            self._waiting[lease.channel] = self.waiting_in(lease.channel) + 1
        self.board.put(lease.standing(None if before is None else self.board.get(claim)))

    def _remove(self, lease: Lease) -> None:
        claim, channel = lease.claim, lease.channel
        del self.by_number[claim]
        self._forget(lease, None)
        there = self._channels[channel]
        del there[claim]
        if not there:
            del self._channels[channel]
        self.board.remove(claim)

    def _forget(self, lease: Lease, heir: Author | None) -> None:
        """A claim is not as it was, and its agent's only if that is its ``heir``."""
        agent, channel = lease.agent, lease.channel
        if not lease.fence:
            self._waiting[channel] -= 1
            if not self._waiting[channel]:
                del self._waiting[channel]
        known = self._agents[agent]
        if known.shortest == lease.terms.lease_ttl:
            known.shortest = None  # to be looked for anew
        if agent != heir:
            del known.claims[lease.claim]
            if not known.claims:
                del self._agents[agent]


class _Agent:
    """An agent that has claims: which, when it was last heard of, and its shortest lease that lives by that.

    The last is ``None`` until it is looked for.
    """

    __slots__ = ("claims", "heard", "shortest")

    def __init__(self, heard: float) -> None:
        self.claims: dict[int, None] = {}
        self.heard = heard
        self.shortest: float | None = None


def _changed(lease: Lease, change: Change, at: float) -> Lease | None:
    """What becomes of a claim that is there; ``None`` if it is gone."""
    after: Lease | None = lease
    match change:
        case ClaimGranted(fence=fence, ts=ts, cursor=cursor, seconds=seconds):
            floor = max(lease.floor, at + seconds)
            after = replace(lease, fence=fence, ts=ts, cursor=cursor, floor=floor)
        case ClaimPassed(agent=agent, fence=fence, note=note, msg_id=msg_id, ts=ts, cursor=cursor):
            terms = replace(lease.terms, note=note, msg_id=msg_id)
            after = Lease(lease.claim, lease.channel, agent, terms, at, at, fence, ts, cursor)
        case ClaimEnded():
            after = None
        case ClaimRenewed(lease_ttl=lease_ttl):
            after = replace(lease, terms=replace(lease.terms, lease_ttl=lease_ttl), since=at)
        case ClaimOffered():
            after = replace(lease, offer=offered(change, at))
        case OfferEnded():
            after = replace(lease, offer=None)
        case ClaimExtended(seconds=seconds):
            after = replace(lease, floor=max(lease.floor, at + seconds), extended=at)
        case ClaimOpened():
            pass
        case _:
            assert_never(change)
    return after
