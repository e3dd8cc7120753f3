"""The board: every claim there is, who stands in front of whom, and whether that runs in a circle. Pure.

A claim waits for what conflicts with it and stands in front: all that is held, and what has waited for
longer. Held claims never conflict. Nothing here decides or tells the time.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager

from caucus.model.events import Author, Record
from caucus.model.targets import Target
from caucus.rules.claims.overlap import Overlap, Place


class Standing(Record, frozen=True):
    """A claim, as others see it that want the same: whose it is, on what, and whether it is held.

    ``claim`` is its id, and its place in line: what came later has a greater one.
    """

    claim: int
    channel: str
    targets: tuple[Target, ...]
    agent: Author
    is_held: bool
    is_shared: bool = False

    def conflicts(self, other: Standing) -> bool:
        """Whether both cannot be held at once."""
        if self.is_shared and other.is_shared:
            return False
        return any(one.overlaps(two) for one in self.targets for two in other.targets)

    def is_in_front(self, other: Standing) -> bool:
        """Whether it comes first, where both cannot be held at once."""
        return self.is_held or self.claim < other.claim


class Board:
    """All claims of all channels, found by id, by what they are on, and by whose they are."""

    def __init__(self) -> None:
        self._claims: dict[int, Standing] = {}
        self._channels: defaultdict[str, Overlap] = defaultdict(Overlap)
        self._queues: defaultdict[str, Overlap] = defaultdict(Overlap)
        self._waiting: dict[Author, dict[int, None]] = {}
        self._trial: list[tuple[int, Standing | None]] | None = None

    @contextmanager
    def trial(self) -> Iterator[None]:
        """Whatever is done to it within is undone at the end: to see what would follow."""
        tried: list[tuple[int, Standing | None]] = []
        self._trial = tried
        try:
            yield
        finally:
            self._trial = None
            for claim, before in reversed(tried):
                if before is None:
                    self.remove(claim)
                else:
                    self.put(before)

    def __contains__(self, claim: int) -> bool:
        return claim in self._claims

    def __len__(self) -> int:
        return len(self._claims)

    def get(self, claim: int) -> Standing | None:
        """The claim with this id."""
        return self._claims.get(claim)

    def put(self, standing: Standing) -> None:
        """A claim is there, or not as it was: it is held now, or somebody else's."""
        before = self._claims.get(standing.claim)
        if self._trial is not None:
            self._trial.append((standing.claim, before))
        if before is None:
            self._channels[standing.channel].add(standing.claim, standing.targets)
        else:
            self._unwait(before)
        self._claims[standing.claim] = standing
        if not standing.is_held:
            self._waiting.setdefault(standing.agent, {})[standing.claim] = None
            self._queues[standing.channel].add(standing.claim, standing.targets)

    def remove(self, claim: int) -> Standing | None:
        """A claim is gone; gives it as it was."""
        gone = self._claims.pop(claim, None)
        if gone is not None:
            if self._trial is not None:
                self._trial.append((claim, gone))
            self._channels[gone.channel].remove(claim, gone.targets)
            self._unwait(gone)
        return gone

    def beside(self, channel: str, targets: Iterable[Target]) -> set[int]:
        """The ids of what is on something that overlaps one of these."""
        overlap = self._channels.get(channel)
        return set() if overlap is None else overlap.find(targets)

    def is_alone(self, channel: str, targets: Iterable[Target]) -> bool:
        """Whether nothing is on anything of the same."""
        overlap = self._channels.get(channel)
        return overlap is None or next(overlap.places(targets), None) is None

    def conflicts(self, standing: Standing) -> list[Standing]:
        """What cannot be held beside it, held or waiting, by id."""
        found = self.beside(standing.channel, standing.targets)
        found.discard(standing.claim)
        others = map(self._claims.__getitem__, sorted(found))
        if standing.is_shared:
            return [other for other in others if not other.is_shared]
        return list(others)

    def front(self, standing: Standing) -> list[Standing]:
        """What it waits for, by id."""
        return [other for other in self.conflicts(standing) if other.is_in_front(standing)]

    def is_free(self, standing: Standing) -> bool:
        """Whether it waits for nothing: no more is looked at than the first that stands in front."""
        overlap = self._channels[standing.channel]
        for _place, claims in overlap.places(standing.targets):
            for claim in claims:
                other = self._claims[claim]
                if (
                    claim != standing.claim
                    and other.is_in_front(standing)
                    and not (other.is_shared and standing.is_shared)
                ):
                    return False
        return True

    def named(self, channel: str, target: Target) -> Iterator[Standing]:
        """What is on exactly this name, or the folder of this name."""
        overlap = self._channels.get(channel)
        return iter(()) if overlap is None else map(self._claims.__getitem__, overlap.named(target.name))

    def free_after(self, gone: Standing) -> Iterator[Standing]:
        """What waited for a claim that is gone, and for nothing else now, in its order.

        Each has to be granted before the next is looked for.
        """
        queue = self._queues.get(gone.channel)
        for claim in () if queue is None else sorted(queue.find(gone.targets)):
            waiting = self._claims[claim]
            if self.is_free(waiting):
                yield waiting
            if not waiting.is_shared and all(
                any(one.covers(two) for one in waiting.targets) for two in gone.targets
            ):
                return  # whoever comes later, and wants something of these, stands behind this one

    def in_front_of_places(self, standing: Standing, places: Sequence[Standing]) -> list[Standing]:
        """What a claim would wait for that takes the places of others, for what they were on; by id."""
        taken = {place.claim for place in places}
        return [
            other
            for other in self.front(standing)
            if other.claim not in taken and (other.is_held or not self._stands_behind(other, standing, taken))
        ]

    def circle(self, standing: Standing) -> list[int]:
        """The ids of claims by which its agent would wait for itself, if this waits; empty if it would not.

        They begin with the claim itself; each waits for the next, or its agent does by the one after.
        """
        return self._search(standing.agent, [standing])

    def circle_of(self, agent: Author) -> list[int]:
        """As `circle`, for anything that an agent waits for."""
        waiting = sorted(self._waiting.get(agent, ()), reverse=True)
        return self._search(agent, [self._claims[claim] for claim in waiting])

    def _search(self, agent: Author, starts: Iterable[Standing]) -> list[int]:
        """How an agent waits for itself, beginning with these claims of its, the last in line first."""
        seen: dict[tuple[str, Place, bool], int] = {}
        agents = set[Author]()
        todo = deque((standing, (standing.claim,)) for standing in starts)
        while todo:
            waiting, path = todo.popleft()
            for other in self._unseen_front(waiting, seen):
                if other.agent == agent:
                    return [*path, other.claim]
                if other.agent in agents:
                    continue
                agents.add(other.agent)
                for claim in sorted(self._waiting.get(other.agent, ()), reverse=True):
                    step = (other.claim,) if claim == other.claim else (other.claim, claim)
                    todo.append((self._claims[claim], (*path, *step)))
        return []

    def _unseen_front(
        self, waiting: Standing, seen: dict[tuple[str, Place, bool], int]
    ) -> Iterator[Standing]:
        """What a claim waits for, but where one further back that wants the same place has looked already.

        That one waits for all of it.
        """
        overlap = self._channels.get(waiting.channel)
        for place, claims in () if overlap is None else overlap.places(waiting.targets):
            looked = (waiting.channel, place, waiting.is_shared)
            if seen.get(looked, -1) >= waiting.claim:
                continue
            seen[looked] = waiting.claim
            for claim in claims:
                other = self._claims[claim]
                if (
                    claim != waiting.claim
                    and other.is_in_front(waiting)
                    and not (other.is_shared and waiting.is_shared)
                ):
                    yield other

    def _stands_behind(self, other: Standing, standing: Standing, places: Collection[int]) -> bool:
        """Whether a waiting claim waits for one of these places, in all that a claim would want of it."""
        shared = (_deeper(one, two) for one in standing.targets for two in other.targets if one.overlaps(two))
        overlap = self._channels[other.channel]
        for wanted in shared:
            above = (self._claims[claim] for claim in overlap.above(wanted) if claim in places)
            if not any(
                place.is_in_front(other)
                and not (place.is_shared and other.is_shared)
                and any(target.covers(wanted) for target in place.targets)
                for place in above
            ):
                return False
        return True

    def _unwait(self, standing: Standing) -> None:
        if not standing.is_held:
            waiting = self._waiting[standing.agent]
            del waiting[standing.claim]
            if not waiting:
                del self._waiting[standing.agent]
            self._queues[standing.channel].remove(standing.claim, standing.targets)


def _deeper(one: Target, two: Target) -> Target:
    """What two targets that overlap have in common."""
    return two if one.covers(two) else one
