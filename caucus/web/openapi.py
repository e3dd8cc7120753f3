"""The OpenAPI 3.1 description of the routes, as it is served at ``/openapi.json``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from typing import Any, Final

from caucus.model.fields import BODY_TEXT, RECIPIENTS, SHORT_TEXT, STATUSES, TYPES, VERBOSITIES
from caucus.wire.jsontext import encode_json

Schema = dict[str, Any]

_CODES: Final[Mapping[int, str]] = {
    400: "bad_request, invalid_json, invalid_request, invalid_channel_name, invalid_message, invalid_cursor "
    "or artifact_integrity",
    401: "unauthorized: no token, or one that is unknown, revoked or malformed",
    403: "forbidden_origin",
    404: "not_found or unknown_channel",
    405: "method_not_allowed",
    408: "request_timeout",
    409: "channel_exists, duplicate_post, channel_full, channel_limit, token_limit or artifact_limit",
    413: "payload_too_large or artifact_too_large",
    421: "misdirected_request",
    422: "idempotency_mismatch: the key was used for another request",
    429: "rate_limited",
    431: "headers_too_large",
    500: "internal_error",
    503: "overloaded, stream_capacity, storage_unavailable or outcome_unknown",
}
_EVERYWHERE: Final = (400, 403, 408, 413, 421, 431, 500, 503)
"""What any request can be answered with."""

_ULID: Final[Schema] = {"type": "string", "pattern": "^[0-9A-HJKMNP-TV-Z]{26}$"}
_NO_CONTROL: Final = "^[^\\u0000-\\u001F\\u007F-\\u009F]*$"
_TEXT: Final = "^[^\\u0000-\\u0008\\u000B-\\u001F\\u007F-\\u009F]*$"
_NAME: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": SHORT_TEXT, "pattern": _NO_CONTROL}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_CURSOR: Final[Schema] = {"type": "integer", "minimum": 0, "description": "A position in the log."}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: Schema, *optional: str, closed: bool = False) -> Schema:
    shape: Schema = {"type": "object", "properties": properties}
    required = [name for name in properties if name not in optional]
    if required:
        shape["required"] = required
    if closed:
        shape["additionalProperties"] = False
    return shape


def _sent_message(kind: Schema, extra: Schema, *required: str) -> Schema:
    properties = {
        "type": kind,
        "msg_id": _ULID,
        "body": {"type": "string", "minLength": 1, "maxLength": BODY_TEXT, "pattern": _TEXT},
        **extra,
        "v": {"description": "Ignored; the server sets 1."},
        "agent_id": {"description": "Ignored; the token says."},
        "owner": {"description": "Ignored; the token says."},
        "thread": _ULID,
        "reply_to": _ULID,
        "to": {"type": "array", "minItems": 1, "maxItems": RECIPIENTS, "items": _NAME},
        "status": {"enum": sorted(STATUSES)},
        "artifact": _NAME,
        "ts": {"type": "string", "minLength": 1, "description": "Overwritten by the server."},
    }
    needed = ("type", "msg_id", "body", *required)
    return _object(properties, *(name for name in properties if name not in needed), closed=True)


_CLAIM_FIELDS: Final[Schema] = {
    "target": {**_NAME, "description": "Not blank. Two are one if equal after trimming and Unicode NFC."},
    "lease_ttl": {"type": "integer", "minimum": 1, "description": "Seconds; without it, for ever."},
    "heartbeat": {"type": "boolean", "description": "Renews a claim that the caller's owner holds."},
}
_CLAIM_MESSAGE: Final = _sent_message({"const": "claim"}, _CLAIM_FIELDS, "target")
_IDENTITY: Final = _object({"agent_id": _NAME, "owner": _NAME})

_SCHEMAS: Final[Schema] = {
    "Post": _sent_message({"enum": sorted(TYPES - {"claim"})}, {}),
    "Claim": _CLAIM_MESSAGE,
    "Done": {
        **_CLAIM_MESSAGE,
        "properties": {
            **_CLAIM_MESSAGE["properties"],
            "status": {"description": "Ignored; it becomes resolved."},
        },
    },
    "Reassignment": {
        **_CLAIM_MESSAGE,
        "properties": {**_CLAIM_MESSAGE["properties"], "assignee": _ref("Identity")},
        "required": [*_CLAIM_MESSAGE["required"], "assignee"],
    },
    "Identity": _IDENTITY,
    "Message": _object(
        {
            "v": {"const": 1},
            "type": {"enum": sorted(TYPES)},
            "agent_id": {"type": "string"},
            "owner": {"type": "string"},
            "msg_id": {"type": "string"},
            "body": {"type": "string"},
            "ts": {"type": "string", "description": "Opaque; rises strictly within a server."},
        }
    ),
    "NewChannel": _object(
        {
            "channel": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,63}$"},
            "purpose": {"type": "string", "maxLength": SHORT_TEXT, "pattern": _TEXT},
            "verbosity": {"enum": [*sorted(VERBOSITIES), None]},
            "renderBudgetChars": {"type": "integer", "minimum": 1, "maximum": 8000},
        },
        "purpose",
        "verbosity",
        "renderBudgetChars",
    ),
    "Channel": _object(
        {
            "channel": {"type": "string"},
            "kind": {"const": "ephemeral"},
            "purpose": {"type": "string"},
            "verbosity": {"enum": sorted(VERBOSITIES)},
            "renderBudgetChars": {"type": "integer"},
            "created_by": {"type": "string"},
            "created_ts": {"type": "string"},
            "head": _CURSOR,
        },
        "purpose",
    ),
    "Channels": _object({"channels": {"type": "array", "items": _ref("Channel")}}),
    "Cursor": _object({"cursor": _CURSOR}),
    "Read": _object({"cursor": _CURSOR, "limit": {"type": "integer", "minimum": 1}}, "limit"),
    "Page": _object({"messages": {"type": "array", "items": _ref("Message")}, "cursor": _CURSOR}),
    "Appended": _object({"message": _ref("Message"), "cursor": _CURSOR}),
    "ClaimResult": {
        "oneOf": [
            _object({"outcome": {"const": "granted"}, "message": _ref("Message"), "cursor": _CURSOR}),
            _object({"outcome": {"const": "already_claimed"}, "by": _ref("Holder")}),
            _object({"outcome": {"const": "not_held"}}),
        ]
    },
    "Holder": _object({name: {"type": "string"} for name in ("agent_id", "owner", "ts", "msg_id")}),
    "Artifact": _object(
        {"uri": {"type": "string"}, "sha256": {"type": "string"}, "size": {"type": "integer"}}
    ),
    "Minted": _object({name: {"type": "string"} for name in ("token", "agent_id", "owner")}),
    "Target": {
        "anyOf": [
            _object({"agent_id": {"type": "string", "minLength": 1}}),
            _object({"digest": {"type": "string", "minLength": 1}}),
        ]
    },
    "Revoked": _object({"revoked": {"type": "boolean"}}),
    "Healthy": _object({"ok": {"const": True}}),
    "Ready": _object({"ready": {"const": True}}),
    "Detail": _object(
        {
            "field": {"type": "string"},
            "code_point": {"type": "string", "pattern": "^U\\+[0-9A-F]{4,6}$"},
            **dict.fromkeys(("index", "count", "length", "limit", "offset"), _CURSOR),
        },
        "field",
        "code_point",
        "index",
        "count",
        "length",
        "limit",
        "offset",
    ),
    "Error": _object(
        {
            "error": _object(
                {
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                    "issues": {"type": "array", "minItems": 1, "items": {"type": "string"}},
                    "details": {"type": "array", "minItems": 1, "items": _ref("Detail")},
                    "limit": {"type": "integer", "minimum": 1},
                    "retry_after": {"type": "integer", "minimum": 1},
                },
                "issues",
                "details",
                "limit",
                "retry_after",
            )
        }
    ),
}

_CHANNEL: Final[Schema] = {
    "name": "channel",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,63}$"},
}
_ADDRESS: Final[Schema] = {
    "name": "sha256",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
}
_IDEMPOTENCY_KEY: Final[Schema] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Makes a retry safe: the same request with the same key gets the first answer again.",
    "schema": {"type": "string", "pattern": "^[\\u0021-\\u007E]{1,128}$"},
}
_BYTES: Final[Schema] = {"application/octet-stream": {"schema": {}}}


def _json(schema: str) -> Schema:
    return {"application/json": {"schema": _ref(schema)}}


def _operation(
    name: str,
    summary: str,
    answers: Mapping[int, Schema],
    errors: tuple[int, ...] = (),
    body: Schema | None = None,
    token: str | None = None,
    parameters: tuple[Schema, ...] = (),
) -> Schema:
    responses = {str(status): {"description": "", "content": content} for status, content in answers.items()}
    if token == "bearer":  # noqa: S105  # a scheme's name
        errors, parameters = (*errors, 422), (*parameters, _IDEMPOTENCY_KEY)
    for status in sorted({*_EVERYWHERE, *errors, *((401,) if token else ())}):
        responses[str(status)] = {"description": _CODES[status], "content": _json("Error")}
    operation: Schema = {"operationId": name, "summary": summary, "responses": responses}
    if body is not None:
        operation["requestBody"] = {"required": True, "content": body}
    if token is not None:
        operation["security"] = [{token: []}]
    if parameters:
        operation["parameters"] = list(parameters)
    return operation


def _claim(name: str, summary: str, message: str) -> Schema:
    answer = {200: _json("ClaimResult")}
    return {"post": _operation(name, summary, answer, (404, 409, 429), _json(message), "bearer")}


_STREAM: Final = _operation(
    "stream",
    "Each message as a server-sent event, as it is appended. The id is the cursor after it.",
    {200: {"text/event-stream": {"schema": {"type": "string"}}}},
    (404,),
    parameters=(
        {"name": "since", "in": "query", "schema": {"type": "integer", "minimum": 0, "maximum": 2**53 - 1}},
        {"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}},
    ),
)
_PATHS: Final[Schema] = {
    "/healthz": {"get": _operation("healthz", "Whether it answers.", {200: _json("Healthy")})},
    "/readyz": {"get": _operation("readyz", "Whether it takes writes.", {200: _json("Ready")})},
    "/openapi.json": {
        "get": _operation("openapi", "This description.", {200: {"application/json": {"schema": {}}}})
    },
    "/channels": {
        "post": _operation(
            "create_channel",
            "Create a channel.",
            {201: _json("Channel")},
            (409, 429),
            _json("NewChannel"),
            "bearer",
        ),
        "get": _operation("list_channels", "Every channel, oldest first.", {200: _json("Channels")}),
    },
    "/channels/{channel}": {
        "parameters": [_CHANNEL],
        "get": _operation("describe_channel", "A channel and its head.", {200: _json("Channel")}, (404,)),
    },
    "/channels/{channel}/subscribe": {
        "post": _operation("subscribe", "The head, as a cursor.", {200: _json("Cursor")}, (404,))
    },
    "/channels/{channel}/append": {
        "post": _operation(
            "append",
            "Append a message.",
            {201: _json("Appended")},
            (404, 409, 429),
            _json("Post"),
            "bearer",
        )
    },
    "/channels/{channel}/read": {
        "post": _operation(
            "read_since", "The messages after a cursor.", {200: _json("Page")}, (404,), _json("Read")
        )
    },
    "/channels/{channel}/claim": _claim("claim", "Take a target, first write wins.", "Claim"),
    "/channels/{channel}/reassign": _claim("reassign_claim", "Give a target to somebody.", "Reassignment"),
    "/channels/{channel}/done": _claim("mark_claim_done", "Give a target free.", "Done"),
    "/channels/{channel}/artifacts/{sha256}": {
        "parameters": [_CHANNEL, _ADDRESS],
        "put": _operation(
            "put_artifact",
            "Keep bytes under their SHA-256.",
            {200: _json("Artifact"), 201: _json("Artifact")},
            (404, 409),
            _BYTES,
            "bearer",
        ),
        "get": _operation("get_artifact", "The bytes at an address.", {200: _BYTES}, (404,)),
    },
    "/channels/{channel}/stream": {"get": _STREAM},
    "/admin/tokens": {
        "post": _operation(
            "mint", "Make a token, shown once.", {201: _json("Minted")}, (409,), _json("Identity"), "admin"
        )
    },
    "/admin/tokens/revoke": {
        "post": _operation(
            "revoke", "Remove minted tokens.", {200: _json("Revoked")}, (), _json("Target"), "admin"
        )
    },
    "/admin/tokens/rotate": {
        "post": _operation(
            "rotate", "Replace minted tokens.", {201: _json("Minted")}, (409,), _json("Identity"), "admin"
        )
    },
}
for _path, _item in _PATHS.items():
    if "{channel}" in _path:
        _item.setdefault("parameters", [_CHANNEL])


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
            "paths": _PATHS,
            "components": {
                "schemas": _SCHEMAS,
                "securitySchemes": {
                    "bearer": {"type": "http", "scheme": "bearer", "description": "A write token."},
                    "admin": {"type": "http", "scheme": "bearer", "description": "The admin token."},
                },
            },
        }
    )
