"""The roots of what can go wrong."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen


class ConfigurationError(Exception):
    """What was asked for at the start cannot be: an option, a token entry, a journal, a listener.

    Its text is one line for the person who starts the server and holds no secret.
    """


class CaucusError(Exception):
    """The root of all refusals. ``code`` names the condition on the wire."""

    code: ClassVar[str] = "internal_error"

    def __str__(self) -> str:
        return "The backbone failed to answer. The failure is in its log."


@frozen
class InternalError(CaucusError):
    """The backbone failed in a way that is its own fault. Retrying seldom helps."""

    code = "internal_error"
