"""Events as bytes, and back, for journals that outlive the process: MessagePack, fields by place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from caucus.model.events import Event

FORMAT: Final = 2
"""The version of these bytes. Another shape of an event is another version, and has other golden bytes."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Event).decode
_decode_array = msgspec.msgpack.Decoder(list[Event]).decode
_ARRAY = b"\xdd"


def encode_event(event: Event) -> bytes:
    """The bytes that a store keeps of an event."""
    return _encode(event)


def decode_event(data: bytes) -> Event:
    """The event that bytes were made of. Raises `ValueError` for others, such as a later version's."""
    try:
        event: Event = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not an event: {error}") from error
    return event


def decode_joined(data: bytes, count: int) -> list[Event]:
    """As `decode_event`, for so many whose bytes stand one behind the other. Raises `ValueError`."""
    try:
        return _decode_array(_ARRAY + count.to_bytes(4, "big") + data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not {count} events: {error}") from error


def decode_events(bodies: Iterable[bytes]) -> list[Event]:
    """As `decode_event`, for many. Raises `ValueError` if any is none."""
    try:
        return [*map(_decode, bodies)]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not an event: {error}") from error
