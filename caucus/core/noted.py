"""What the message says that granted a plain claim last."""

from __future__ import annotations

import msgspec

from caucus.rules.channel import Channel
from caucus.rules.claims.ledger import Held


class Noted(msgspec.Struct):
    """What is shown of such a message."""

    body: str
    target: str


_decode_noted = msgspec.json.Decoder(Noted).decode


def noted(room: Channel, held: Held) -> Noted:
    """What the message says that granted a plain claim last."""
    (message_json,) = room.messages(held.cursor - 1, held.cursor)
    return _decode_noted(message_json)
