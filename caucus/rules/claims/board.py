"""The board: every claim there is, who stands in front of whom, and whether that runs in a circle. Pure.

A claim waits for what conflicts with it and stands in front: all that is held, and what has waited for
longer. Held claims never conflict. Nothing here decides or tells the time.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from caucus.model.events import Author, Record
from caucus.model.targets import Target
from caucus.rules.claims.overlap import Overlap


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

    def remove(self, claim: int) -> Standing | None:
        """A claim is gone; gives it as it was."""
        gone = self._claims.pop(claim, None)
        if gone is not None:
            if self._trial is not None:
                self._trial.append((claim, gone))
            self._channels[gone.channel].remove(claim, gone.targets)
            self._unwait(gone)
        return gone

    def conflicts(self, standing: Standing) -> list[Standing]:
        """What cannot be held beside it, held or waiting, by id."""
        found = self._beside(standing)
        if standing.is_shared:
            return [other for other in found if not other.is_shared]
        return found

    def front(self, standing: Standing) -> list[Standing]:
        """What it waits for, by id."""
        return [other for other in self.conflicts(standing) if other.is_in_front(standing)]

    def is_free(self, standing: Standing) -> bool:
        """Whether it waits for nothing: no more is looked at than the first that stands in front."""
        for claim in self._near(standing.channel, standing.targets):
            other = self._claims[claim]
            if (
                claim != standing.claim
                and other.is_in_front(standing)
                and not (other.is_shared and standing.is_shared)
            ):
                return False
        return True

    def named(self, channel: str, target: Target) -> list[Standing]:
        """What is on exactly this name, or the folder of this name."""
        overlap = self._channels.get(channel)
        return [] if overlap is None else [self._claims[claim] for claim in overlap.named(target.name)]

    def waiting_of(self, agent: Author) -> list[Standing]:
        """What an agent waits for, over all channels, in its order."""
        return [self._claims[claim] for claim in sorted(self._waiting.get(agent, ()))]

    def free_after(self, gone: Standing) -> Iterator[Standing]:
        """What waited for a claim that is gone, and for nothing else now, in its order.

        Each has to be granted before the next is looked for.
        """
        for waiting in self._beside(gone):
            if not waiting.is_held and self.is_free(waiting):
                yield waiting
                if not waiting.is_shared and all(
                    any(one.covers(two) for one in waiting.targets) for two in gone.targets
                ):
                    return  # whatever else waits for something of these now waits for this one

    def in_front_of_places(self, standing: Standing, places: Sequence[Standing]) -> list[Standing]:
        """What a claim would wait for that takes the places of others, for what they were on; by id."""
        return [
            other
            for other in self.front(standing)
            if not any(other.claim == place.claim for place in places)
            and (other.is_held or not _stands_behind(other, standing, places))
        ]

    def circle(self, standing: Standing, front: Sequence[Standing] | None = None) -> list[int]:
        """The ids of claims by which its agent would wait for itself, if this waits; empty if it would not.

        They begin with the claim itself; each waits for the next, or its agent does by the one after.
        """
        seen: dict[tuple[str, tuple[Target, ...], bool], int] = {}
        agents = set[Author]()
        todo = deque([(standing, (standing.claim,))])
        while todo:
            waiting, path = todo.popleft()
            alike = (waiting.channel, waiting.targets, waiting.is_shared)
            if seen.get(alike, -1) >= waiting.claim:
                continue  # whoever waits for the same, further back, waits for all that this one does
            seen[alike] = waiting.claim
            before = self.front(waiting) if waiting is not standing or front is None else front
            for other in before:
                if other.agent == standing.agent:
                    return [*path, other.claim]
                if other.agent in agents:
                    continue
                agents.add(other.agent)
                for claim in self._waiting.get(other.agent, ()):
                    step = (other.claim,) if claim == other.claim else (other.claim, claim)
                    todo.append((self._claims[claim], (*path, *step)))
        return []

    def _beside(self, standing: Standing) -> list[Standing]:
        """What is on something of the same, by id."""
        found = set(self._near(standing.channel, standing.targets))
        found.discard(standing.claim)
        return [self._claims[claim] for claim in sorted(found)]

    def _near(self, channel: str, targets: Iterable[Target]) -> Iterator[int]:
        """What is on something that overlaps one of these; it may come more than once."""
        overlap = self._channels.get(channel)
        return iter(()) if overlap is None else overlap.find(targets)

    def _unwait(self, standing: Standing) -> None:
        if not standing.is_held:
            waiting = self._waiting[standing.agent]
            del waiting[standing.claim]
            if not waiting:
                del self._waiting[standing.agent]


def _stands_behind(other: Standing, standing: Standing, places: Sequence[Standing]) -> bool:
    """Whether a waiting claim stands behind one of the places, in all that a claim on these wants of it."""
    shared = (_deeper(one, two) for one in standing.targets for two in other.targets if one.overlaps(two))
    return all(
        any(
            place.is_in_front(other)
            and place.conflicts(other)
            and any(target.covers(wanted) for target in place.targets)
            for place in places
        )
        for wanted in shared
    )


def _deeper(one: Target, two: Target) -> Target:
    """What two targets that overlap have in common."""
    return two if one.covers(two) else one
