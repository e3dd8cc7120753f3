"""Tokens that are minted and revoked, kept with the state."""

from __future__ import annotations

from collections.abc import Sequence

from caucus.core.core import Core
from caucus.model.records import Identity, TokensChanged


def change_tokens(core: Core, minted: tuple[bytes, Identity] | None, revoked: Sequence[bytes]) -> None:
    if minted is None and not revoked:
        return  # it was asked for what is durable
    now = core.clock.now()
    core.record(TokensChanged(core.clock.instant(now), minted, tuple(revoked)), now)
