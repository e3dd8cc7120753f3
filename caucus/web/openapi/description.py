"""The OpenAPI 3.1 description of the operations, as it is served at ``/openapi.json``."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any, Final

from caucus.agents.dialects import DIALECTS
from caucus.errors import CaucusError, ClaimLost, IdempotencyMismatch, Unauthorized
from caucus.model.fields import CHANNEL_PATTERN, SHA256_PATTERN
from caucus.web.openapi.schemas import SCHEMAS, TARGET, Schema, ecma, ref
from caucus.wire.answers import OCTETS
from caucus.wire.jsontext import encode_json
from caucus.wire.operation import Operation
from caucus.wire.operations import EVERYWHERE, OPERATIONS
from caucus.wire.refusals import STATUS

_VARIABLES: Final = {
    "channel": CHANNEL_PATTERN,
    "sha256": SHA256_PATTERN,
    "claim": r"^[1-9][0-9]{0,15}\Z",
    "cursor": r"^[1-9][0-9]{0,14}\Z",
    "dialect": rf"^({'|'.join(DIALECTS)})\Z",
    "event": r"^[A-Za-z]{1,64}\Z",
    "version": r"^[a-z0-9]{1,64}\Z",
    "part": r"^[a-z_]{1,64}\.(css|js|svg)\Z",
}
_IDEMPOTENCY_KEY: Final[Schema] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Makes a retry safe: the same request with the same key gets the first answer again.",
    "schema": {"type": "string", "pattern": r"^[\x21-\x7e]{1,128}$"},
}
_IF_CLAIM: Final = (
    "With a header `If-Claim: <claim>;fence=<fence>` it is written only if the caller holds that claim by "
    "exactly that grant in the step of the write; else it is 409 `claim_lost`."
)
"""No parameter: the tool that holds the server to this description makes `0` of its pattern."""
_ROOM: Final = r"^(\*|[a-z0-9][a-z0-9-]{0,63}(:[0-9]{1,15})?)?$"
_WAIT: Final[Schema] = {
    "name": "wait",
    "in": "query",
    "description": "Seconds: answers only once there is what is waited for, or after so long.",
    "schema": {"type": "number", "minimum": 0, "maximum": 50},
}
_ROOM_OF: Final[Schema] = {
    "name": "room",
    "in": "query",
    "schema": {"type": "string", "pattern": ecma(CHANNEL_PATTERN)},
}
_FURTHER: Final[dict[str, list[Schema]]] = {
    "mcp": [_ROOM_OF],
    "hook": [
        _ROOM_OF,
        {"name": "guard", "in": "query", "schema": {"enum": ["off", "warn", "deny"]}},
        {"name": "remind", "in": "query", "schema": {"type": "boolean"}},
    ],
    "stream": [
        {"name": "since", "in": "query", "schema": {"type": "integer", "minimum": 0, "maximum": 2**53 - 1}},
        {"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}},
    ],
    "read_feed": [
        {
            "name": "room",
            "in": "query",
            "description": "A channel, or `name:cursor`, which begins there; `*`, or none, is all.",
            "schema": {"type": "array", "items": {"type": "string", "pattern": _ROOM}},
        },
        {"name": "since", "in": "query", "description": "A position.", "schema": {"type": "string"}},
        _WAIT,
        {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 10**15 - 1}},
        {
            "name": "Last-Event-ID",
            "in": "header",
            "description": "A position, which wins over `since`, where a stream of events is accepted.",
            "schema": {"type": "string"},
        },
    ],
    "who": [
        {
            "name": "channel",
            "in": "query",
            "description": "Only those who asked about it.",
            "schema": {"type": "string", "pattern": r"^([a-z0-9][a-z0-9-]{0,63})?$"},
        }
    ],
    "read_inbox": [
        {"name": "since", "in": "query", "description": "A position.", "schema": {"type": "string"}},
        _WAIT,
        {
            "name": "all",
            "in": "query",
            "description": "Also what is acked or answered.",
            "schema": {"type": "boolean"},
        },
    ],
    "get_claim": [
        {
            "name": "fence",
            "in": "query",
            "description": "Asks whether exactly this grant is live.",
            "schema": {"type": "integer", "minimum": 1, "maximum": 10**16 - 1},
        },
        _WAIT,
    ],
    "list_claims": [
        {"name": "owner", "in": "query", "schema": {"type": "string"}},
        {"name": "agent_id", "in": "query", "schema": {"type": "string"}},
        {"name": "state", "in": "query", "schema": {"enum": ["held", "waiting"]}},
        {
            "name": "target",
            "in": "query",
            "description": "Only what an exclusive claim on it would conflict with.",
            "schema": {"type": "array", "items": TARGET},
        },
    ],
}
"""The parameters of some operations beside the path and the body."""
_OPAQUE: Final[dict[str, Schema]] = {
    "text/plain": {"type": "string"},
    "text/event-stream": {"type": "string"},
    "text/html": {"type": "string"},
}
"""What answers are that have no schema: any JSON, any bytes, or text."""


def _json(schema: str) -> Schema:
    return {"application/json": {"schema": ref(schema)}}


def _operation(operation: Operation[Any]) -> Schema:
    answer = operation.answer
    kind = answer.content_type.partition(";")[0]
    content = {kind: {"schema": ref(answer.schema) if answer.schema else _OPAQUE.get(kind, {})}}
    if operation.live is not None:
        live = operation.live.content_type.partition(";")[0]
        content[live] = {"schema": _OPAQUE[live]}
    answers: Schema = {str(one): {"description": "", "content": content} for one in operation.successes}
    if operation.body == "rpc":
        answers.get("202", {}).pop("content", None)  # where nothing was asked
    described: Schema = {
        "operationId": operation.name,
        "summary": operation.summary,
        "responses": _both(answers, _refusals(operation)),
    }
    if operation.body == "bytes":
        described["requestBody"] = {"required": True, "content": {OCTETS: {"schema": {}}}}
    elif operation.request:
        described["requestBody"] = {"required": True, "content": _json(operation.request)}
    if operation.authority == "writer or admin":
        described["security"] = [{"bearer": []}, {"admin": []}]
    elif operation.authority in ("writer", "admin"):
        described["security"] = [{"bearer" if operation.authority == "writer" else "admin": []}]
    elif operation.authority == "reader":
        described["security"] = [{}, {"bearer": []}]
    if operation.is_repeatable:
        described["description"] = _IF_CLAIM
    parameters = [*_FURTHER.get(operation.name, ()), *([_IDEMPOTENCY_KEY] if operation.is_repeatable else ())]
    if parameters:
        described["parameters"] = parameters
    return described


def _both(answers: Schema, refusals: Schema) -> Schema:
    """The responses of an operation; a status that both have says either."""
    both = {**answers, **refusals}
    for status in answers.keys() & refusals.keys():
        either = [one[status]["content"]["application/json"]["schema"] for one in (answers, refusals)]
        both[status] = {**refusals[status], "content": {"application/json": {"schema": {"anyOf": either}}}}
    return both


def _refusals(operation: Operation[Any]) -> Schema:
    """The responses of what it can be refused with, by status; each names its codes."""
    own: list[type[CaucusError]] = [*EVERYWHERE, *operation.errors]
    if operation.authority != "anybody":
        own.append(Unauthorized)
    if operation.is_repeatable:
        own += [IdempotencyMismatch, ClaimLost]
    codes: dict[int, list[str]] = {}
    for error, status in STATUS.items():
        if issubclass(error, tuple(own)):
            codes.setdefault(status, []).append(error.code)
    return {
        str(status): {"description": ", ".join(named), "content": _json("Error")}
        for status, named in sorted(codes.items())
    }


def _paths() -> Schema:
    paths: Schema = {}
    for operation in OPERATIONS:
        item = paths.setdefault(operation.at, {})
        variables = [one[1:-1] for one in operation.segments if one.startswith("{")]
        if variables:
            item["parameters"] = [
                {
                    "name": name,
                    "in": "path",
                    "required": True,
                    "schema": {"type": "string", "pattern": ecma(_VARIABLES[name])},
                }
                for name in variables
            ]
        item[operation.method.lower()] = _operation(operation)
    return paths


@cache
def description() -> bytes:
    """The description, as JSON."""
    return encode_json(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Caucus",
                "version": version("caucus-backbone"),
                "description": "The coordination backbone that engineers and their AI agents share.",
                "license": {"name": "MIT", "identifier": "MIT"},
            },
            "paths": _paths(),
            "components": {
                "schemas": SCHEMAS,
                "securitySchemes": {
                    "bearer": {
                        "type": "http",
                        "scheme": "bearer",
                        "description": "A write token; reads need one only where the server asks for it.",
                    },
                    "admin": {"type": "http", "scheme": "bearer", "description": "The admin token."},
                },
            },
        }
    )
