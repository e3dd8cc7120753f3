"""What the message says that granted a claim last. Pure."""

from __future__ import annotations

import msgspec

from caucus.rules.channel import Channel


class Noted(msgspec.Struct):
    """What is shown of such a message."""

    body: str
    target: str


_decode_noted = msgspec.json.Decoder(Noted).decode


def noted(room: Channel, cursor: int) -> Noted:
    """What the message says that is the one before ``cursor``."""
    (message_json,) = room.messages(cursor - 1, cursor)
    return _decode_noted(message_json)
