"""Tokens and the identities behind them.

A token is kept as its SHA-256 digest only, and found by it: nothing is compared byte by byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from caucus.access.principals import Principal
from caucus.errors import ConfigurationError, InvalidRequest, Unauthorized
from caucus.model.problems import identity_problems
from caucus.model.records import CAUCUS, Identity
from caucus.model.text import CONTROL, trim


class Tokens:
    """The write tokens, as digests: those given at the start, and those minted since.

    Its ``repr`` holds none of them.
    """

    def __init__(self, identities: Mapping[bytes, Identity] | None = None) -> None:
        """``identities`` maps SHA-256 digests of tokens, 32 bytes each, to who they stand for."""
        given = identities or {}
        self._seeded = {digest: Principal(identity, digest) for digest, identity in given.items()}
        self._minted: dict[bytes, Principal] = {}

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
            if CONTROL.search(token):
                raise ConfigurationError(f"CAUCUS_TOKENS: entry {position}: no header can carry its token")
            if identity_problems(agent_id, owner) or Identity(agent_id, owner) == CAUCUS:
                raise ConfigurationError(f"CAUCUS_TOKENS: entry {position} names nobody who may post")
            digest = token_digest(token.encode("utf-8", "surrogateescape"))
            if digest in identities:
                raise ConfigurationError(f"CAUCUS_TOKENS: entry {position} repeats an earlier token")
            identities[digest] = Identity(agent_id, owner)
        return cls(identities)

    def __len__(self) -> int:
        return len(self._seeded) + len(self._minted)

    def find(self, digest: bytes | None) -> Principal | None:
        """Who the token with this digest stands for, or nobody; ``None`` is what `bearer_digest` gave."""
        if digest is None:
            return None
        return self._seeded.get(digest) or self._minted.get(digest)

    def require(self, digest: bytes) -> None:
        """Raises `Unauthorized` if the token with this digest has been revoked meanwhile."""
        if digest not in self._seeded and digest not in self._minted:
            raise Unauthorized

    def add(self, digest: bytes, identity: Identity) -> None:
        """A token was minted; ``digest`` is its SHA-256, 32 bytes. None stands for the backbone itself."""
        if identity == CAUCUS:
            return  # which earlier versions did mint
        self._minted[digest] = Principal(identity, digest, is_minted=True)

    def dump(self) -> list[tuple[bytes, str, str]]:
        """The minted tokens: their digests and whom they stand for, as agent_id and owner; for `load`."""
        return [(digest, one.agent_id, one.owner) for digest, one in self._minted.items()]

    def load(self, dumped: Iterable[tuple[bytes, str, str]]) -> None:
        """Know these minted tokens."""
        for digest, agent_id, owner in dumped:
            self.add(digest, Identity(agent_id, owner))

    @property
    def minted_count(self) -> int:
        """How many minted tokens there are."""
        return len(self._minted)

    def minted(self, digest: bytes) -> Identity | None:
        """Who a minted token stands for, if there is one with this digest."""
        found = self._minted.get(digest)
        return None if found is None else found.identity

    def restore(self, digest: bytes, identity: Identity | None) -> None:
        """Put back what `minted` gave."""
        if identity is not None:
            self.add(digest, identity)

    def remove(self, digest: bytes) -> bool:
        """Forget a minted token; says whether there was one. Seeded tokens stay."""
        return self._minted.pop(digest, None) is not None

    def names(self) -> frozenset[str]:
        """The agents and the owners that a token stands for."""
        known = (one.identity for some in (self._seeded, self._minted) for one in some.values())
        return frozenset(name for one in known for name in (one.agent_id, one.owner))

    def require_free(self, identity: Identity) -> None:
        """Raises `InvalidRequest` if no token may stand for it.

        That is an agent's name who is somebody else's, or somebody else's own; and the backbone's.
        """
        agent_id, owner = identity.agent_id, identity.owner
        others = (one for known in (self._seeded, self._minted) for one in known.values())
        if agent_id == CAUCUS.agent_id or any(
            one.owner != owner and agent_id in (one.agent_id, one.owner) for one in others
        ):
            raise InvalidRequest("This agent_id is somebody else's.")

    def named(self, digest: bytes | None, agent_id: str | None) -> list[bytes]:
        """The digests of the minted tokens that a digest names, or without one all that an agent has."""
        if digest is not None:
            return [digest] if digest in self._minted else []
        return [digest for digest, one in self._minted.items() if one.agent_id == agent_id]


def token_digest(token: bytes) -> bytes:
    """The SHA-256 of a token, 32 bytes: all of it that is kept."""
    return sha256(token).digest()


def bearer_digest(authorization: Sequence[bytes]) -> bytes | None:
    """The digest of the bearer token in a request's ``Authorization`` headers.

    ``None`` for a missing, repeated or malformed one. The scheme is taken in any case, and
    surrounding space is ignored.
    """
    if len(authorization) != 1:
        return None
    scheme, _, token = authorization[0].strip(b" \t").partition(b" ")
    return token_digest(token.strip(b" \t")) if scheme.lower() == b"bearer" else None
