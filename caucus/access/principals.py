"""Who speaks: what a bearer token stands for."""

from __future__ import annotations

from typing import Any

import msgspec

from caucus.model.records import Identity


class Principal(msgspec.Struct, frozen=True):
    """Whoever has a token: the identity that it stands for, and the token's SHA-256, 32 bytes.

    One that ``is_minted`` can be revoked. Its ``repr`` does not show the digest.
    """

    identity: Identity
    digest: bytes
    is_minted: bool = False

    @property
    def agent_id(self) -> str:
        """The session that speaks."""
        return self.identity.agent_id

    @property
    def owner(self) -> str:
        """The human whom it speaks for."""
        return self.identity.owner

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("identity", self.identity)]

    def __repr__(self) -> str:
        return f"Principal({self.identity!r})"
