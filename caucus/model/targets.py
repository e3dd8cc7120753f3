"""What a claim is on: names, and folders with everything below them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import msgspec

from caucus.model.fields import SHORT_TEXT
from caucus.model.messages import target_key
from caucus.model.text import trim

EVERYTHING: Final = "**"


class Target(msgspec.Struct, frozen=True, order=True, gc=False):
    """A name, whose segments stand between slashes; with ``below``, everything that lies in it as well.

    The target that covers everything has no name at all: ``None``.
    """

    name: str | None
    below: bool = False

    def covers(self, other: Target) -> bool:
        """Whether the other is this, or lies in it."""
        if self.name is None:
            return True
        if other.name is None:
            return False
        if self.name == other.name:
            return self.below or not other.below
        return self.below and other.name.startswith(f"{self.name}/")

    def overlaps(self, other: Target) -> bool:
        """Whether they are equal, or one lies in the other."""
        return self.name == other.name or self.covers(other) or other.covers(self)


def joined(texts: Sequence[str], claim: int) -> str:
    """Targets as one, for a message: what is too long for that is cut, and ends in the claim's number."""
    text = ", ".join(texts)
    if len(text) <= SHORT_TEXT:
        return text
    end = f"… #{claim}"
    return text[: SHORT_TEXT - len(end)] + end


def plain_target(key: str) -> Target:
    """The target of a plain claim, by its key: it is one name, however it ends."""
    return Target(key)


def read_target(text: str) -> Target | None:
    """The target that a text names, or ``None`` if there is a ``*`` in it that means nothing.

    One that ends in ``/`` or ``/**`` is a folder, and ``**`` is everything.
    """
    key = target_key(text)
    if key == EVERYTHING:
        return Target(None, below=True)
    below = key.endswith(("/", "/**"))
    if below:
        key = key.removesuffix("**").removesuffix("/")
    return None if "*" in key else Target(key, below=below)


@lru_cache(
    maxsize=128
)  # what is asked for is read when it is judged, when it is decided, and when it is applied
def readable_targets(texts: tuple[str, ...]) -> tuple[Target, ...] | None:
    """What texts name, each once; ``None`` if one is blank, or has a ``*`` in it that means nothing."""
    found: dict[Target, None] = {}
    for text in texts:
        target = read_target(text)
        if target is None or not trim(text):
            return None
        found[target] = None
    return tuple(found)


def read_targets(texts: tuple[str, ...]) -> tuple[Target, ...]:
    """What good texts name, each once."""
    return readable_targets(texts) or ()
