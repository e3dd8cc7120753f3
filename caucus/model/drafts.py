"""A message on its way into the log: one typed pass finds a good one good, then it is stamped and encoded.

The typed pass says no more than yes or no. What is wrong with a message is named by
`caucus.model.validation.validate`, which a good one never sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter

import msgspec

from caucus.errors import InvalidMessage
from caucus.model.fields import as_integer
from caucus.model.messages import CLAIM_ONLY, SCHEMA_VERSION, AnyMessage, MessageFields, fields_of
from caucus.model.plain import is_plain, unsearched
from caucus.model.text import trim
from caucus.model.validation import validate


class Draft(AnyMessage):
    """A message that keeps the rules of its fields.

    It comes from `read_draft` or `drafted` and not from its constructor, which checks nothing. An
    operation that is given one takes it over, and sets ``v`` and ``ts``.
    """


_decode = msgspec.json.Decoder(Draft).decode
_decode_plain = msgspec.json.Decoder(unsearched(Draft)).decode
_encode_into = msgspec.json.Encoder(enc_hook=str).encode_into  # for subclasses of str
_buffer = bytearray()
_claim_only = attrgetter(*CLAIM_ONLY)
_NOTHING = (None,) * len(CLAIM_ONLY)


def read_draft(body: bytes) -> Draft | None:
    """The message in a JSON text, or ``None`` if anything about it is wrong: no JSON, no object, no message.

    Who speaks may still be missing.
    """
    try:
        draft = _decode_plain(body) if is_plain(body) else _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return draft if _fields_agree(draft) else None


def drafted(message: MessageFields, *, claim: bool) -> Draft:
    """The message, held to the type rule and to the rules of its fields.

    Raises `InvalidMessage` with one issue for the type rule, else with every problem together.
    """
    if isinstance(message, Draft):
        _require_type(message.type, claim=claim)
        if message.agent_id is None or message.owner is None:
            validate(fields_of(message))
        return message
    fields = fields_of(message)
    _require_type(fields.get("type"), claim=claim)
    try:
        draft = msgspec.convert(fields, Draft)
    except msgspec.ValidationError:
        draft = None
    if draft is None or draft.agent_id is None or draft.owner is None or not _fields_agree(draft):
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


def _require_type(kind: object, *, claim: bool) -> None:
    """The type rule: claims go through the claim operations, and nothing else does."""
    if claim and kind != "claim":
        raise InvalidMessage(("type: must be claim for this operation",))
    if not claim and kind == "claim":
        raise InvalidMessage(("type: a claim goes through the claim operations",))


def _fields_agree(draft: Draft) -> bool:
    """Whether what a claim needs is there, and nothing of it on another type."""
    if draft.type == "claim":
        return draft.target is not None and trim(draft.target) != ""
    return _claim_only(draft) == _NOTHING


def _of_good(fields: Mapping[str, object]) -> Draft:
    """Of what the typed pass is too strict for, such as a lease of ``60.0``."""
    values = dict(fields)
    if "lease_ttl" in values:
        values["lease_ttl"] = as_integer(values["lease_ttl"])
    return Draft(**values)  # type: ignore[arg-type]  # they were found good, one by one
