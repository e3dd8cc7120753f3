"""The ``Idempotency-Key`` header: by what a repeated request is known."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

from msgspec.structs import replace

from caucus.access.principals import Principal
from caucus.edge.request import Request
from caucus.errors import InvalidRequest
from caucus.model.events import RequestKey
from caucus.model.evidence import Hashed

IDEMPOTENCY_KEY: Final = b"idempotency-key"
_DIGEST_SIZE: Final = 16
_VISIBLE = re.compile(rb"[\x21-\x7e]{1,128}")


def request_key(request: Request, principal: Principal) -> RequestKey:
    """By what a repetition of a request is known, which has the header.

    It is scoped to the token; what was asked is the method, the decoded path and the body's exact
    bytes, by their own hash where they come with it. Raises `InvalidRequest` for a key that is none.
    """
    given = request.values(IDEMPOTENCY_KEY)
    if len(given) != 1 or not _VISIBLE.fullmatch(given[0]):
        raise InvalidRequest("An Idempotency-Key is 1 to 128 visible ASCII characters, once.")
    value = request.value
    what = value.address.encode() if isinstance(value, Hashed) else request.body()
    return named_key(principal, given[0], _asked(request, what))


def named_key(principal: Principal, name: bytes, asked: bytes) -> RequestKey:
    """By what a repetition is known of what somebody asks for under a name; ``asked`` is a digest of that."""
    digests = (principal.digest, sha256(name).digest(), asked)
    return RequestKey(*(digest[:_DIGEST_SIZE] for digest in digests))


def earlier_key(request: Request, key: RequestKey) -> RequestKey:
    """What earlier versions had for ``key``, whose fingerprint was of an upload's bytes themselves."""
    return replace(key, fingerprint=_asked(request, request.body())[:_DIGEST_SIZE])


def _asked(request: Request, what: bytes) -> bytes:
    """The digest of what was asked: the method, the decoded path, and the body."""
    place = request.place
    asked = sha256(request.method)
    for segment in () if place is None else place.segments:
        asked.update(b"/%d:" % len(segment) + segment.encode())
    asked.update(b"\n")
    asked.update(what)
    return asked.digest()
