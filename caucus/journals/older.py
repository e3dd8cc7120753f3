"""Events as earlier versions of a journal's tables kept them, made into those of today."""

from __future__ import annotations

import msgspec

from caucus.model.events import (
    Author,
    ChannelCreated,
    ChannelFields,
    Event,
    EvidenceAdded,
    Grant,
    Instant,
    Moved,
    RequestKey,
    RunEnded,
    Said,
    Stepped,
    TokensChanged,
)
from caucus.model.fields import MessageType
from caucus.rules.seatbelts import post_digest


class _Old(msgspec.Struct, frozen=True, gc=False, array_like=True):
    when: Instant


class _Created(_Old, frozen=True, tag=1):
    descriptor: ChannelFields
    request: RequestKey | None = None


class _Appended(_Old, frozen=True, tag=2):
    channel: str
    message_json: bytes
    transition: tuple[str, Grant | None] | None = None
    request: RequestKey | None = None


class _Artifact(_Old, frozen=True, tag=3):
    channel: str
    sha256: str
    data: bytes
    request: RequestKey | None = None


class _Tokens(_Old, frozen=True, tag=4):
    minted: tuple[bytes, Author] | None
    revoked: tuple[bytes, ...]


class _Passed(_Old, frozen=True, tag=5):
    pass


class _Message(msgspec.Struct):
    type: MessageType
    body: str
    agent_id: str = ""


_decode = msgspec.msgpack.Decoder(_Created | _Appended | _Artifact | _Tokens | _Passed).decode
_decode_message = msgspec.json.Decoder(_Message).decode


def of_schema_1(body: bytes) -> tuple[Event, bytes]:
    """An event of the first version of the tables, and the evidence that it brought.

    Raises `ValueError` for bytes that are none.
    """
    try:
        old = _decode(body)
        return _today(old)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not an event: {error}") from error


def _today(old: _Created | _Appended | _Artifact | _Tokens | _Passed) -> tuple[Event, bytes]:
    match old:
        case _Created():
            return ChannelCreated(old.when, old.descriptor, old.request), b""
        case _Appended():
            message = _decode_message(old.message_json)
            moved: tuple[Moved, ...] = ()
            if old.transition is not None:
                target, grant = old.transition
                moved = (Moved(old.channel, target, grant, "freed" if grant is None else "granted"),)
            post = 0 if moved else post_digest(message.type, message.body)
            said = Said(old.channel, old.message_json, message.agent_id, post)
            return Stepped(old.when, (said,), moved, old.request), b""
        case _Artifact():
            return EvidenceAdded(old.when, old.channel, old.sha256, len(old.data), old.request), old.data
        case _Tokens():
            return TokensChanged(old.when, old.minted, old.revoked), b""
        case _Passed():
            return RunEnded(old.when), b""
