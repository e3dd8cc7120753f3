"""Events as bytes, and back, for journals that outlive the process: MessagePack, fields by place."""

from __future__ import annotations

import msgspec

from caucus.model.events import Event

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Event).decode


def encode_event(event: Event) -> bytes:
    """The bytes that a store keeps of an event."""
    return _encode(event)


def decode_event(data: bytes) -> Event:
    """The event that bytes were made of, also by an earlier version. Raises `ValueError` for others."""
    try:
        event: Event = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not an event: {error}") from error
    return event
