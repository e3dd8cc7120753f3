"""Which claims overlap: one look-up for each ancestor of a name, and one for what lies below. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from caucus.model.targets import Target

ROOT: Final = None
"""What everything lies below, as the name of a folder."""

Name = str | None


class Overlap:
    """The targets of a channel's claims, which are named by their ids.

    A claim is found under the names that it is on, the folders that it is on, and all that its targets lie
    below.
    """

    def __init__(self) -> None:
        self._at: dict[Name, dict[int, None]] = {}
        self._folders: dict[Name, dict[int, None]] = {}
        self._below: dict[Name, dict[int, None]] = {}

    def add(self, claim: int, targets: Iterable[Target]) -> None:
        """There is a claim on these."""
        for index, name in _places(self, targets):
            index.setdefault(name, {})[claim] = None

    def remove(self, claim: int, targets: Iterable[Target]) -> None:
        """A claim on these is gone."""
        for index, name in _places(self, targets):
            claims = index.get(name)
            if claims is not None:
                claims.pop(claim, None)
                if not claims:
                    del index[name]

    def named(self, name: Name) -> Iterable[int]:
        """The claims that are on exactly this name, or the folder of this name."""
        return self._at.get(name, ())

    def find(self, targets: Iterable[Target]) -> Iterator[int]:
        """The claims that are on something of these; one may come more than once."""
        for target in targets:
            name = target.name
            yield from self._at.get(name, ())
            for above in ancestors(name):
                yield from self._folders.get(above, ())
            if target.below:
                yield from self._below.get(name, ())


def ancestors(name: Name) -> Iterator[Name]:
    """The folders that a name lies in, the outermost first: everything, and what its slashes close."""
    if name is None:
        return
    yield ROOT
    at = name.find("/")
    while at >= 0:
        yield name[:at]
        at = name.find("/", at + 1)


def _places(index: Overlap, targets: Iterable[Target]) -> Iterator[tuple[dict[Name, dict[int, None]], Name]]:
    """Where a claim on these is found."""
    for target in targets:
        yield index._at, target.name
        if target.below:
            yield index._folders, target.name
        for above in ancestors(target.name):
            yield index._below, above
