"""The ``Idempotency-Key`` header: by what a repeated request is known."""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from typing import Final, TypeVar, cast

from twisted.internet.defer import Deferred

from caucus.access.tokens import bearer_digest
from caucus.edge.request import Request
from caucus.errors import InvalidRequest
from caucus.interfaces import IBackbone, IRepeatable
from caucus.model.records import Answer, RequestKey

IDEMPOTENCY_KEY: Final = b"idempotency-key"
_DIGEST_SIZE: Final = 16
_VISIBLE = re.compile(rb"[\x21-\x7e]{1,128}")

T = TypeVar("T")


def once(backbone: IBackbone, request: Request, operation: Callable[[], Deferred[T]]) -> Deferred[T]:
    """The answer of ``operation``, or the first one to this request, to which the client gave a key.

    Raises `InvalidRequest` for a key that is none. A backbone that remembers nothing repeats.
    """
    given = request.values(IDEMPOTENCY_KEY)
    if len(given) != 1 or not _VISIBLE.fullmatch(given[0]):
        raise InvalidRequest("An Idempotency-Key is 1 to 128 visible ASCII characters, once.")
    repeatable = IRepeatable(backbone, None)
    if repeatable is None:
        return operation()
    first = cast("Callable[[], Deferred[Answer]]", operation)
    return cast("Deferred[T]", repeatable.once(_request_key(request, given[0]), first))


def _request_key(request: Request, key: bytes) -> RequestKey:
    """Scoped to the token; what was asked is the method, the decoded path and the body's exact bytes."""
    scope = bearer_digest(request.values(b"authorization")) or b""
    place = request.place
    segments = () if place is None else place.segments
    asked = sha256(request.method)
    for segment in segments:
        asked.update(b"/%d:" % len(segment) + segment.encode())
    asked.update(b"\n")
    asked.update(request.body())
    return RequestKey(
        scope[:_DIGEST_SIZE], sha256(key).digest()[:_DIGEST_SIZE], asked.digest()[:_DIGEST_SIZE]
    )
