"""One feed of any number of channels: where a reader is, and what it has not seen yet."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from twisted.internet.defer import Deferred, fail

from caucus.core.core import Core
from caucus.core.feeds import Kind
from caucus.core.waiting import wait_for
from caucus.errors import CaucusError, InvalidRequest, StorageUnavailable
from caucus.model.feed import FEED_LIMIT, Begun, FeedPage, FeedSlice, Place
from caucus.model.fields import as_integer
from caucus.model.places import LAST, end_of, place_of
from caucus.model.views import View, read_view
from caucus.rules.channel import Channel
from caucus.rules.following import next_slice

LONG: Final = 1_048_576
"""A page ends with the message that makes it larger than that, in bytes."""
_SOME: Final[tuple[Kind, ...]] = ("message", "claims")
_ALL: Final[tuple[Kind, ...]] = ("message", "claims", "channel")
_BEHIND: Final = re.compile(r"([a-z0-9-]{1,64}):([0-9]{1,15})")


def read_feed(
    core: Core, rooms: Sequence[str], since: str | None, wait: float, limit: int | None
) -> Deferred[FeedPage]:
    try:
        view = read_view(rooms)
        most = _most(core, limit)
        if not isinstance(since, str | None):
            raise InvalidRequest("since must be a position, as text.")
    except CaucusError:
        return fail()
    return wait_for(core, kinds_of(view), places_of(view), wait, _Reading(core, view, since, most))


class _Reading:
    """A page of a feed, once there is something to tell; where that begins is found out at the first look."""

    __slots__ = ("_core", "_most", "_place", "_since", "_view")

    def __init__(self, core: Core, view: View, since: str | None, most: int) -> None:
        self._core = core
        self._view = view
        self._since = since
        self._most = most
        self._place: Place | None = None

    def __call__(self, is_last: bool) -> FeedPage | None:
        core, place, reset = self._core, self._place, None
        if place is None:
            begun = begin(core, self._view, self._since)
            place, reset = begun.place, begun.reset
            self._place = place
        found = look_on(core, self._view, place, self._most)
        if found.events or reset is not None or is_last:
            return FeedPage(found.events, text_of(core, found.end), reset)
        return None


def kinds_of(view: View) -> tuple[Kind, ...]:
    """What a reader of these channels watches."""
    return _ALL if view.rooms is None else _SOME


def places_of(view: View) -> tuple[str, ...]:
    """Where a reader of these channels watches that."""
    return ("",) if view.rooms is None else view.rooms


def watch_feed(core: Core, wake: Callable[[], None]) -> Callable[[], None]:
    return core.feeds.watch(_ALL, ("",), wake)


def begin(core: Core, view: View, since: str | None) -> Begun:
    """Where a reader of these channels begins: at a position, at their cursors, or else at the head.

    Raises `UnknownChannel`.
    """
    end = end_of(core.journal.durable)
    for name in view.rooms or ():
        core.durable_channel(name)
    reset: tuple[str, ...] | None = None
    if since is None:
        starts = [(core.durable_channel(name), cursor) for name, cursor in view.starts]
        behind, lost = _behind(starts, end)
        place, reset = Place(end, behind), lost or None
    else:
        known = _place_of(core, view, since)
        place = Place(0) if known is None else known
        if known is None:
            reset = tuple(room.name for room in _rooms_of(core, view))
    if reset is not None and core.is_stale:
        raise StorageUnavailable("failed")  # it may be a position that is known elsewhere
    return Begun(place, text_of(core, place), end, reset)


def look_on(
    core: Core, view: View, place: Place, limit: int, size: int = LONG, end: int | None = None
) -> FeedSlice:
    """What a reader that is at a place has not seen of these channels, by durable events, up to ``end``."""
    channels = core.state.channels
    behind = [(channels[name], cursor) for name, cursor in place.behind if name in channels]
    last = end_of(core.journal.durable) if end is None else end
    if view.rooms is not None or behind:
        return next_slice(_rooms_of(core, view), behind, place.at, last, limit, size, partial(text_of, core))
    if place.at >= last:
        return FeedSlice((), (), place, is_whole=True)
    asked = (place.at, last, limit, size)
    known = core.last_slice
    if known is None or known[0] != asked:  # all who wait for any channel are at one place, and look at once
        found = next_slice(_rooms_of(core, view), (), place.at, last, limit, size, partial(text_of, core))
        core.last_slice = known = (asked, found)
    return known[1]


def text_of(core: Core, place: Place) -> str:
    """The position of a place."""
    text = core.state.runs.text(place.at)
    return text + "".join(f",{name}:{cursor}" for name, cursor in place.behind)


def _most(core: Core, limit: object) -> int:
    most = FEED_LIMIT if limit is None else as_integer(limit)
    if most is None or most < 1:
        raise InvalidRequest("limit must be a positive integer.")
    return min(most, core.limits.max_read_limit)


def _rooms_of(core: Core, view: View) -> list[Channel]:
    """The channels of a view that are durable. Raises `UnknownChannel` for one that is named and is not."""
    if view.rooms is not None:
        return [core.durable_channel(name) for name in view.rooms]
    durable = core.journal.durable
    return [room for room in core.state.channels.values() if room.created <= durable]


def _behind(
    starts: Iterable[tuple[Channel, int]], end: int
) -> tuple[tuple[tuple[str, int], ...], tuple[str, ...]]:
    """Those that begin before their head, and those whose cursor is beyond it, which begin at 0."""
    behind, lost = [], []
    for room, asked in starts:
        cursor, head = asked, bisect_left(room.places, end)
        if cursor > head:
            lost.append(room.name)
            cursor = 0
        if cursor < head:
            behind.append((room.name, cursor))
    return tuple(behind), tuple(lost)


def place_of_position(core: Core, since: str) -> Place | None:
    """The place of a position without channels that are behind, or ``None`` if it is none that is known."""
    known = core.state.runs.events_of(since.partition(",")[0])
    if known is None:
        return None
    events, messages = known
    if messages > LAST or events + bool(messages) > core.journal.durable:
        return None
    return Place(place_of(events + 1, messages))


def _place_of(core: Core, view: View, since: str) -> Place | None:
    """The place of a position, or ``None`` if it is none of this log, or beyond what is durable."""
    text, *others = since.split(",")
    place, durable = place_of_position(core, text), core.journal.durable
    if place is None or not others:
        return place
    starts: list[tuple[Channel, int]] = []
    for one in others:
        found = _BEHIND.fullmatch(one)
        if found is None:
            return None
        room = core.state.channels.get(found[1])
        if room is None or room.created > durable or any(room is one for one, _cursor in starts):
            return None
        if view.rooms is None or room.name in view.rooms:
            starts.append((room, int(found[2])))
    behind, lost = _behind(starts, place.at)
    return None if lost else Place(place.at, behind)
