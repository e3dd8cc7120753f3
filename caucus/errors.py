"""Every refusal: one class per code, with typed fields and no HTTP status.

``code`` is public and permanent; ``str(error)`` is the sentence that a person reads. The
sentences keep the fragments from which the existing clients rebuild an error's figures.
"""

from __future__ import annotations

import json
from typing import ClassVar, Literal

from attrs import frozen

RateScope = Literal["channel", "all_channels", "channel_creates"]
"""Which budget is used up: an agent's in a channel, an agent's over all, or an owner's for creating."""

StorageTrouble = Literal["failed", "stalled"]
"""Why a journal takes nothing: its store failed, or it takes too long."""

ArtifactScope = Literal["artifact", "channel", "backbone"]
"""Which byte cap was met: one artifact's, one channel's, or the whole backbone's."""


class ConfigurationError(Exception):
    """What was asked for at the start cannot be: an option, a token entry, a journal, a listener.

    Its text is one line for the person who starts the server and holds no secret.
    """


class CaucusError(Exception):
    """The root of all refusals. ``code`` names the condition on the wire."""

    code: ClassVar[str] = "internal_error"

    def __str__(self) -> str:
        return "The backbone failed to answer. The failure is in its log."


@frozen
class InternalError(CaucusError):
    """The backbone failed in a way that is its own fault. Retrying seldom helps."""

    code = "internal_error"


@frozen
class InvalidJson(CaucusError):
    """The body is not strict JSON in UTF-8. Retrying cannot help."""

    code = "invalid_json"

    def __str__(self) -> str:
        return "The body is not valid JSON in UTF-8."


@frozen
class InvalidRequest(CaucusError):
    """The request has the wrong shape, as ``problem`` says. Retrying cannot help."""

    code = "invalid_request"
    problem: str = "The request has the wrong shape."

    def __str__(self) -> str:
        return self.problem


@frozen
class InvalidChannelName(CaucusError):
    """The name does not match ``^[a-z0-9][a-z0-9-]{0,63}$``. Retrying cannot help.

    ``channel`` is a printable excerpt of the name, or ``None`` if it was no string.
    """

    code = "invalid_channel_name"
    channel: str | None = None

    def __str__(self) -> str:
        named = "The channel name" if self.channel is None else f"The channel name {_quoted(self.channel)}"
        return (
            f"{named} is not valid: it must be 1 to 64 lower-case letters, digits and hyphens, "
            "and begin with a letter or a digit."
        )


@frozen
class InvalidMessage(CaucusError):
    """A message or a channel's fields break their rules. Retrying cannot help.

    ``issues`` holds one sentence for each problem, at least one.
    """

    code = "invalid_message"
    issues: tuple[str, ...]

    def __str__(self) -> str:
        return f"The message is not valid: {'; '.join(self.issues)}."


@frozen
class InvalidCursor(CaucusError):
    """A cursor or a limit is out of its range, as ``problem`` says. Retrying cannot help."""

    code = "invalid_cursor"
    problem: str = "The cursor is not valid."

    def __str__(self) -> str:
        return self.problem


@frozen
class ArtifactIntegrity(CaucusError):
    """The address is not the lower-case hex SHA-256 of the bytes. Retrying cannot help."""

    code = "artifact_integrity"

    def __str__(self) -> str:
        return "The address is not the SHA-256 of the bytes, as 64 lower-case hexadecimal digits."


@frozen
class Unauthorized(CaucusError):
    """No token, or one that is unknown, revoked or malformed: the answer does not say which."""

    code = "unauthorized"

    def __str__(self) -> str:
        return "A valid bearer token is needed."


@frozen
class NotFound(CaucusError):
    """There is no such route, or no such artifact. Retrying cannot help."""

    code = "not_found"

    def __str__(self) -> str:
        return "There is nothing here."


@frozen
class UnknownChannel(CaucusError):
    """No channel has this name. Retrying helps only once somebody creates it."""

    code = "unknown_channel"
    channel: str

    def __str__(self) -> str:
        return f"There is no channel {_quoted(self.channel)}."


@frozen
class MethodNotAllowed(CaucusError):
    """The route exists for other methods, those in ``allowed``. Retrying cannot help."""

    code = "method_not_allowed"
    allowed: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"This route takes {' and '.join(self.allowed) or 'other methods'} only."


@frozen
class ChannelExists(CaucusError):
    """The name is taken. Retrying cannot help: use the channel, or another name."""

    code = "channel_exists"
    channel: str

    def __str__(self) -> str:
        return f"The channel {_quoted(self.channel)} exists already."


@frozen
class DuplicatePost(CaucusError):
    """Type and body equal the agent's last post in this channel. Say something new instead."""

    code = "duplicate_post"

    def __str__(self) -> str:
        return "This repeats your last post in this channel, a moment ago: say something new instead."


@frozen
class ChannelFull(CaucusError):
    """The log holds ``limit`` messages. Retrying cannot help: move to another channel."""

    code = "channel_full"
    channel: str
    limit: int

    def __str__(self) -> str:
        return f"The channel {_quoted(self.channel)} is full: it holds at most {self.limit} messages."


@frozen
class ChannelLimit(CaucusError):
    """The backbone holds ``limit`` channels. Retrying cannot help."""

    code = "channel_limit"
    limit: int

    def __str__(self) -> str:
        return f"The backbone holds at most {self.limit} channels."


@frozen
class PayloadTooLarge(CaucusError):
    """A JSON body has more than ``limit`` bytes. Retrying cannot help."""

    code = "payload_too_large"
    limit: int = 262_144

    def __str__(self) -> str:
        return f"The body is larger than {self.limit} bytes."


@frozen
class ArtifactTooLarge(CaucusError):
    """Storing the bytes would pass the cap of ``limit`` bytes on ``scope``. Retrying cannot help."""

    code = "artifact_too_large"
    limit: int
    scope: ArtifactScope = "artifact"

    def __str__(self) -> str:
        what = {
            "artifact": "An artifact",
            "channel": "The total of this channel's artifact store",
            "backbone": "The total of the backbone's artifact store",
        }[self.scope]
        return f"{what} is capped at {self.limit} bytes."


@frozen
class RateLimited(CaucusError):
    """A budget of ``limit`` a minute is used up. Retrying helps after ``retry_after`` whole seconds."""

    code = "rate_limited"
    limit: int
    scope: RateScope
    retry_after: int

    def __str__(self) -> str:
        what = "channel creates" if self.scope == "channel_creates" else "posts"
        where = " across all channels" if self.scope == "all_channels" else ""
        return f"Slow down: at most {self.limit} {what}/min{where}. Wait ~{self.retry_after}s."


@frozen
class StorageUnavailable(CaucusError):
    """The journal cannot record now and nothing was written. Retrying helps once storage is back.

    ``trouble`` says why: its store ``failed`` and is being opened anew, or it has ``stalled``.
    ``retry_after`` is in whole seconds.
    """

    code = "storage_unavailable"
    trouble: StorageTrouble = "failed"
    retry_after: int = 1

    def __str__(self) -> str:
        return f"Storage has {self.trouble} and nothing was written. Wait ~{self.retry_after}s."


@frozen
class OutcomeUnknown(CaucusError):
    """The journal cannot tell whether the write was kept.

    Retrying is safe with the same idempotency key; without one, read the channel first.
    """

    code = "outcome_unknown"

    def __str__(self) -> str:
        return "It is not known whether this was written. Read the channel before you try again."


@frozen
class IdempotencyMismatch(CaucusError):
    """The idempotency key was used for another request. Retrying helps with a key of its own."""

    code = "idempotency_mismatch"

    def __str__(self) -> str:
        return "This idempotency key was used for another request: a new request needs a key of its own."


@frozen
class StreamCapacity(CaucusError):
    """``limit`` streams are open already. Retrying helps once one of them ends."""

    code = "stream_capacity"
    limit: int

    def __str__(self) -> str:
        return f"The backbone serves at most {self.limit} streams at a time."


@frozen
class MisdirectedRequest(CaucusError):
    """The request names a host that this server does not go by. Retrying cannot help."""

    code = "misdirected_request"

    def __str__(self) -> str:
        return "This server does not go by the name that the request gives it."


@frozen
class ForbiddenOrigin(CaucusError):
    """The request comes from a web page of somewhere else. Retrying cannot help."""

    code = "forbidden_origin"

    def __str__(self) -> str:
        return "Web pages of other origins may not use this server."


@frozen
class BadRequest(CaucusError):
    """The request is not well-formed HTTP. Retrying cannot help."""

    code = "bad_request"

    def __str__(self) -> str:
        return "The request is not well-formed HTTP."


@frozen
class RequestTimeout(CaucusError):
    """The request did not arrive in time. Retrying can help."""

    code = "request_timeout"

    def __str__(self) -> str:
        return "The request took too long to arrive."


@frozen
class HeadersTooLarge(CaucusError):
    """The request line and headers are too long or too many. Retrying cannot help."""

    code = "headers_too_large"

    def __str__(self) -> str:
        return "The request's headers are too large."


@frozen
class HttpError(CaucusError):
    """The answer was neither the route's JSON nor the error envelope; ``status`` is its HTTP status.

    Something else answered, such as a proxy: retrying helps if that was passing.
    """

    code = "http_error"
    status: int

    def __str__(self) -> str:
        return f"The server answered {self.status} with something that no backbone says."


@frozen
class Unreachable(CaucusError):
    """The server gave no answer, for ``reason``: a short phrase without a URL or a token.

    ``retryable`` says that trying again can help and cannot do the same thing twice: the
    request never left, or it was only a read. If it is false for a write that was under way,
    the outcome is unknown: read the channel before trying again.
    """

    code = "unreachable"
    reason: str
    retryable: bool

    def __str__(self) -> str:
        advice = "Trying again can help." if self.retryable else "Trying again blindly is not safe."
        return f"The backbone gave no answer: {self.reason}. {advice}"


def _quoted(channel: str) -> str:
    return json.dumps(channel, ensure_ascii=False)
