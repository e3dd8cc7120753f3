"""What only a client can find: an answer that is none, or no answer."""

from __future__ import annotations

from attrs import frozen

from caucus.errors.root import CaucusError

__all__ = [
    "AnswerTooLarge",
    "HttpError",
    "Unreachable",
]


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
class AnswerTooLarge(CaucusError):
    """The answer has more than ``limit`` bytes, which the client takes. Asking for less can help."""

    code = "answer_too_large"
    limit: int

    def __str__(self) -> str:
        return f"The answer has more than {self.limit} bytes, which is all that this client takes."


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
