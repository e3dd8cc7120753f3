"""Problems: what is wrong with a field, as a sentence and as figures."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from msgspec.structs import replace

from caucus.errors import Detail, InvalidMessage
from caucus.model.fields import SHORT_TEXT
from caucus.model.text import CONTROL, CONTROL_EXCEPT_TAB_NEWLINE, SURROGATE


class Problem(NamedTuple):
    """One thing that is wrong: a sentence, and where it is if that can be said."""

    issue: str
    detail: Detail | None = None


def refusal(problems: Iterable[Problem], prefix: str = "") -> InvalidMessage:
    """What refuses a message for these problems; ``prefix`` stands before the name of each field."""
    found = tuple(problems)
    details = tuple(
        replace(detail, field=f"{prefix}{detail.field}") for _, detail in found if detail is not None
    )
    return InvalidMessage(tuple(prefix + one.issue for one in found), details)


def character_problem(name: str, text: str, refused: re.Pattern[str], issue: str) -> Problem | None:
    """The first control character that a text may not hold, or an unpaired surrogate, if there is one."""
    for pattern, sentence in (
        (refused, issue),
        (SURROGATE, f"{name} must not contain unpaired surrogates"),
    ):
        found = pattern.search(text)
        if found is not None:
            count = sum(1 for _ in pattern.finditer(text))
            code_point = f"U+{ord(found[0]):04X}"
            detail = Detail(field=name, code_point=code_point, index=found.start(), count=count)
            return Problem(sentence, detail)
    return None


def text_problem(name: str, text: str) -> Problem | None:
    """As `character_problem`, for a text of several lines."""
    issue = f"{name} must not contain control characters (tab and newline are allowed)"
    return character_problem(name, text, CONTROL_EXCEPT_TAB_NEWLINE, issue)


def line_problem(name: str, text: str) -> Problem | None:
    """As `character_problem`, for a text of one line."""
    return character_problem(name, text, CONTROL, f"{name} must not contain control characters")


def length_problem(name: str, text: str, limit: int) -> Problem | None:
    """That a text has more code points than it may, if it has."""
    if len(text) <= limit:
        return None
    detail = Detail(field=name, length=len(text), limit=limit)
    return Problem(f"{name}: must have at most {limit} characters", detail)


def name_problem(name: str, value: object) -> Problem | None:
    """What is wrong with a name, if anything is."""
    if not (isinstance(value, str) and value):
        return Problem(f"{name}: must be non-empty text")
    return line_problem(name, value) or length_problem(name, value, SHORT_TEXT)


def identity_problems(agent_id: object, owner: object) -> tuple[Problem, ...]:
    """The problems of an identity, at most one for each of its two fields."""
    found = (name_problem("agent_id", agent_id), name_problem("owner", owner))
    return tuple(problem for problem in found if problem is not None)
