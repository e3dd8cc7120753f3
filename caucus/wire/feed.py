"""The feed on the wire: its events as JSON and as frames, and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from caucus.model.feed import (
    BoardChanged,
    ChannelMade,
    ClaimChange,
    FeedEvent,
    FeedMessage,
    FeedPage,
    FeedReset,
)
from caucus.model.messages import Message
from caucus.model.records import Descriptor
from caucus.wire.answers import Codec

_encode = msgspec.json.Encoder().encode


class _Event(msgspec.Struct):
    channel: str
    cursor: int = 0
    message: msgspec.Raw = msgspec.Raw()
    change: ClaimChange | None = None
    created: Descriptor | None = None
    board: bool = False


class _Page(msgspec.Struct):
    events: list[_Event]
    since: str
    reset: tuple[str, ...] | None = None


class _Shown(_Event):
    channel: str = ""
    reset: tuple[str, ...] | None = None


_decode_page = msgspec.json.Decoder(_Page).decode
_decode_shown = msgspec.json.Decoder(_Shown).decode


def event_json(event: FeedEvent) -> bytes:
    """An event, as JSON: the stored message lies in it as it is."""
    if not isinstance(event, FeedMessage):
        return _encode(event)
    end = b"" if event.change is None else b',"change":%b' % _encode(event.change)
    given = (event.channel.encode(), event.cursor, event.message_json, end)
    return b'{"channel":"%b","cursor":%d,"message":%b%b}' % given


def feed_frame(event: FeedEvent, position: str) -> bytes:
    """An event, as a server-sent one whose id is the position after it."""
    return b"id: %b\ndata: %b\n\n" % (position.encode(), event_json(event))


def reset_frame(rooms: tuple[str, ...], position: str) -> bytes:
    """What says that these channels begin anew."""
    return b"event: reset\nid: %b\ndata: %b\n\n" % (position.encode(), _encode(FeedReset(rooms)))


def read_event(data: bytes) -> FeedEvent | FeedReset:
    """The event that a frame's data says. Raises `ValueError` or `msgspec.DecodeError` for what says none."""
    shown = _decode_shown(data)
    return _event_of(shown) if shown.reset is None else FeedReset(shown.reset)


def _event_of(read: _Event) -> FeedEvent:
    message_json = bytes(read.message)
    if message_json and read.channel and read.cursor > 0:
        Message.from_json(message_json)  # what is no message must not be found out only when it is read
        return FeedMessage(read.channel, read.cursor, message_json, read.change)
    if read.created is not None and read.channel:
        return ChannelMade(read.channel, read.created)
    if read.board and read.channel:
        return BoardChanged(read.channel)
    raise ValueError("no event")


def _parts(page: FeedPage) -> Iterator[bytes]:
    yield b'{"events":['
    for number, event in enumerate(page.events):
        yield (b"," if number else b"") + event_json(event)
    end = b"" if page.reset is None else b',"reset":%b' % _encode(page.reset)
    yield b'],"since":%b%b}' % (_encode(page.since), end)


def _read_page(body: bytes, _status: int) -> FeedPage:
    read = _decode_page(body)
    return FeedPage(tuple(map(_event_of, read.events)), read.since, read.reset)


FEED: Final[Codec[FeedPage]] = Codec(
    encode=lambda page: b"".join(_parts(page)),
    decode=_read_page,
    schema="Feed",
    shown='`{"events": [...], "since"}`, or with `Accept: text/event-stream` the same as a stream',
)
