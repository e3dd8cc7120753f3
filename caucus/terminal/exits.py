"""How a command ends: with a status that a script can tell apart, and a sentence."""

from __future__ import annotations

from typing import Final

import click

from caucus.terminal.lines import say

LOST: Final = 3
"""Somebody else holds it, or you do not."""
NO_AUTHORITY: Final = 4
UNREACHABLE: Final = 5
PACED: Final = 6
INTERRUPTED: Final = 130


class Failed(click.ClickException):
    """It did not work; the text says what is wrong and what to do."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.exit_code = status  # type: ignore[misc]  # click means it to be set

    def show(self, file: object = None) -> None:  # noqa: ARG002
        """Say so, as every command of Caucus does."""
        say(f"caucus: {self.format_message()}", err=True)
