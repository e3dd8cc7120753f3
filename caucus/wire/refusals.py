"""Refusals: errors to statuses and envelopes, and back. The only place that knows a status."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import msgspec
from attrs import fields

from caucus import errors
from caucus.errors import CaucusError

STATUS: Final[Mapping[type[CaucusError], int]] = {
    errors.InvalidJson: 400,
    errors.InvalidRequest: 400,
    errors.InvalidChannelName: 400,
    errors.InvalidMessage: 400,
    errors.InvalidCursor: 400,
    errors.ArtifactIntegrity: 400,
    errors.BadRequest: 400,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.UnknownChannel: 404,
    errors.UnknownClaim: 404,
    errors.MethodNotAllowed: 405,
    errors.RequestTimeout: 408,
    errors.ForbiddenOrigin: 403,
    errors.ChannelExists: 409,
    errors.DuplicatePost: 409,
    errors.ClaimLost: 409,
    errors.PlainClaim: 409,
    errors.Deadlock: 409,
    errors.ClaimLimit: 409,
    errors.ChannelFull: 409,
    errors.ChannelLimit: 409,
    errors.TokenLimit: 409,
    errors.ArtifactLimit: 409,
    errors.PayloadTooLarge: 413,
    errors.ArtifactTooLarge: 413,
    errors.MisdirectedRequest: 421,
    errors.IdempotencyMismatch: 422,
    errors.RateLimited: 429,
    errors.HeadersTooLarge: 431,
    errors.InternalError: 500,
    errors.Overloaded: 503,
    errors.StreamCapacity: 503,
    errors.StorageUnavailable: 503,
    errors.OutcomeUnknown: 503,
}
"""The HTTP status of every refusal that a server can answer."""

_encode = msgspec.json.Encoder().encode


class ErrorFields(msgspec.Struct, omit_defaults=True):
    """What the envelope says of an error; which figures there are depends on the code."""

    code: str
    message: str
    issues: tuple[str, ...] | None = None
    details: tuple[errors.Detail, ...] | None = None
    limit: int | None = None
    retry_after: int | None = None
    cycle: tuple[int, ...] | None = None
    what: errors.ClaimScope | None = None


class ErrorBody(msgspec.Struct):
    """The envelope of every refusal."""

    error: ErrorFields


_decode_error_body = msgspec.json.Decoder(ErrorBody).decode
_LIMIT = re.compile(r"(?:at most|capped at|larger than) (\d{1,18})")
_WAIT = re.compile(r"Wait ~(\d{1,18})s")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


def encode_error(error: CaucusError) -> tuple[int, dict[str, str], bytes]:
    """The status, the headers beside the content's own, and the envelope of a refusal."""
    headers: dict[str, str] = {}
    detail = ErrorFields(error.code, str(error))
    match error:
        case errors.InvalidMessage():
            detail.issues = error.issues
            detail.details = error.details or None
        case errors.InvalidJson() if error.detail is not None:
            detail.details = (error.detail,)
        case errors.MethodNotAllowed():
            headers["Allow"] = ", ".join(error.allowed)
        case errors.Unauthorized():
            headers["WWW-Authenticate"] = "Bearer"
    wait = getattr(error, "retry_after", None)
    if wait is not None:
        headers["Retry-After"] = str(wait)
    if detail.code not in _FROM_TEXT:
        for one in fields(cast("Any", type(error))):
            setattr(detail, one.name, getattr(error, one.name))
    return STATUS[type(error)], headers, _encode(ErrorBody(detail))


def is_answerable(error: CaucusError) -> bool:
    """Whether a server can answer with this: a client's own errors it cannot."""
    return type(error) in STATUS


def decode_error(status: int, body: bytes, allow: str = "") -> CaucusError:
    """Rebuild the refusal that an answer holds, its figures from the message's fragments.

    ``allow`` is the answer's ``Allow`` header. What is not the envelope, or has a code that
    this version does not know, becomes an `HttpError`.
    """
    try:
        detail = _decode_error_body(body).error
        return _REBUILD[detail.code](detail, allow)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, LookupError, ValueError):
        return errors.HttpError(status)


def _limit(detail: ErrorFields) -> int:
    found = _LIMIT.search(detail.message)
    if found is None:
        raise LookupError("limit")
    return int(found[1])


def _channel(detail: ErrorFields) -> str:
    found = _QUOTED.search(detail.message)
    if found is None:
        raise LookupError("channel")
    return str(json.loads(found[0]))


def _invalid_channel_name(detail: ErrorFields, _allow: str) -> CaucusError:
    return errors.InvalidChannelName(_channel(detail) if _QUOTED.search(detail.message) else None)


def _rate_limited(detail: ErrorFields, _allow: str) -> CaucusError:
    wait = _WAIT.search(detail.message)
    if wait is None:
        raise LookupError("wait")
    scope: errors.RateScope = "channel"
    if "channel creates/min" in detail.message:
        scope = "channel_creates"
    elif "across all channels" in detail.message:
        scope = "all_channels"
    return errors.RateLimited(_limit(detail), scope, int(wait[1]))


def _artifact_too_large(detail: ErrorFields, _allow: str) -> CaucusError:
    scope: errors.ArtifactScope = "artifact"
    if "this channel's artifact store" in detail.message:
        scope = "channel"
    elif "the backbone's artifact store" in detail.message:
        scope = "backbone"
    return errors.ArtifactTooLarge(_limit(detail), scope)


def _storage_unavailable(detail: ErrorFields, _allow: str) -> CaucusError:
    wait = _WAIT.search(detail.message)
    trouble: errors.StorageTrouble = "stalled" if "has stalled" in detail.message else "failed"
    return errors.StorageUnavailable(trouble, int(wait[1]) if wait else 1)


def _with_its_fields(error: type[CaucusError]) -> _Rebuild:
    """A code that carries its figures as fields: those that no client has to read out of a sentence."""
    names = [one.name for one in fields(cast("Any", error))]

    def rebuild(detail: ErrorFields, _allow: str) -> CaucusError:
        figures = {name: getattr(detail, name) for name in names}
        if None in figures.values():
            raise LookupError("figure")
        return error(**figures)

    return rebuild


_Rebuild = Callable[[ErrorFields, str], CaucusError]
_FROM_TEXT: Final[dict[str, _Rebuild]] = {
    "invalid_request": lambda detail, _: errors.InvalidRequest(detail.message),
    "unauthorized": lambda detail, _: errors.Unauthorized(detail.message.partition(": ")[2]),
    "invalid_cursor": lambda detail, _: errors.InvalidCursor(detail.message),
    "invalid_message": lambda detail, _: errors.InvalidMessage(
        detail.issues or (detail.message,), detail.details or ()
    ),
    "invalid_json": lambda detail, _: errors.InvalidJson(next(iter(detail.details or ()), None)),
    "invalid_channel_name": _invalid_channel_name,
    "unknown_channel": lambda detail, _: errors.UnknownChannel(_channel(detail)),
    "channel_exists": lambda detail, _: errors.ChannelExists(_channel(detail)),
    "channel_full": lambda detail, _: errors.ChannelFull(_channel(detail), _limit(detail)),
    "stream_capacity": lambda detail, _: errors.StreamCapacity(_limit(detail)),
    "channel_limit": lambda detail, _: errors.ChannelLimit(_limit(detail)),
    "payload_too_large": lambda detail, _: (
        errors.PayloadTooLarge(_limit(detail)) if _LIMIT.search(detail.message) else errors.PayloadTooLarge()
    ),
    "artifact_too_large": _artifact_too_large,
    "rate_limited": _rate_limited,
    "storage_unavailable": _storage_unavailable,
    "method_not_allowed": lambda _, allow: errors.MethodNotAllowed(
        tuple(method.strip() for method in allow.split(",") if method.strip())
    ),
}
"""How a code's class is made again where its figures stand in its sentence, or in a header."""

_REBUILD: Final = {**{error.code: _with_its_fields(error) for error in STATUS}, **_FROM_TEXT}


def figures_without_room() -> set[str]:
    """The figures of errors that the envelope has no field for: none, or such an error cannot be told."""
    told = (fields(cast("Any", error)) for error in STATUS if error.code not in _FROM_TEXT)
    return {one.name for figures in told for one in figures} - set(ErrorFields.__struct_fields__)
