"""What a command prints: nothing in it is obeyed by a terminal but the colours that are ours."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import click

from caucus.agents.quoting import UNSEEN

_OBEYED: Final = re.compile(f"(\x1b\\[[0-9;]*m)|{UNSEEN}")


def say(text: str, *, err: bool = False) -> None:
    """Print a line, or some, without what is not seen in it, whoever it comes from."""
    click.echo(_OBEYED.sub(lambda found: found[1] or "", text), err=err)


def as_json(one: Mapping[str, Any]) -> str:
    """An object in one line of ASCII."""
    return json.dumps(one, separators=(",", ":"))
