"""What most commands begin with: which backbone, as whom, and in which room."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from caucus.agents.quoting import name as shown
from caucus.terminal import contexts
from caucus.terminal.asking import NO_TOKEN, Asker
from caucus.terminal.exits import NO_AUTHORITY, Failed

F = TypeVar("F", bound=Callable[..., Any])


class Here:
    """Where a command was called: a context, and what answers there.

    :param room: the room that was named, if one was.
    """

    def __init__(self, context: contexts.Context, room: str = "") -> None:
        self.context = context
        self.asker = Asker(context)
        self._room = room or context.room
        self._me: tuple[str, str] | None = None

    @property
    def room(self) -> str:
        """The room that is meant; if nobody says which, the only one there is."""
        if not self._room:
            names = [one.channel for one in self.asker.ask("GET", "/channels").channels]
            if len(names) != 1:
                there = ", ".join(map(shown, names[-20:])) or "none yet, caucus rooms --new NAME makes one"
                raise click.UsageError(f"Say which room, with --room or CAUCUS_ROOM. There are: {there}.")
            self._room = names[0]
        return self._room

    @property
    def named(self) -> str:
        """The room that was named, or nothing."""
        return self._room

    @property
    def me(self) -> tuple[str, str]:
        """Whom the token stands for: agent and owner."""
        if self._me is None:
            if not self.context.token:
                raise Failed(NO_TOKEN, NO_AUTHORITY)
            found = self.asker.ask("GET", "/whoami")
            self._me = found.agent_id, found.owner
        return self._me


def here(command: F) -> F:
    """Give a command its `Here`, with the options that choose it."""

    @click.option(
        "-r", "--room", metavar="ROOM", default="", help="The room; else CAUCUS_ROOM, or the context's."
    )
    @click.option("--context", metavar="NAME", default="", help="Another context than the current one.")
    @wraps(command)
    def wrapped(*arguments: Any, room: str, context: str, **given: Any) -> Any:
        return command(Here(context_of(context), room), *arguments, **given)

    return wrapped  # type: ignore[return-value]  # click has more to call it with


def context_of(name: str = "") -> contexts.Context:
    """The context that is meant."""
    try:
        return contexts.chosen(os.environ, name)
    except contexts.BadConfiguration as error:
        raise Failed(str(error), 2) from None
