"""A channel's name, and the fields that it is created with."""

from __future__ import annotations

import re
from collections.abc import Callable

from caucus.errors import InvalidChannelName
from caucus.model.fields import CHANNEL_PATTERN, RENDER_BUDGET, SHORT_TEXT, VERBOSITIES, as_integer
from caucus.model.problems import Problem, length_problem, line_problem, text_problem
from caucus.model.text import excerpt

_NAME = re.compile(CHANNEL_PATTERN)


def require_channel_name(channel: object) -> None:
    """Raises `InvalidChannelName` for what is no string or does not match the whole pattern."""
    if not isinstance(channel, str):
        raise InvalidChannelName
    if not _NAME.match(channel):
        raise InvalidChannelName(excerpt(channel))


def field_problem(purpose: object, created_by: object, verbosity: object, budget: object) -> Problem | None:
    """The first problem among a new channel's fields, in the order of `create_channel`'s signature."""
    found = None if purpose is None else _checked(text_problem, "purpose", purpose)
    if found is None and purpose is not None:
        found = length_problem("purpose", str(purpose), SHORT_TEXT)
    found = found or _checked(line_problem, "created_by", created_by)
    if found is not None:
        return found
    if not (isinstance(verbosity, str) and verbosity in VERBOSITIES):
        return Problem(f"verbosity: must be one of {', '.join(sorted(VERBOSITIES))}")
    characters = as_integer(budget)
    if characters is None or not 1 <= characters <= RENDER_BUDGET:
        return Problem(f"renderBudgetChars: must be an integer from 1 to {RENDER_BUDGET}")
    return None


def _checked(rule: Callable[[str, str], Problem | None], name: str, value: object) -> Problem | None:
    return rule(name, value) if isinstance(value, str) else Problem(f"{name}: must be text")
