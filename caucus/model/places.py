"""Places in the one log of a server: of the messages that its events bring, in order over all channels."""

from __future__ import annotations

from typing import Final

STEP: Final = 20
"""So many bits of a place count the messages of one event; above them is the event's position."""
LAST: Final = (1 << STEP) - 1


def place_of(position: int, index: int = 0) -> int:
    """The place of a message of the event at ``position``, by its number in it, from 0."""
    return (position - 1 << STEP) + index


def end_of(position: int) -> int:
    """The place after all that the first so many events brought."""
    return position << STEP


def parts_of(place: int) -> tuple[int, int]:
    """How many whole events lie before a place, and how many messages of the next."""
    return place >> STEP, place & LAST
