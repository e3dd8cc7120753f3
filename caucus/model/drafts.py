"""A message on its way into the log: one typed pass finds a good one good, then it is stamped and encoded.

The typed pass says no more than yes or no. What is wrong with a message is named by
`caucus.model.messages.validate`, which a good one never sees.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from caucus.model.messages import (
    BODY_TEXT,
    RECIPIENTS,
    SCHEMA_VERSION,
    SHORT_TEXT,
    MessageFields,
    MessageType,
    Status,
    as_integer,
    fields_of,
    require_type,
    validate,
)
from caucus.model.text import trim

_Name = Annotated[
    str, Meta(min_length=1, max_length=SHORT_TEXT, pattern=r"\A[^\x00-\x1f\x7f-\x9f\ud800-\udfff]*\Z")
]
_Body = Annotated[
    str, Meta(min_length=1, max_length=BODY_TEXT, pattern=r"\A[^\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]*\Z")
]
_ULID = Annotated[str, Meta(pattern=r"\A[0-9A-HJKMNP-TV-Z]{26}\Z")]


class Draft(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """A message that keeps the rules of its fields; what is absent is ``UNSET``.

    It comes from `read_draft` or `drafted` and not from its constructor, which checks nothing. It
    is a mapping of the fields that are present, as the operations take one. An operation that is
    given one takes it over, and sets ``v`` and ``ts``.
    """

    type: MessageType
    agent_id: _Name | UnsetType = UNSET
    owner: _Name | UnsetType = UNSET
    msg_id: _ULID
    body: _Body
    thread: _ULID | UnsetType = UNSET
    reply_to: _ULID | UnsetType = UNSET
    to: Annotated[list[_Name], Meta(min_length=1, max_length=RECIPIENTS)] | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    artifact: _Name | UnsetType = UNSET
    target: _Name | UnsetType = UNSET
    lease_ttl: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    heartbeat: bool | UnsetType = UNSET
    v: int | UnsetType = UNSET
    ts: Annotated[str, Meta(min_length=1)] | UnsetType = UNSET

    def __getitem__(self, name: str) -> object:
        value: object = getattr(self, name) if name in self.__struct_fields__ else UNSET
        if value is UNSET:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return (name for name in self.__struct_fields__ if getattr(self, name) is not UNSET)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    __contains__ = Mapping.__contains__
    get = Mapping.get
    keys = Mapping.keys
    items = Mapping.items
    values = Mapping.values


Mapping.register(Draft)
_decode = msgspec.json.Decoder(Draft).decode
_encode_into = msgspec.json.Encoder(enc_hook=str).encode_into  # for subclasses of str
_buffer = bytearray()


def read_draft(body: bytes) -> Draft | None:
    """The message in a JSON text, or ``None`` if anything about it is wrong: no JSON, no object, no message.

    Who speaks may still be missing.
    """
    try:
        draft = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return draft if _fields_agree(draft) else None


def drafted(message: MessageFields, *, claim: bool) -> Draft:
    """The message, held to the type rule and to the rules of its fields.

    Raises `InvalidMessage` with one issue for the type rule, else with every problem together.
    """
    if isinstance(message, Draft):
        require_type(message.type, claim=claim)
        if message.agent_id is UNSET or message.owner is UNSET:
            validate(message)
        return message
    fields = fields_of(message)
    require_type(fields.get("type"), claim=claim)
    try:
        draft = msgspec.convert(fields, Draft)
    except msgspec.ValidationError:
        draft = None
    if draft is None or draft.agent_id is UNSET or draft.owner is UNSET or not _fields_agree(draft):
        validate(fields)
        draft = _of_good(fields)
    return draft


def stamp(draft: Draft, ts: str) -> bytes:
    """The message as it is stored, with ``v`` and ``ts`` set: its JSON, in no more bytes than it has."""
    draft.v = SCHEMA_VERSION
    draft.ts = ts
    # What an encoder returns keeps the room that it grew into; a copy has none to spare.
    _encode_into(draft, _buffer)
    return bytes(_buffer)


def _fields_agree(draft: Draft) -> bool:
    """Whether what a claim needs is there, and nothing of it on another type."""
    if draft.type == "claim":
        return draft.target is not UNSET and trim(draft.target) != ""
    return draft.target is UNSET and draft.lease_ttl is UNSET and draft.heartbeat is UNSET


def _of_good(fields: Mapping[str, object]) -> Draft:
    """Of what the typed pass is too strict for, such as a lease of ``60.0``."""
    values = dict(fields)
    if "lease_ttl" in values:
        values["lease_ttl"] = as_integer(values["lease_ttl"])
    return Draft(**values)  # type: ignore[arg-type]  # they were found good, one by one
