"""The message: its fields, told once, and what makes two targets one (docs/protocol.md)."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec.structs import asdict
from ulid import ULID

from caucus.errors import InvalidMessage
from caucus.model.fields import (
    Body,
    Heartbeat,
    Lease,
    Maybe,
    MessageType,
    Name,
    Recipients,
    Stamp,
    Status,
    Target,
    Ulid,
)
from caucus.model.text import trim

SCHEMA_VERSION: Final = 1
CLAIM_ONLY: Final = ("target", "lease_ttl", "heartbeat")
"""The fields that a claim may have, and no message of another type."""

_decode_object = msgspec.json.Decoder(dict[str, object]).decode


def new_msg_id() -> str:
    """A fresh ULID: 26 upper-case Crockford base-32 characters."""
    return str(ULID())


class AnyMessage(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """A message, in the order in which its fields are stored. ``None`` means that a field is absent.

    Lengths count code points.

    - ``type``: ``finding``, ``claim``, ``status``, ``question``, ``answer``, ``note`` or ``steer``.
    - ``body``: 1 to 16,000, no control characters but tab and newline.
    - ``msg_id``, ``thread``, ``reply_to``: a ULID, 26 upper-case Crockford base-32 characters.
    - ``agent_id``, ``owner``, ``artifact``: 1 to 1,024, no control characters.
    - ``to``: 1 to 32 names under the same rule.
    - ``status``: ``needs-response``, ``resolved`` or ``fyi``.
    - for a claim only: ``target``, not blank, at most 1,024, no control characters; ``lease_ttl``,
      a positive integer, seconds; ``heartbeat``, a boolean.
    """

    type: MessageType
    agent_id: Maybe[Name] = None
    owner: Maybe[Name] = None
    msg_id: Ulid
    body: Body
    thread: Maybe[Ulid] = None
    reply_to: Maybe[Ulid] = None
    to: Maybe[Recipients] = None
    status: Maybe[Status] = None
    artifact: Maybe[Name] = None
    target: Maybe[Target] = None
    lease_ttl: Maybe[Lease] = None
    heartbeat: Maybe[Heartbeat] = None
    v: Maybe[int] = None
    ts: Maybe[Stamp] = None


class _Named(AnyMessage, kw_only=True):
    """A message that is given a name where it has none."""

    msg_id: Ulid = msgspec.field(default_factory=new_msg_id)


class Message(_Named, frozen=True, kw_only=False):  # type: ignore[misc]  # msgspec allows it
    """One message, to be sent or as it was stored. Its fields are those of `AnyMessage`.

    ``msg_id`` is filled in with a fresh ULID; ``agent_id`` and ``owner`` may be left out over
    HTTP, where the server sets them from the token. ``v`` and ``ts`` are the server's. The backbone
    checks the fields, not this class.
    """

    type: MessageType
    body: Body

    @classmethod
    def from_json(cls, data: bytes) -> Message:
        """Read a stored message. Fields that this version does not know are left out.

        Raises `ValueError` if ``data`` is no JSON object with a type, a body and a msg_id.
        """
        try:
            stored = _decode_object(data)
        except msgspec.DecodeError as error:
            raise ValueError("not a stored message") from error
        known = {name: value for name, value in stored.items() if name in FIELDS}
        if not all(isinstance(known.get(name), str) for name in ("type", "body", "msg_id")):
            raise ValueError("not a stored message")
        if "to" in known:
            recipients = known["to"]
            known["to"] = tuple(recipients) if isinstance(recipients, list) else None
        return cls(**known)  # type: ignore[arg-type]  # a stored message was validated by its server


MessageFields = AnyMessage | Mapping[str, object]
"""What the operations take for a message: a `Message`, or a mapping of its fields by their names."""

FIELDS: Final = frozenset(AnyMessage.__struct_fields__)


def taken_over(message: MessageFields) -> MessageFields:
    """The message as it is now, whatever its caller does to a mapping later."""
    if not isinstance(message, dict):
        return message
    return {name: [*value] if isinstance(value, list) else value for name, value in message.items()}


def fields_of(message: MessageFields) -> dict[str, object]:
    """The fields that are present, in order; a field that is ``None`` is absent.

    Raises `InvalidMessage` for what is neither a `Message` nor a mapping.
    """
    if not isinstance(message, AnyMessage | Mapping):
        raise InvalidMessage(("it must be a Message, or a mapping of its fields",))
    given = asdict(message) if isinstance(message, AnyMessage) else message
    return {name: value for name, value in given.items() if value is not None}


def target_key(target: str) -> str:
    """What decides whether two targets are one: trimmed, then Unicode NFC. Case and inner spaces count."""
    return unicodedata.normalize("NFC", trim(target))
