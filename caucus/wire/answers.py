"""Answers: the body of each kind of success, from a result and back to it.

Results are encoded as they are, but for those that hold messages: their JSON is spliced in as it lies
in the log. Every ``decode`` raises `ValueError` or `msgspec.DecodeError` for what is no such body.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Generic, Literal, TypeVar

import msgspec
from attrs import frozen

from caucus.model.claims import Claim, Conflicting, Taken, TakeResult
from caucus.model.messages import Message
from caucus.model.records import (
    AlreadyClaimed,
    Appended,
    ClaimResult,
    Descriptor,
    Granted,
    Identity,
    NotHeld,
    Page,
    Released,
    StoredArtifact,
)
from caucus.wire.frames import EVENT_STREAM, SLICE
from caucus.wire.jsontext import CONTENT_TYPE

OCTETS: Final = "application/octet-stream"

T = TypeVar("T")
_encode = msgspec.json.Encoder().encode


@frozen(kw_only=True)
class Codec(Generic[T]):
    """One kind of answer.

    ``decode`` takes a body and the status that it came with. ``schema`` names it in the OpenAPI
    description, if it is JSON of a shape, and ``shown`` sketches it for people. Where it can be long,
    ``parts`` are the pieces of its body, each made when it is its turn, and ``length`` is that of all,
    in bytes.
    """

    encode: Callable[[T], bytes]
    decode: Callable[[bytes, int], T]
    schema: str = ""
    shown: str
    content_type: str = CONTENT_TYPE
    parts: Callable[[T], Iterator[bytes]] | None = None
    length: Callable[[T], int] | None = None


class Channels(msgspec.Struct, frozen=True):
    """Every channel, oldest first."""

    channels: list[Descriptor]


class Claims(msgspec.Struct, frozen=True):
    """A channel's claims, in the order of their grants."""

    claims: list[Claim]


class Head(msgspec.Struct, frozen=True):
    """A position in the log."""

    cursor: int


class Artifact(msgspec.Struct, frozen=True):
    """Where evidence is kept."""

    uri: str
    sha256: str
    size: int


class Minted(msgspec.Struct, frozen=True):
    """A token, shown once, and whom it stands for."""

    token: str
    agent_id: str
    owner: str


class Revoked(msgspec.Struct, frozen=True):
    """Whether any token was revoked."""

    revoked: bool


class Healthy(msgspec.Struct, frozen=True):
    """It answers."""

    ok: Literal[True]


class Ready(msgspec.Struct, frozen=True):
    """It takes writes."""

    ready: Literal[True]


class _Appended(msgspec.Struct):
    message: msgspec.Raw
    cursor: int


class _Page(msgspec.Struct):
    messages: list[msgspec.Raw]
    cursor: int


class _Granted(_Appended, tag="granted", tag_field="outcome"):
    pass


class _Taken(msgspec.Struct):
    outcome: Literal["granted", "queued", "already_yours", "already_claimed"]
    claim: Claim | None = None
    conflicts: tuple[Claim, ...] = ()


_decode_taken = msgspec.json.Decoder(_Taken).decode
_decode_appended = msgspec.json.Decoder(_Appended).decode
_decode_page = msgspec.json.Decoder(_Page).decode
_decode_claim = msgspec.json.Decoder(_Granted | AlreadyClaimed | NotHeld).decode
_decode_head = msgspec.json.Decoder(Head).decode
_decode_channels = msgspec.json.Decoder(Channels).decode
_decode_claims = msgspec.json.Decoder(Claims).decode
_decode_minted = msgspec.json.Decoder(Minted).decode
_decode_artifact = msgspec.json.Decoder(Artifact).decode
_EMPTY_PAGE = b'{"messages":[],"cursor":%d}'


def plain(kind: Any, shown: str, schema: str = "") -> Codec[Any]:
    """What is encoded as it is."""
    decode = msgspec.json.Decoder(kind).decode
    return Codec(
        encode=_encode, decode=lambda body, _status: decode(body), schema=schema or kind.__name__, shown=shown
    )


def listed(name: str, schema: str, shown: str, decode: Callable[[bytes], list[T]]) -> Codec[list[T]]:
    """A list under a name, each of which is encoded as it is, when it is its turn."""

    def parts(items: list[T]) -> Iterator[bytes]:
        yield f'{{"{name}":['.encode()
        for number, item in enumerate(items):
            yield (b"," if number else b"") + _encode(item)
        yield b"]}"

    return Codec(
        encode=lambda items: b"".join(parts(items)),
        decode=lambda body, _status: decode(body),
        schema=schema,
        shown=shown,
        parts=parts,
        length=lambda items: sum(map(len, parts(items))),
    )


def _encode_appended(appended: Appended) -> bytes:
    return b'{"message":%b,"cursor":%d}' % (appended.message_json, appended.cursor)


def _read_appended(body: bytes, _status: int) -> Appended:
    read = _decode_appended(body)
    return Appended(_message_json(read.message), read.cursor)


PAGES: Final = 16
"""So many pages are kept as they were encoded last, each of no more bytes than a slice."""
_encoded: dict[int, tuple[Page, bytes]] = {}
"""Pages that were encoded lately, by their addresses: many read the same one, and it is joined once."""


def _encode_page(page: Page) -> bytes:
    if not page.messages_json:
        return _EMPTY_PAGE % page.cursor
    known = _encoded.get(id(page))
    if known is not None and known[0] is page:
        return known[1]
    body = b'{"messages":[%b],"cursor":%d}' % (b",".join(page.messages_json), page.cursor)
    if len(body) <= SLICE:
        while len(_encoded) >= PAGES:
            del _encoded[next(iter(_encoded))]
        _encoded[id(page)] = (page, body)
    return body


def _page_length(page: Page) -> int:
    known = _encoded.get(id(page))
    if known is not None and known[0] is page:
        return len(known[1])
    count = len(page.messages_json)
    return sum(map(len, page.messages_json)) + max(0, count - 1) + len(_EMPTY_PAGE % page.cursor)


def _page_parts(page: Page) -> Iterator[bytes]:
    yield b'{"messages":['
    for number, message_json in enumerate(page.messages_json):
        if number:
            yield b","
        yield message_json
    yield b'],"cursor":%d}' % page.cursor


def _read_page(body: bytes, _status: int) -> Page:
    read = _decode_page(body)
    return Page(tuple(_message_json(one) for one in read.messages), read.cursor)


def _encode_claim(result: ClaimResult) -> bytes:
    if isinstance(result, Granted):
        return b'{"outcome":"granted","message":%b,"cursor":%d}' % (result.message_json, result.cursor)
    return _encode(result)


def _read_claim(body: bytes, _status: int) -> ClaimResult:
    read = _decode_claim(body)
    return Granted(_message_json(read.message), read.cursor) if isinstance(read, _Granted) else read


def _read_taken(body: bytes, _status: int) -> TakeResult:
    read = _decode_taken(body)
    if read.outcome == "already_claimed":
        return Conflicting(read.conflicts)
    if read.claim is None:
        raise ValueError("no claim")
    return Taken(read.outcome, read.claim)


def _encode_artifact(stored: StoredArtifact) -> bytes:
    return _encode(Artifact(stored.uri, stored.sha256, stored.size))


def _read_artifact(body: bytes, status: int) -> StoredArtifact:
    read = _decode_artifact(body)
    return StoredArtifact(read.uri, read.sha256, read.size, deduplicated=status == 200)


def _encode_token(minted: tuple[str, Identity]) -> bytes:
    token, identity = minted
    return _encode(Minted(token, identity.agent_id, identity.owner))


def _read_token(body: bytes, _status: int) -> tuple[str, Identity]:
    read = _decode_minted(body)
    return read.token, Identity(read.agent_id, read.owner)


def _message_json(raw: msgspec.Raw) -> bytes:
    data = bytes(raw)
    Message.from_json(data)  # what is no message must not be found out only when it is read
    return data


def _slices(data: bytes) -> Iterator[bytes]:
    view = memoryview(data)
    return (bytes(view[start : start + SLICE]) for start in range(0, len(data), SLICE))


def _as_it_is(body: bytes, _status: int = 200) -> bytes:
    return body


HEALTHY: Final[Codec[Healthy]] = plain(Healthy, '`{"ok": true}`')
READY: Final[Codec[Ready]] = plain(Ready, '`{"ready": true}`')
CHANNEL: Final[Codec[Descriptor]] = plain(Descriptor, "channel", "Channel")
REVOKED: Final[Codec[Revoked]] = plain(Revoked, '`{"revoked": bool}`')
CHANNELS: Final[Codec[list[Descriptor]]] = listed(
    "channels",
    "Channels",
    '`{"channels": [channel, ...]}`, oldest first',
    lambda body: _decode_channels(body).channels,
)
CLAIMS: Final[Codec[list[Claim]]] = listed(
    "claims",
    "Claims",
    '`{"claims": [claim, ...]}`, in the order of their grants, then the queue',
    lambda body: _decode_claims(body).claims,
)
ONE_CLAIM: Final[Codec[Claim]] = plain(Claim, "claim", "StandingClaim")
TAKEN: Final[Codec[TakeResult]] = Codec(
    encode=_encode,
    decode=_read_taken,
    schema="TakeResult",
    shown='`{"outcome", "claim"}`, 202 if it waits, 200 if it was yours; 200 `{"outcome", "conflicts"}`',
)
RELEASED: Final[Codec[Released]] = plain(Released, '`{"released": true}`')
CURSOR: Final[Codec[int]] = Codec(
    encode=lambda cursor: _encode(Head(cursor)),
    decode=lambda body, _status: _decode_head(body).cursor,
    schema="Cursor",
    shown='`{"cursor": head}`',
)
APPENDED: Final[Codec[Appended]] = Codec(
    encode=_encode_appended, decode=_read_appended, schema="Appended", shown='`{"message", "cursor"}`'
)
PAGE: Final[Codec[Page]] = Codec(
    encode=_encode_page,
    decode=_read_page,
    schema="Page",
    shown='`{"messages": [...], "cursor"}`',
    parts=_page_parts,
    length=_page_length,
)
CLAIM: Final[Codec[ClaimResult]] = Codec(
    encode=_encode_claim, decode=_read_claim, schema="ClaimResult", shown="claim result"
)
ARTIFACT: Final[Codec[StoredArtifact]] = Codec(
    encode=_encode_artifact,
    decode=_read_artifact,
    schema="Artifact",
    shown='`{"uri", "sha256", "size"}`; 200 if they were there',
)
MINTED: Final[Codec[tuple[str, Identity]]] = Codec(
    encode=_encode_token,
    decode=_read_token,
    schema="Minted",
    shown='`{"token", "agent_id", "owner"}`',
)
BYTES: Final[Codec[bytes]] = Codec(
    encode=_as_it_is,
    decode=_as_it_is,
    shown=f"`{OCTETS}`",
    content_type=OCTETS,
    parts=_slices,
    length=len,
)
EVENTS: Final[Codec[bytes]] = Codec(
    encode=_as_it_is,
    decode=_as_it_is,
    shown=f"`{EVENT_STREAM}`",
    content_type=f"{EVENT_STREAM}; charset=utf-8",
)
DESCRIPTION: Final[Codec[bytes]] = Codec(
    encode=_as_it_is, decode=_as_it_is, shown="the OpenAPI 3.1 description"
)
RPC: Final[Codec[bytes]] = Codec(encode=_as_it_is, decode=_as_it_is, shown="a JSON-RPC 2.0 response")
HOOKED: Final[Codec[bytes]] = Codec(
    encode=_as_it_is, decode=_as_it_is, shown="what the harness takes; `{}` for nothing"
)
HTML: Final[Codec[bytes]] = Codec(
    encode=_as_it_is, decode=_as_it_is, shown="`text/html`", content_type="text/html; charset=utf-8"
)
PART: Final[Codec[bytes]] = Codec(encode=_as_it_is, decode=_as_it_is, shown="what it is", content_type="*/*")
METRICS: Final[Codec[bytes]] = Codec(
    encode=_as_it_is,
    decode=_as_it_is,
    shown="`text/plain`, the Prometheus text format",
    content_type="text/plain; version=0.0.4; charset=utf-8",
    parts=_slices,
    length=len,
)
