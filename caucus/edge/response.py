"""What a request is answered with, as a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from twisted.logger import Logger
from twisted.python.failure import Failure

from caucus.edge.parts import Parts
from caucus.errors import CaucusError, InternalError
from caucus.wire.jsontext import CONTENT_TYPE
from caucus.wire.refusals import encode_error, is_answerable

Live = Callable[[Any], None]
"""What is given the request, whose head is set, and writes to it for as long as it likes."""

_log = Logger("caucus.web")


class Response(msgspec.Struct, frozen=True):
    """A status, a body, and the headers beside the content's own; ``error`` is a refusal's code."""

    status: int
    body: bytes | Parts | Live
    headers: Mapping[str, str] | None = None
    content_type: str = CONTENT_TYPE
    error: str = ""


def refused(error: CaucusError) -> Response:
    """What answers a request that is refused.

    The error's traceback lets go of connection and body: the frames in it hold what waits for a
    Deferred, and that holds the error.
    """
    error.__traceback__ = error.__context__ = error.__cause__ = None
    status, headers, body = encode_error(error)
    return Response(status, body, headers, error=error.code)


def failed(reason: Failure) -> Response:
    """What answers a request that ended in a failure: one of ours, or else 500, logged whole."""
    error = reason.value
    if isinstance(error, CaucusError) and is_answerable(error):
        try:
            return refused(error)
        except Exception:
            _log.failure("A refusal could not be told")
    _log.failure("A request failed", failure=reason)
    reason.cleanFailure()  # it has been told, and its frames hold what waits for a Deferred
    return refused(InternalError())
