"""The chain: beside every event lies a digest of all that came up to it."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

DIGEST_BYTES: Final = 32
BEGINNING: Final = bytes(DIGEST_BYTES)
"""What stands for the digest before the first event."""


def link(before: bytes, body: bytes) -> bytes:
    """The digest of an event: the SHA-256 over the one before it and the event's bytes."""
    return sha256(before + body).digest()


def links(before: bytes, bodies: Iterable[bytes]) -> list[bytes]:
    """The digests of events that follow one another."""
    digests = []
    for body in bodies:
        before = sha256(before + body).digest()
        digests.append(before)
    return digests
