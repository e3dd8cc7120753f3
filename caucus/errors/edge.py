"""What is refused before a backbone is asked: HTTP, the shape of a request, who sends it, room for it."""

from __future__ import annotations

from attrs import frozen

from caucus.errors.root import CaucusError, Detail

__all__ = [
    "BadRequest",
    "ForbiddenOrigin",
    "HeadersTooLarge",
    "IdempotencyMismatch",
    "InvalidJson",
    "InvalidRequest",
    "MethodNotAllowed",
    "MisdirectedRequest",
    "NotFound",
    "Overloaded",
    "PayloadTooLarge",
    "RequestTimeout",
    "StreamCapacity",
    "Unauthorized",
]


@frozen
class InvalidJson(CaucusError):
    """The body is not strict JSON in UTF-8. Retrying cannot help.

    ``detail`` says at which byte, and which unpaired surrogate stands there if it is one.
    """

    code = "invalid_json"
    detail: Detail | None = None

    def __str__(self) -> str:
        where = "" if self.detail is None else f" What is wrong first is at byte {self.detail.offset}."
        return f"The body is not valid JSON in UTF-8.{where}"


@frozen
class InvalidRequest(CaucusError):
    """The request has the wrong shape, as ``problem`` says. Retrying cannot help."""

    code = "invalid_request"
    problem: str = "The request has the wrong shape."

    def __str__(self) -> str:
        return self.problem


@frozen
class Unauthorized(CaucusError):
    """No token, or one that is unknown, revoked or malformed: the answer does not say which.

    ``hint`` is what to do, where that is for somebody who does not know.
    """

    code = "unauthorized"
    hint: str = ""

    def __str__(self) -> str:
        return f"missing or invalid token: {self.hint}" if self.hint else "missing or invalid token"


@frozen
class NotFound(CaucusError):
    """There is no such route, or no such artifact. Retrying cannot help."""

    code = "not_found"

    def __str__(self) -> str:
        return "There is nothing here."


@frozen
class MethodNotAllowed(CaucusError):
    """The route exists for other methods, those in ``allowed``. Retrying cannot help."""

    code = "method_not_allowed"
    allowed: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"This route takes {' and '.join(self.allowed) or 'other methods'} only."


@frozen
class PayloadTooLarge(CaucusError):
    """A JSON body has more than ``limit`` bytes. Retrying cannot help."""

    code = "payload_too_large"
    limit: int = 262_144

    def __str__(self) -> str:
        return f"The body is larger than {self.limit} bytes."


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
class Overloaded(CaucusError):
    """Too many bytes are arriving at once, over all connections; nothing was done.

    Retrying helps after ``retry_after`` whole seconds.
    """

    code = "overloaded"
    retry_after: int = 1

    def __str__(self) -> str:
        return f"Too much is arriving at once, and nothing was done. Wait ~{self.retry_after}s."


@frozen
class StreamCapacity(CaucusError):
    """``limit`` streams are open already. Retrying helps once one of them ends."""

    code = "stream_capacity"
    limit: int

    def __str__(self) -> str:
        return f"The backbone serves at most {self.limit} streams at a time."


@frozen
class IdempotencyMismatch(CaucusError):
    """The idempotency key was used for another request. Retrying helps with a key of its own."""

    code = "idempotency_mismatch"

    def __str__(self) -> str:
        return "This idempotency key was used for another request: a new request needs a key of its own."
