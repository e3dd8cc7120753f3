"""Claims as the docs say them, in a list that is scanned from its front: for tests to compare with."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from copy import deepcopy
from itertools import permutations

from attrs import define, field

from caucus.model.records import Identity

GRACE = 30
OFFER = 600


def parsed(text: str) -> tuple[list[str], bool]:
    """The segments of a target, and whether it is a folder."""
    if text == "**":
        return [], True
    below = text.endswith(("/", "/**"))
    return text.removesuffix("/**").removesuffix("/").split("/"), below


def covers(one: str, two: str) -> bool:
    """Whether a target is the other, or the other lies in it."""
    (a, a_below), (b, b_below) = parsed(one), parsed(two)
    if a == b:
        return a_below or not b_below
    return a_below and b[: len(a)] == a


def overlap(one: str, two: str) -> bool:
    return parsed(one)[0] == parsed(two)[0] or covers(one, two) or covers(two, one)


@define(eq=False)
class MClaim:
    """One claim. ``ends_plainly`` is when a plain one lapses, if it does."""

    number: int
    channel: str
    agent: Identity
    targets: tuple[str, ...]
    is_plain: bool = False
    is_shared: bool = False
    is_explicit: bool = False
    is_held: bool = False
    fence: int = 0
    since: float = 0.0
    floor: float = 0.0
    lease_ttl: float = 0.0
    ends_plainly: float | None = None
    offer: tuple[str | None, str, float] | None = None
    extended: float | None = None

    def conflicts(self, other: MClaim) -> bool:
        if self.channel != other.channel or (self.is_shared and other.is_shared):
            return False
        return any(overlap(one, two) for one in self.targets for two in other.targets)


@define
class Model:
    """All claims, in the order of their numbers, and when each agent was last heard of."""

    now: float
    claims: list[MClaim] = field(factory=list)
    heard: dict[Identity, float] = field(factory=dict)
    last_event: float = 0.0
    ended: list[MClaim] = field(factory=list)
    """The claims that the model ends in this step, for what cannot be foreseen."""

    def ends(self, claim: MClaim) -> float | None:
        if claim.is_plain:
            return claim.ends_plainly
        heard = claim.since if claim.is_explicit else max(claim.since, self.heard[claim.agent])
        return max(claim.floor, heard + claim.lease_ttl)

    def front(self, asked: MClaim) -> list[MClaim]:
        return [
            one
            for one in self.claims
            if one is not asked and one.conflicts(asked) and (one.is_held or one.number < asked.number)
        ]

    def find(self, number: int) -> MClaim | None:
        return next((one for one in self.claims if one.number == number), None)

    def plain(self, channel: str, target: str) -> MClaim | None:
        return next(
            (
                one
                for one in self.claims
                if one.is_plain and (one.channel, one.targets) == (channel, (target,))
            ),
            None,
        )

    def lease_on(self, channel: str, target: str) -> MClaim | None:
        """The lease claim to which a plain operation on a target is lost: which holds it, or waits first."""
        asked = MClaim(0, channel, Identity("", ""), (target,))
        found = [one for one in self.claims if not one.is_plain and one.conflicts(asked)]
        return next((one for one in found if one.is_held), found[0] if found else None)

    def lacks_sign(self, agent: Identity) -> bool:
        its = [one for one in self.claims if one.agent == agent and not one.is_plain]
        leases = [one.lease_ttl for one in its if not one.is_explicit]
        return bool(leases) and self.now >= self.heard[agent] + min(leases) / 4

    def add(self, claim: MClaim) -> None:
        self.claims.append(claim)
        self.claims.sort(key=lambda one: one.number)
        if not claim.is_plain:
            self.heard.setdefault(claim.agent, self.now)
        self.last_event = self.now

    def remove(self, claim: MClaim) -> None:
        self.claims.remove(claim)
        self.ended.append(claim)
        self.last_event = self.now
        self.forget_agents()

    def forget_agents(self) -> None:
        there = {one.agent for one in self.claims if not one.is_plain}
        self.heard = {agent: at for agent, at in self.heard.items() if agent in there}

    def follow(self) -> None:
        """Whoever waits for nothing is granted, in the order of the line."""
        for claim in list(self.claims):
            if not claim.is_held and not self.front(claim):
                claim.is_held, claim.fence = True, -1
                claim.floor = max(claim.floor, self.now + min(claim.lease_ttl, 60))
                self.last_event = self.now

    def carry_out(self) -> None:
        """What is due happens, in the order of its instants, and what follows from each."""
        while True:
            due = [
                (
                    at,
                    kind,
                    claim.channel if claim.is_plain else "",
                    claim.targets if claim.is_plain else (),
                    claim.number,
                )
                for claim in self.claims
                for at, kind in self._ends_of(claim)
                if at <= self.now
            ]
            if not due:
                return
            _at, kind, _, _, number = min(due, key=lambda one: (one[0], *one[2:], one[1]))
            claim = self.find(number)
            assert claim is not None
            if kind == 0:
                claim.offer = None
                self.last_event = self.now
            else:
                self.remove(claim)
            self.follow()

    def _ends_of(self, claim: MClaim) -> Iterator[tuple[float, int]]:
        if claim.offer is not None:
            yield claim.offer[2], 0
        ends = self.ends(claim)
        if ends is not None:
            yield ends, 1

    def restart(self) -> None:
        """A run begins: what was live when the last one was heard of has its grace, once until a sign."""
        down = self.last_event
        for claim in self.claims:
            ends = self.ends(claim)
            if ends is None or not down < ends < self.now + GRACE:
                continue
            if claim.is_plain:
                if claim.extended is None:
                    claim.ends_plainly, claim.extended = self.now + GRACE, self.now
                continue
            heard = claim.since if claim.is_explicit else max(claim.since, self.heard[claim.agent])
            if claim.extended is None or claim.extended < heard:
                claim.floor, claim.extended = max(claim.floor, self.now + GRACE), self.now
        self.last_event = self.now

    def circles(self, agent: Identity) -> list[list[MClaim]]:
        """Every way in which an agent waits for itself: each claim is in front of the one before."""
        found: list[list[MClaim]] = []

        def walk(waiting: MClaim, path: list[MClaim], agents: frozenset[Identity]) -> None:
            for other in self.front(waiting):
                if other.agent == agent:
                    found.append([*path, waiting, other])
                elif other.agent not in agents:
                    for its in self.claims:
                        if its.agent == other.agent and not its.is_held:
                            walk(its, [*path, waiting, other], agents | {other.agent})

        for claim in self.claims:
            if claim.agent == agent and not claim.is_held:
                walk(claim, [], frozenset({agent}))
        return found

    def waits_for_itself(self, asked: MClaim) -> bool:
        """Whether a claim that is not there yet would wait for its own agent."""
        seen, todo = set[Identity](), [one.agent for one in self.front(asked)]
        while todo:
            agent = todo.pop()
            if agent == asked.agent:
                return True
            if agent not in seen:
                seen.add(agent)
                todo += [
                    other.agent
                    for one in self.claims
                    if one.agent == agent and not one.is_held
                    for other in self.front(one)
                ]
        return False

    def break_circles(self, agent: Identity, are_gone: Collection[int]) -> None:
        """Circles through an agent end with their youngest waiting claim; ``are_gone`` are those that did.

        A claim may stand in several circles, so it matters which is broken first: any order will do.
        """
        for order in permutations(are_gone):
            tried = deepcopy(self)
            if tried.has_broken_circles(agent, order):
                self.claims, self.heard, self.ended = tried.claims, tried.heard, tried.ended
                self.last_event = tried.last_event
                return
        raise AssertionError(f"{sorted(are_gone)} are not what breaks the circles of {agent.agent_id}")

    def has_broken_circles(self, agent: Identity, order: Sequence[int]) -> bool:
        """Whether all circles are broken by these, one after the other, each of them the youngest in one."""
        for number in order:
            circles = self.circles(agent)
            youngest = {max(one.number for one in each if not one.is_held) for each in circles}
            claim = self.find(number)
            if number not in youngest or claim is None:
                return False
            self.remove(claim)
            self.follow()
        return not self.circles(agent)

    def victims(self, asked: MClaim) -> list[MClaim]:
        """Whose places a take-over takes; none if something else stands in front of it."""
        front = self.front(asked)
        mine = [one for one in front if one.agent.owner == asked.agent.owner]
        others = [one for one in front if one not in mine]
        if any(one.is_held or not self._is_behind(one, asked, mine) for one in others):
            return []
        return mine

    def _is_behind(self, other: MClaim, asked: MClaim, places: Sequence[MClaim]) -> bool:
        for one in asked.targets:
            for two in other.targets:
                if overlap(one, two):
                    deeper = two if covers(one, two) else one
                    if not any(
                        (place.is_held or place.number < other.number)
                        and place.conflicts(other)
                        and any(covers(target, deeper) for target in place.targets)
                        for place in places
                    ):
                        return False
        return True
