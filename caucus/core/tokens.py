"""Tokens that are minted and revoked, kept with the state."""

from __future__ import annotations

from collections.abc import Sequence

from caucus.core.core import Core
from caucus.model.events import Author, RequestKey, TokensChanged
from caucus.model.records import Identity


def change_tokens(
    core: Core,
    _request: RequestKey | None,
    minted: tuple[bytes, Identity] | None,
    revoked: Sequence[bytes],
) -> None:
    if minted is None and not revoked:
        return  # it was asked for what is durable
    now = core.clock.now()
    told = None if minted is None else (minted[0], Author(minted[1].agent_id, minted[1].owner))
    core.record(TokensChanged(core.clock.instant(now), told, tuple(revoked)), now)
