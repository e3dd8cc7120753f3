"""The schemas of the OpenAPI description: made of the types that read and write the bodies."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from caucus.model.claims import Conflicting, Mode, Renewal, Taken
from caucus.model.drafts import Draft
from caucus.model.feed import BoardChanged, ChannelMade, ClaimChange
from caucus.model.fields import (
    SHORT_TEXT,
    TYPES,
    Body,
    ChannelName,
    Cursor,
    Maybe,
    Name,
    Purpose,
    RenderBudget,
    Target,
    Ulid,
    Verbosity,
)
from caucus.model.messages import CLAIM_ONLY
from caucus.model.presence import STATES, Acknowledged, Presence, Receipt, Whoami
from caucus.model.records import AlreadyClaimed, Descriptor, NotHeld, Released
from caucus.model.text import CONTROL_CODES, SURROGATE_CODES
from caucus.model.views import LONGEST_WAIT
from caucus.model.wanted import LONGEST_LEASE, MOST_TARGETS, SHORTEST_LEASE
from caucus.wire import answers, refusals

Schema = dict[str, Any]


class NewChannel(msgspec.Struct):
    """What a channel is created with."""

    channel: ChannelName
    purpose: Maybe[Purpose] = None
    verbosity: Maybe[Verbosity] = None
    render_budget_chars: Maybe[RenderBudget] = msgspec.field(default=None, name="renderBudgetChars")


class Acking(msgspec.Struct, forbid_unknown_fields=True):
    """Which message was taken note of."""

    channel: ChannelName
    cursor: Annotated[int, Meta(ge=1)]


class Read(msgspec.Struct):
    """Where to read on."""

    cursor: Cursor
    limit: Maybe[Annotated[int, Meta(ge=1)]] = None
    wait: Maybe[Annotated[float, Meta(ge=0, le=LONGEST_WAIT)]] = None


class NamedIdentity(msgspec.Struct):
    """Whom something is given to, or made for."""

    agent_id: Name
    owner: Name


class Reason(msgspec.Struct, forbid_unknown_fields=True):
    """Why a claim is ended."""

    reason: Body


_Targets = Annotated[tuple[Target, ...], Meta(min_length=1, max_length=MOST_TARGETS)]
_LeaseSeconds = Annotated[int, Meta(ge=SHORTEST_LEASE, le=LONGEST_LEASE)]


class WantedClaim(msgspec.Struct, forbid_unknown_fields=True):
    """What a claim is asked for with."""

    targets: _Targets
    note: Body
    mode: Maybe[Mode] = None
    lease_ttl: Maybe[_LeaseSeconds] = None
    renewal: Maybe[Renewal] = None
    wait: Maybe[bool] = None
    takeover: Maybe[bool] = None
    msg_id: Maybe[Ulid] = None
    thread: Maybe[Ulid] = None
    artifact: Maybe[Name] = None


class Renewing(msgspec.Struct, forbid_unknown_fields=True):
    """For how long a claim goes on."""

    lease_ttl: Maybe[_LeaseSeconds] = None


class Releasing(msgspec.Struct, forbid_unknown_fields=True):
    """How a claim is given back."""

    note: Maybe[Body] = None
    done: Maybe[bool] = None


class Recipient(msgspec.Struct, forbid_unknown_fields=True):
    """Whom a claim is offered to."""

    owner: Name
    agent_id: Maybe[Name] = None


class Offering(msgspec.Struct, forbid_unknown_fields=True):
    """How a claim is offered."""

    to: Recipient
    note: Maybe[Body] = None
    expires_in: Maybe[Annotated[int, Meta(ge=1, le=LONGEST_LEASE)]] = None


class Answering(msgspec.Struct, forbid_unknown_fields=True):
    """How an offer is answered."""

    note: Maybe[Body] = None


class Rpc(msgspec.Struct):
    """A message of JSON-RPC 2.0: a request, a notification or a response."""

    jsonrpc: Literal["2.0"]
    id: str | int | None = None
    method: str | None = None
    params: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


_TYPES: Final = (
    Draft,
    Rpc,
    Reason,
    WantedClaim,
    Renewing,
    Releasing,
    Offering,
    Answering,
    Taken,
    Conflicting,
    NewChannel,
    Read,
    NamedIdentity,
    Descriptor,
    AlreadyClaimed,
    NotHeld,
    Acking,
    Acknowledged,
    Presence,
    Whoami,
    Receipt,
    ClaimChange,
    BoardChanged,
    ChannelMade,
    answers.Channels,
    answers.Claims,
    answers.Head,
    Released,
    answers.Artifact,
    answers.Minted,
    answers.Revoked,
    answers.Healthy,
    answers.Ready,
    refusals.ErrorBody,
)
_PART: Final = f"[^*{CONTROL_CODES}]"
_SEEN: Final = rf"[^*\s{CONTROL_CODES}]"
TARGET: Final[Schema] = {
    "type": "string",
    "minLength": 1,
    "maxLength": SHORT_TEXT,
    "pattern": rf"^ *(\*\*|{_PART}*{_SEEN}{_PART}*(/\*\*)?|{_PART}*/\*\*) *$",
}
"""A target: no ``*`` but at its end."""
_NAMES: Final = {
    "Descriptor": "Channel",
    "NamedIdentity": "Identity",
    "ErrorBody": "Error",
    "Head": "Cursor",
    "Claim": "StandingClaim",
    "Identity": "Agent",
}


def ref(name: str) -> Schema:
    """A reference to one of the schemas."""
    return {"$ref": f"#/components/schemas/{name}"}


def ecma(pattern: str) -> str:
    """A pattern of ours as ECMA-262 has it, where ``$`` is the end and nothing else.

    Unpaired surrogates need no mention: JSON in UTF-8 has none, and not every reader knows of them.
    """
    return pattern.replace(SURROGATE_CODES, "").replace(r"\Z", "$")


def _generated() -> dict[str, Schema]:
    _, found = msgspec.json.schema_components(_TYPES, ref_template="{name}")
    cleaned = {_NAMES.get(name, name): _cleaned(schema) for name, schema in found.items()}
    for schema in cleaned.values():
        schema.pop("description", None)  # it speaks of Python
    return cleaned


def _cleaned(schema: Any) -> Any:
    """Without what only Python knows: ``null`` for what is absent, and titles."""
    if isinstance(schema, list):
        return [_cleaned(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "pattern" in schema:
        schema = {**schema, "pattern": ecma(schema["pattern"])}
    if "$ref" in schema:
        return ref(_NAMES.get(schema["$ref"], str(schema["$ref"])))
    alternatives = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    rest = {
        name: _cleaned(value) for name, value in schema.items() if name not in ("title", "default", "anyOf")
    }
    return {**_cleaned(alternatives[0]), **rest} if len(alternatives) == 1 else rest


def _object(properties: Schema, *optional: str) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def _sent(draft: Schema, *, claim: bool, **changed: Schema) -> Schema:
    """A message as a client sends it, of the fields that it may have."""
    ignored = {
        "v": {"description": "Ignored; the server sets 1."},
        "agent_id": {"description": "Ignored; the token says."},
        "owner": {"description": "Ignored; the token says."},
    }
    kinds = {"const": "claim"} if claim else {"enum": sorted(TYPES - {"claim"})}
    properties = {**draft["properties"], **ignored, "type": kinds, **changed}
    needed = [*draft["required"]]
    if claim:
        needed += [name for name in ("target", "assignee") if name in properties]
    else:
        properties = {name: schema for name, schema in properties.items() if name not in CLAIM_ONLY}
    return {"type": "object", "properties": properties, "required": needed, "additionalProperties": False}


def _stored(draft: Schema) -> Schema:
    """A message as it was stored, with what the server has set; others may come to it."""
    properties = {**draft["properties"], "v": {"const": 1}}
    return {**_object(properties), "required": [*draft["required"], "agent_id", "owner", "v", "ts"]}


def _feed(schemas: dict[str, Schema], cursor: Schema) -> Schema:
    """A page of a feed."""
    told = {
        "channel": {"type": "string"},
        "cursor": cursor,
        "message": ref("Message"),
        "change": schemas.pop("ClaimChange"),
    }
    board = {**schemas.pop("BoardChanged"), "required": ["channel", "board"]}
    events = [_object(told, "change"), schemas.pop("ChannelMade"), board]
    listed = {"type": "array", "items": {"oneOf": events}}
    names = {"type": "array", "items": {"type": "string"}}
    return _object({"events": listed, "since": {"type": "string"}, "reset": names}, "reset")


def _schemas() -> Schema:
    """Every schema, by its name."""
    schemas = _generated()
    draft = schemas.pop("Draft")
    cursor = schemas["Read"]["properties"]["cursor"]
    schemas["Cursor"]["properties"]["cursor"] = schemas["Channel"]["properties"]["head"] = cursor
    named = {"type": "string", "minLength": 1}
    message, messages = ref("Message"), {"type": "array", "items": ref("Message")}
    granted = _object({"outcome": {"const": "granted"}, "message": message, "cursor": cursor})
    lost = [schemas.pop("AlreadyClaimed"), schemas.pop("NotHeld")]
    standing = schemas["StandingClaim"]["properties"]
    for name in ("fence", "ts", "cursor", "lease_ttl", "expires_in", "offered_to"):
        standing[name] = {"anyOf": [standing[name], {"type": "null"}]}
    offered_to = schemas["Addressee"]["properties"]
    offered_to["agent_id"] = {"anyOf": [offered_to["agent_id"], {"type": "null"}]}
    schemas["WantedClaim"]["properties"]["targets"]["items"] = TARGET
    verbosity = schemas["NewChannel"]["properties"]["verbosity"]
    schemas["Channel"]["properties"]["verbosity"] = {"enum": [*verbosity["enum"]]}
    verbosity["enum"] = [*verbosity["enum"], None]  # alone among the fields
    told = {"channel": {"type": "string"}, "cursor": cursor, "message": message}
    item = {**told, "state": {"enum": [*STATES]}}
    names = {"type": "array", "items": {"type": "string"}}
    receipts = {"type": "array", "items": ref("Receipt")}
    for kind, nullable in (("Receipt", "seen_ago"), ("Whoami", "ends")):
        properties = schemas[kind]["properties"]
        properties[nullable] = {"anyOf": [properties[nullable], {"type": "null"}]}
    return {
        "Post": _sent(draft, claim=False),
        "Claim": _sent(draft, claim=True),
        "Done": _sent(draft, claim=True, status={"description": "Ignored; it becomes resolved."}),
        "Reassignment": _sent(draft, claim=True, assignee=ref("Identity")),
        "Message": _stored(draft),
        "Appended": _object({"message": message, "cursor": cursor}),
        "Feed": _feed(schemas, cursor),
        "Agents": _object({"agents": {"type": "array", "items": ref("Presence")}}),
        "Inbox": _object({"items": {"type": "array", "items": _object(item)}, "since": {"type": "string"}}),
        "ToldMessage": _object({**told, "receipts": receipts, "unreachable": names}),
        "Page": _object({"messages": messages, "cursor": cursor}),
        "ClaimResult": {"oneOf": [granted, *lost]},
        "TakeResult": {"oneOf": [schemas.pop("Taken"), schemas.pop("Conflicting")]},
        "Target": {"anyOf": [_object({"agent_id": named}), _object({"digest": named})]},
        **schemas,
    }


SCHEMAS: Final = _schemas()
