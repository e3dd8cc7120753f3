"""``caucus login`` and ``caucus context``: addresses and tokens that are kept for later."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

import click

from caucus.agents.quoting import name as shown
from caucus.agents.wording import who
from caucus.terminal import contexts
from caucus.terminal.asking import Asker, Refused, in_room
from caucus.terminal.connecting import DEFAULT_URL
from caucus.terminal.exits import Failed
from caucus.terminal.lines import say
from caucus.terminal.showing import table

T = TypeVar("T")


@click.command
@click.argument("url", required=False)
@click.option(
    "--name", metavar="NAME", default=contexts.DEFAULT_NAME, show_default=True, help="Of the context."
)
@click.option("-r", "--room", metavar="ROOM", default="", help="The room that is meant where none is named.")
def login(url: str | None, name: str, room: str) -> None:
    """Keep an address and a token for later, as a context.

    URL is the backbone's, else CAUCUS_URL. The token is asked for, or read from standard input: never an
    argument, since those are for all to see. Both are tried before they are kept, where only you can read
    them.
    """
    token = _token()
    context = contexts.Context(url or os.environ.get("CAUCUS_URL") or DEFAULT_URL, token, room, name)
    asker = Asker(context)
    me = asker.ask("GET", "/whoami")
    is_there = True
    if room:
        try:
            asker.ask("GET", in_room(room))
        except Refused as error:
            if error.code != "unknown_channel":
                raise
            is_there = False
    file = contexts.path(os.environ)
    _change(lambda: contexts.keep(file, context))
    say(f"You are {who(me.agent_id, me.owner)} at {asker.url}: kept in {file} as {name}.")
    if not is_there:
        say(f"There is no room {shown(room)} yet: caucus rooms --new {shown(room)}", err=True)
    _warn_of_environment()


def _token() -> str:
    """The token, from whoever sits there or from a pipe."""
    if sys.stdin.isatty():
        said = click.prompt("Token", hide_input=True, type=str, err=True)
    else:
        said = sys.stdin.readline()
    token: str = said.strip()
    if not token or not contexts.is_token(token):
        raise Failed("that is no token", 2)
    return token


@click.command
@click.argument("name", required=False)
@click.option("-r", "--room", metavar="ROOM", help="The room that is meant there from now on.")
@click.option("--forget", is_flag=True, help="Take it out, with its token.")
def context(name: str | None, room: str | None, forget: bool) -> None:
    """List contexts, change to one, or forget one."""
    file = contexts.path(os.environ)
    if name is None:
        if forget or room is not None:
            raise click.UsageError("Say which context is meant.")
        _list(file)
    elif forget:
        _change(lambda: contexts.forget(file, name))
        say(f"forgotten: {name}")
    else:
        if room is not None:
            found = _change(lambda: contexts.find(contexts.read(file), name))
            _change(lambda: contexts.keep(file, found._replace(room=room)))
        _change(lambda: contexts.switch(file, name))
        say(f"now: {name}")
        _warn_of_environment()


def _list(file: Path) -> None:
    found = _change(lambda: contexts.read(file))
    named = found.get("contexts", {})
    if not isinstance(named, Mapping) or not named:
        say("There is none: caucus login keeps one.")
        return
    rows = []
    for name in named:
        one = _change(partial(contexts.find, found, name))
        rows.append(("*" if name == found.get("current") else " ", name, one.url, one.room))
    say(table(rows))
    if contexts.is_open_to_others(file):
        say(f"caucus: others can read {file}, which holds tokens: chmod 600 it", err=True)
    _warn_of_environment()


def _warn_of_environment() -> None:
    named = [
        name
        for name in ("CAUCUS_URL", "CAUCUS_TOKEN", "CAUCUS_ROOM", "CAUCUS_CONTEXT")
        if os.environ.get(name)
    ]
    if named:
        say(f"caucus: {', '.join(named)} in the environment wins over it", err=True)


def _change(do: Callable[[], T]) -> T:
    """What is done to the file; what is wrong with that is said."""
    try:
        return do()
    except contexts.BadConfiguration as error:
        raise Failed(str(error), 2) from None
    except OSError as error:
        raise Failed(f"{error.filename}: {error.strerror}") from None
