"""Which channels a feed is of, and where each begins: what a reader asks for, read from text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from sys import intern
from typing import Final

import msgspec

from caucus.errors import InvalidRequest
from caucus.model.channels import require_channel_name
from caucus.model.feed import EVERYTHING

LONGEST_WAIT: Final = 50
"""So many seconds at most a request may wait."""
_CURSOR: Final = re.compile("[0-9]{1,15}")


class View(msgspec.Struct, frozen=True):
    """Channels by name, or all if ``rooms`` is ``None``; ``starts`` are the cursors that some begin at."""

    rooms: tuple[str, ...] | None
    starts: tuple[tuple[str, int], ...] = ()


def read_view(asked: Sequence[str]) -> View:
    """A view of channels: each a name, ``name:cursor``, or ``*`` for all.

    Raises `InvalidRequest` and `InvalidChannelName`.
    """
    if isinstance(asked, str) or not all(isinstance(one, str) for one in asked):
        raise InvalidRequest("room must be the name of a channel, name:cursor, or *.")
    names: dict[str, None] = {}
    starts: dict[str, int] = {}
    is_all = not asked
    for one in asked:
        if one == EVERYTHING:
            is_all = True
            continue
        name, colon, cursor = one.partition(":")
        require_channel_name(name)
        names[intern(name)] = None  # a thousand readers of a channel share its name
        if colon:
            if not _CURSOR.fullmatch(cursor):
                raise InvalidRequest("What follows the colon of a room must be a cursor, in digits.")
            starts[name] = int(cursor)
    return View(None if is_all else tuple(names), tuple(starts.items()))


def require_wait(seconds: object) -> float:
    """The seconds that somebody wants to wait. Raises `InvalidRequest`."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= LONGEST_WAIT:
        raise InvalidRequest(f"wait must be a number of seconds from 0 to {LONGEST_WAIT}.")
    return seconds
