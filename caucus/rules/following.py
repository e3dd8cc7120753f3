"""What a reader of any number of channels has not seen yet, in the order of the one log. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from heapq import merge
from typing import Final

from caucus.model.feed import BoardChanged, ChannelMade, FeedEvent, FeedMessage, FeedSlice, Place
from caucus.model.places import place_of
from caucus.rules.channel import Channel

_MADE: Final = -1
_BOARD: Final = -2

_Entry = tuple[int, int, int, Channel]
"""A place, which channel's it is, the cursor after the message or what else there is, and the channel."""


def next_slice(
    rooms: Iterable[Channel],
    behind: Iterable[tuple[Channel, int]],
    start: int,
    end: int,
    limit: int,
    most_bytes: int,
    text: Callable[[Place], str],
) -> FeedSlice:
    """What there is from ``start`` to ``end`` in some channels, in order: at most ``limit`` events.

    A message that makes it ``most_bytes`` long is the last one. The boards that one event has changed are one
    place: all of them are told, and until the last is, the position is the one before.

    :param behind: the channels among them of which nothing from this cursor on was seen, before ``start``.
        They come first.
    :param text: gives the position of a place.
    """
    left = {room.name: cursor for room, cursor in behind}
    events: list[FeedEvent] = []
    positions: list[str] = []
    size = 0
    place = Place(start)
    entries = _of_those_behind(list(behind), start)
    is_catching_up = True
    while True:
        for (at, _number, cursor, room), following in _pairs(entries):
            event = _event(room, cursor)
            shares_place = following == at
            if is_catching_up:
                left[room.name] = cursor
                if cursor == bisect_left(room.places, start):
                    del left[room.name]
                place = Place(start, tuple(left.items()))
            elif not shares_place:
                place = Place(at + 1)
            events.append(event)
            positions.append(text(place))
            if isinstance(event, FeedMessage):
                size += len(event.message_json)
            if (len(events) >= limit or size >= most_bytes) and not shares_place:
                return FeedSlice(tuple(events), tuple(positions), place, is_whole=False)
        if not is_catching_up:
            return FeedSlice(tuple(events), tuple(positions), Place(max(start, end)), is_whole=True)
        is_catching_up = False
        entries = merge(*(_of_room(room, start, end) for room in rooms if _has_some(room, start, end)))


def _pairs(entries: Iterable[_Entry]) -> Iterator[tuple[_Entry, int]]:
    """Each entry with the place of the next; -1 after the last."""
    before: _Entry | None = None
    for entry in entries:
        if before is not None:
            yield before, entry[0]
        before = entry
    if before is not None:
        yield before, -1


def _has_some(room: Channel, start: int, end: int) -> bool:
    places = room.places
    return bool(places and places[-1] >= start) or place_of(room.created) >= start or room.board(end) >= start


def _of_room(room: Channel, start: int, end: int) -> Iterator[_Entry]:
    number, board = room.created, room.board(end)
    if start <= place_of(number) < end:
        yield place_of(number), number, _MADE, room
    places = room.places
    cursor = bisect_left(places, start)
    while cursor < len(places) and places[cursor] < end:
        if start <= board < places[cursor]:
            yield board, number, _BOARD, room
            board = -1
        cursor += 1
        yield places[cursor - 1], number, cursor, room
    if board >= start:
        yield board, number, _BOARD, room


def _of_those_behind(behind: list[tuple[Channel, int]], end: int) -> Iterator[_Entry]:
    return merge(*(_from_cursor(room, cursor, end) for room, cursor in behind))


def _from_cursor(room: Channel, cursor: int, end: int) -> Iterator[_Entry]:
    places = room.places
    while cursor < len(places) and places[cursor] < end:
        cursor += 1
        yield places[cursor - 1], room.created, cursor, room


def _event(room: Channel, cursor: int) -> FeedEvent:
    if cursor == _MADE:
        return ChannelMade(room.name, room.descriptor(0))
    if cursor == _BOARD:
        return BoardChanged(room.name)
    (message_json,) = room.messages(cursor - 1, cursor)
    return FeedMessage(room.name, cursor, message_json, room.told.find(cursor))
