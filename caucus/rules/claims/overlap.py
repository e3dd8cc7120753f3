"""Which claims overlap: one look-up for each ancestor of a name, and one stretch of what lies below. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from sortedcontainers import SortedList

from caucus.model.targets import Target

ROOT: Final = None
"""What everything lies below, as the name of a folder."""

Name = str | None
Place = tuple[str, Name]
"""Where claims are found: ``at`` a name, or ``in`` a folder."""


class Overlap:
    """The targets of a channel's claims, which are named by their ids.

    A claim is found under the names that it is on, and the folders that it is on; what lies below a folder
    is a stretch of the names in their order.
    """

    def __init__(self) -> None:
        self._at: dict[Name, dict[int, None]] = {}
        self._folders: dict[Name, dict[int, None]] = {}
        self._names: Any = SortedList()

    def add(self, claim: int, targets: Iterable[Target]) -> None:
        """There is a claim on these."""
        for target in targets:
            name = target.name
            claims = self._at.get(name)
            if claims is not None:
                claims[claim] = None
            else:
                self._at[name] = {claim: None}
                if name is not None:
                    self._names.add(name)
            if target.below:
                self._folders.setdefault(name, {})[claim] = None

    def remove(self, claim: int, targets: Iterable[Target]) -> None:
        """A claim on these is gone."""
        for target in targets:
            name = target.name
            if _take_out(self._at, name, claim) and name is not None:
                self._names.remove(name)
            if target.below:
                _take_out(self._folders, name, claim)

    def named(self, name: Name) -> Iterable[int]:
        """The claims that are on exactly this name, or the folder of this name."""
        return self._at.get(name, ())

    def find(self, targets: Iterable[Target]) -> set[int]:
        """The claims that are on something that overlaps one of these."""
        found = set[int]()
        for _place, claims in self.places(targets):
            found.update(claims)
        return found

    def places(self, targets: Iterable[Target]) -> Iterator[tuple[Place, Iterable[int]]]:
        """As `find`, by where they are found."""
        for target in targets:
            name = target.name
            claims = self._at.get(name)
            if claims is not None:
                yield ("at", name), claims
            if self._folders:
                for above in ancestors(name):
                    if above in self._folders:
                        yield ("in", above), self._folders[above]
            if target.below:
                for below in self._below(name):
                    yield ("at", below), self._at[below]

    def _below(self, folder: Name) -> Iterator[str]:
        """The names that lie in a folder, in their order."""
        if folder is None:
            return iter(self._names)
        # What follows the slash is a character, so "0", which follows it, ends what lies in there.
        found: Iterator[str] = self._names.irange(f"{folder}/", f"{folder}0", (True, False))
        return found

    def above(self, target: Target) -> Iterator[int]:
        """The claims that may cover a target: those on its name, and on the folders that it lies in."""
        yield from self._at.get(target.name, ())
        for folder in ancestors(target.name):
            yield from self._folders.get(folder, ())


def ancestors(name: Name) -> Iterator[Name]:
    """The folders that a name lies in, the outermost first: everything, and what its slashes close."""
    if name is None:
        return
    yield ROOT
    at = name.find("/")
    while at >= 0:
        yield name[:at]
        at = name.find("/", at + 1)


def _take_out(index: dict[Name, dict[int, None]], name: Name, claim: int) -> bool:
    """Whether nothing is left there."""
    claims = index.get(name)
    if claims is None:
        return False
    claims.pop(claim, None)
    if not claims:
        del index[name]
    return not claims
