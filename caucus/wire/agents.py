"""Rows of the table: the agents' door."""

from __future__ import annotations

from typing import Final

from caucus import errors
from caucus.wire.answers import HOOKED, RPC
from caucus.wire.operation import Operation

MAX_HOOK: Final = 1_048_576
"""A harness tells of a file with all that is to be in it."""

MCP: Final = Operation(
    name="mcp",
    method="POST",
    at="/mcp",
    summary="The Model Context Protocol, for an agent's harness; `?room=` names the room.",
    body="rpc",
    takes="a JSON-RPC 2.0 message",
    request="Rpc",
    answer=RPC,
    others=(202, 400, 404),
    authority="writer",
    errors=(errors.NotFound,),
    writes=True,
)

HOOK: Final = Operation(
    name="hook",
    most_bytes=MAX_HOOK,
    method="POST",
    at="/hooks/{dialect}/{event}",
    summary="What happens in an agent's session; the answer is what its harness takes.",
    body="rpc",
    takes="what the harness sends",
    answer=HOOKED,
    authority="writer",
    errors=(errors.NotFound,),
    writes=True,
)

AGENTS: Final = (MCP, HOOK)
"""Every row of these, in their order."""
