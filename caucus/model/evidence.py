"""Evidence: bytes, and the address that they have of themselves."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

from caucus.model.fields import SHA256_PATTERN

ADDRESS: Final = re.compile(SHA256_PATTERN)
"""What an address looks like: 64 lower-case hexadecimal digits."""


class Hashed(bytes):
    """Bytes with their SHA-256 in lower-case hex, for whoever needs it again."""

    address: str

    @classmethod
    def of(cls, data: bytes) -> Hashed:
        """These bytes, hashed now."""
        hashed = cls(data)
        hashed.address = sha256(data).hexdigest()
        return hashed


def address_of(data: bytes) -> str:
    """The SHA-256 of these bytes, in lower-case hex."""
    return data.address if isinstance(data, Hashed) else sha256(data).hexdigest()


def kept_bytes(data: bytes) -> bytes:
    """The bytes as they are now, whatever their owner does to what held them."""
    return bytes(data) if isinstance(data, bytearray | memoryview) else data
