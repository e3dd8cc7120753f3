"""Tokens that are minted and revoked, kept with the state."""

from __future__ import annotations

from caucus.core.core import Core
from caucus.errors import TokenLimit
from caucus.model.events import Author, RequestKey, TokensChanged
from caucus.model.records import Identity


def change_tokens(
    core: Core,
    _request: RequestKey | None,
    now: float,
    minted: tuple[bytes, Identity] | None,
    digest: bytes | None,
    agent_id: str | None,
) -> list[bytes]:
    tokens, most = core.state.tokens, core.limits.max_minted_tokens
    revoked = tokens.named(digest, agent_id)
    if minted is None and not revoked:
        return []
    if minted is not None:
        tokens.require_free(minted[1])
        if tokens.minted_count + 1 - len(revoked) > most:
            raise TokenLimit(most)
    told = None if minted is None else (minted[0], Author(minted[1].agent_id, minted[1].owner))
    core.record(TokensChanged(core.clock.instant(now), told, tuple(revoked)), now)
    return revoked
