"""Tokens and the identities behind them (contract, section 5, Tokens).

A token is kept as its SHA-256 digest only, and found by it: nothing is compared byte by byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

from caucus.errors import ConfigurationError, Unauthorized
from caucus.messages import identity_issues
from caucus.records import Identity
from caucus.text import trim


class Tokens:
    """The write tokens, as digests. Its ``repr`` holds none of them."""

    def __init__(self, identities: Mapping[bytes, Identity] | None = None) -> None:
        """``identities`` maps SHA-256 digests of tokens, 32 bytes each, to who they stand for."""
        self._identities = dict(identities or {})

    @classmethod
    def parse(cls, text: str) -> Tokens:
        """Read ``token:agent_id:owner`` entries, comma-separated.

        The first two colons split, later ones belong to the owner; every part is trimmed. Empty
        or blank text means that nobody may write. Raises `ConfigurationError`, which names the
        position of a bad entry, counted from 1, and nothing of its text.
        """
        identities: dict[bytes, Identity] = {}
        if not trim(text):
            return cls()
        for position, entry in enumerate(text.split(","), start=1):
            parts = [trim(part) for part in entry.split(":", 2)]
            if len(parts) != 3 or not all(parts):
                raise ConfigurationError(f"CAUCUS_TOKENS: entry {position} is not token:agent_id:owner")
            token, agent_id, owner = parts
            if identity_issues(agent_id, owner):
                raise ConfigurationError(f"CAUCUS_TOKENS: entry {position} names nobody who may post")
            digest = _digest(token.encode("utf-8", "surrogateescape"))
            if digest in identities:
                raise ConfigurationError(f"CAUCUS_TOKENS: entry {position} repeats an earlier token")
            identities[digest] = Identity(agent_id, owner)
        return cls(identities)

    def __len__(self) -> int:
        return len(self._identities)

    def identify(self, authorization: Sequence[bytes]) -> Identity:
        """Who the values of a request's ``Authorization`` headers stand for.

        Raises `Unauthorized` for a missing, repeated, malformed or unknown one, all alike.
        """
        identity = None
        if len(authorization) == 1:
            scheme, _, token = authorization[0].strip(b" \t").partition(b" ")
            if scheme.lower() == b"bearer":
                identity = self._identities.get(_digest(token.strip(b" \t")))
        if identity is None:
            raise Unauthorized
        return identity


def _digest(token: bytes) -> bytes:
    return sha256(token).digest()
