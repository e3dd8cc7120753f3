"""Where the path of a request leads, as those say who know the routes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

Reading = Literal["message", "claim", "json", "opaque"]
"""How a body is read: as a message, or a claim that is asked for, or else as JSON; or not at all."""


class Place(msgspec.Struct, frozen=True):
    """Where a path leads: its decoded segments, what is there by method, and what a body there is."""

    segments: tuple[str, ...]
    routes: Mapping[bytes, Any]
    arguments: list[str]
    body: Reading
