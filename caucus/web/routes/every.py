"""Every route there is: the rooms of the routes say themselves what they serve."""

from __future__ import annotations

from typing import Final

from caucus.web.routes import (
    admin,
    channels,
    claims,
    evidence,
    feed,
    health,
    hooks,
    mcp,
    messages,
    metrics,
    page,
    presence,
    serving,
    streams,
)

ROUTES: Final = serving.ROUTES
ROOMS: Final = (
    admin,
    channels,
    claims,
    evidence,
    feed,
    health,
    hooks,
    mcp,
    messages,
    metrics,
    page,
    presence,
    streams,
)
