"""Where the path of a request leads, as those say who know the routes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

Body = Literal["message", "json", "opaque"]


class Place(msgspec.Struct, frozen=True):
    """Where a path leads: its decoded segments, the endpoints there by method, and what a body there is."""

    segments: tuple[str, ...]
    endpoints: Mapping[bytes, str]
    arguments: list[str]
    body: Body
