"""Answers: the body of each route's success, from a record and back to it.

A body's class stands for both directions; its fields are in the order of the wire. Every
``decode_`` raises `ValueError` or `msgspec.DecodeError` for what is no such body.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec.structs import asdict

from caucus.model.messages import Message
from caucus.model.records import (
    AlreadyClaimed,
    Appended,
    ClaimResult,
    Descriptor,
    Granted,
    Holder,
    Identity,
    NotHeld,
    Page,
    StoredArtifact,
)

_encode = msgspec.json.Encoder().encode
_EMPTY_PAGE = b'{"messages":[],"cursor":%d}'


class _DescriptorBody(msgspec.Struct, kw_only=True, omit_defaults=True):
    channel: str
    kind: str
    purpose: str | None = None
    verbosity: str
    render_budget_chars: int = msgspec.field(name="renderBudgetChars")
    created_by: str
    created_ts: str
    head: int


class _ChannelsBody(msgspec.Struct):
    channels: list[_DescriptorBody]


class _CursorBody(msgspec.Struct):
    cursor: int


class _AppendedBody(msgspec.Struct):
    message: msgspec.Raw
    cursor: int


class _PageBody(msgspec.Struct):
    messages: list[msgspec.Raw]
    cursor: int


class _GrantedBody(msgspec.Struct, tag="granted", tag_field="outcome"):
    message: msgspec.Raw
    cursor: int


class _HolderBody(msgspec.Struct):
    agent_id: str
    owner: str
    ts: str
    msg_id: str


class _AlreadyClaimedBody(msgspec.Struct, tag="already_claimed", tag_field="outcome"):
    by: _HolderBody


class _NotHeldBody(msgspec.Struct, tag="not_held", tag_field="outcome"):
    pass


class _ArtifactBody(msgspec.Struct):
    uri: str
    sha256: str
    size: int


class _TokenBody(msgspec.Struct):
    token: str
    agent_id: str
    owner: str


class _RevokedBody(msgspec.Struct):
    revoked: bool


_ClaimBody = _GrantedBody | _AlreadyClaimedBody | _NotHeldBody
_decode_descriptor_body = msgspec.json.Decoder(_DescriptorBody).decode
_decode_channels_body = msgspec.json.Decoder(_ChannelsBody).decode
_decode_cursor_body = msgspec.json.Decoder(_CursorBody).decode
_decode_appended_body = msgspec.json.Decoder(_AppendedBody).decode
_decode_page_body = msgspec.json.Decoder(_PageBody).decode
_decode_claim_body = msgspec.json.Decoder(_ClaimBody).decode
_decode_token_body = msgspec.json.Decoder(_TokenBody).decode
_decode_revoked_body = msgspec.json.Decoder(_RevokedBody).decode
_decode_artifact_body = msgspec.json.Decoder(_ArtifactBody).decode


def encode_descriptor(descriptor: Descriptor) -> bytes:
    return _encode(_DescriptorBody(**asdict(descriptor)))


def decode_descriptor(body: bytes) -> Descriptor:
    return Descriptor(**asdict(_decode_descriptor_body(body)))


def channels_parts(descriptors: list[Descriptor]) -> Iterator[bytes]:
    """The body of a list of channels in parts, each made when it is its turn."""
    yield b'{"channels":['
    for number, descriptor in enumerate(descriptors):
        yield (b"," if number else b"") + encode_descriptor(descriptor)
    yield b"]}"


def channels_length(descriptors: list[Descriptor]) -> int:
    """The length of that body, in bytes."""
    return sum(map(len, channels_parts(descriptors)))


def decode_channels(body: bytes) -> list[Descriptor]:
    return [Descriptor(**asdict(one)) for one in _decode_channels_body(body).channels]


def encode_cursor(cursor: int) -> bytes:
    return _encode(_CursorBody(cursor))


def decode_cursor(body: bytes) -> int:
    return _decode_cursor_body(body).cursor


def encode_appended(appended: Appended) -> bytes:
    return b'{"message":%b,"cursor":%d}' % (appended.message_json, appended.cursor)


def decode_appended(body: bytes) -> Appended:
    read = _decode_appended_body(body)
    return Appended(_message_json(read.message), read.cursor)


def encode_page(page: Page) -> bytes:
    return b'{"messages":[%b],"cursor":%d}' % (b",".join(page.messages_json), page.cursor)


def page_parts(page: Page) -> Iterator[bytes]:
    """The body of a page in parts, most of them the messages' own bytes."""
    yield b'{"messages":['
    for number, message_json in enumerate(page.messages_json):
        if number:
            yield b","
        yield message_json
    yield b'],"cursor":%d}' % page.cursor


def page_length(page: Page) -> int:
    """The length of a page's body, in bytes."""
    count = len(page.messages_json)
    return sum(map(len, page.messages_json)) + max(0, count - 1) + len(_EMPTY_PAGE % page.cursor)


def decode_page(body: bytes) -> Page:
    read = _decode_page_body(body)
    return Page(tuple(_message_json(one) for one in read.messages), read.cursor)


def encode_claim(result: ClaimResult) -> bytes:
    match result:
        case Granted(message_json=message_json, cursor=cursor):
            return b'{"outcome":"granted","message":%b,"cursor":%d}' % (message_json, cursor)
        case AlreadyClaimed(by=holder):
            return _encode(_AlreadyClaimedBody(_HolderBody(**asdict(holder))))
        case NotHeld():
            return _encode(_NotHeldBody())


def decode_claim(body: bytes) -> ClaimResult:
    match _decode_claim_body(body):
        case _GrantedBody(message=message, cursor=cursor):
            return Granted(_message_json(message), cursor)
        case _AlreadyClaimedBody(by=holder):
            return AlreadyClaimed(Holder(**asdict(holder)))
        case _:
            return NotHeld()


def encode_artifact(stored: StoredArtifact) -> bytes:
    return _encode(_ArtifactBody(stored.uri, stored.sha256, stored.size))


def decode_artifact(body: bytes, *, deduplicated: bool) -> StoredArtifact:
    """Whether it was there already is said by the status: 200 if so, else 201."""
    read = _decode_artifact_body(body)
    return StoredArtifact(read.uri, read.sha256, read.size, deduplicated)


def encode_token(token: str, identity: Identity) -> bytes:
    return _encode(_TokenBody(token, identity.agent_id, identity.owner))


def encode_revoked(revoked: bool) -> bytes:
    return _encode(_RevokedBody(revoked))


def decode_token(body: bytes) -> str:
    return _decode_token_body(body).token


def decode_revoked(body: bytes) -> bool:
    return _decode_revoked_body(body).revoked


def _message_json(raw: msgspec.Raw) -> bytes:
    data = bytes(raw)
    Message.from_json(data)  # what is no message must not be found out only when it is read
    return data
