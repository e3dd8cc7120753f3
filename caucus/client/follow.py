"""Following one channel: its messages, each as it is appended."""

from __future__ import annotations

from typing import Final

import msgspec

from caucus.client.live import LiveStream
from caucus.model.records import Appended
from caucus.wire.frames import NotEvents

CURSOR_DIGITS: Final = 16


class _Said(msgspec.Struct):
    """As much of a message as every one has."""

    type: str
    body: str
    msg_id: str


_decode_said = msgspec.json.Decoder(_Said).decode


class Follow(LiveStream[Appended, int]):
    """The messages of a channel from a cursor on, each once and in order, as they are appended.

    Each item is an `Appended`. If the server lost its log while a connection was lost, its new log is
    followed from the beginning.
    """

    @property
    def cursor(self) -> int:
        """The cursor after the last message handed out or waiting to be."""
        return self._received

    def _read(self, name: bytes | None, data: bytes) -> tuple[Appended | None, int]:
        cursor = _cursor(name, self.cursor)
        if not data:  # it says where it is
            return None, cursor
        _require_message(data)
        return Appended(data, cursor), cursor


def _cursor(name: bytes | None, before: int) -> int:
    """The cursor that an event's id says, or else the one after that of the event before it."""
    if name is None:
        return before + 1
    if not (name.isdigit() and len(name) <= CURSOR_DIGITS):
        raise NotEvents
    return int(name)


def _require_message(data: bytes) -> None:
    try:
        _decode_said(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotEvents from None
