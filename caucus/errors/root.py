"""The roots of what can go wrong."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from attrs import frozen

__all__ = [
    "CaucusError",
    "ConfigurationError",
    "Detail",
    "InternalError",
]


class ConfigurationError(Exception):
    """What was asked for at the start cannot be: an option, a token entry, a journal, a listener.

    Its text is one line for the person who starts the server and holds no secret.
    """


class Detail(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a text breaks its rule, as far as that can be said; what does not apply is ``None``.

    ``field`` names the field, with an index for an entry of a list: ``to[2]``. Of a character that is not
    allowed, ``code_point`` is its name as ``U+000D``, ``index`` the index of the first such character in
    code points, from 0, and ``count`` how many such there are of any kind. Of a text that is too long, or
    a list, ``length`` and ``limit`` are in code points, or entries. ``offset`` is in bytes, from 0, of a
    body that is no JSON.
    """

    field: str | None = None
    code_point: str | None = None
    index: int | None = None
    count: int | None = None
    length: int | None = None
    limit: int | None = None
    offset: int | None = None


class CaucusError(Exception):
    """The root of all refusals. ``code`` names the condition on the wire."""

    code: ClassVar[str] = "internal_error"

    def __str__(self) -> str:
        return "The backbone failed to answer. The failure is in its log."


@frozen
class InternalError(CaucusError):
    """The backbone failed in a way that is its own fault. Retrying seldom helps."""

    code = "internal_error"
