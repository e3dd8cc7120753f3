"""What is there, as JSON a line: for programs, and harmless on a terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def as_json(one: Mapping[str, Any]) -> str:
    """An object in one line of ASCII: nothing in it is obeyed by a terminal."""
    return json.dumps(one, separators=(",", ":"))
