"""``caucus run``."""

from __future__ import annotations

import os
import signal

import click

from caucus.terminal.exits import Failed
from caucus.terminal.here import Here, here


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@here
def run(here: Here, command: tuple[str, ...]) -> None:
    """Start a harness, or anything, with the context in its environment.

    COMMAND has CAUCUS_URL, CAUCUS_TOKEN and CAUCUS_ROOM, where they are known: so the token stands in no file
    that a harness reads, and on no command line.
    """
    said = {"URL": here.context.url, "TOKEN": here.context.token, "ROOM": here.named}
    environment = os.environ | {f"CAUCUS_{name}": value for name, value in said.items() if value}
    # Python ignores these, and so would the command
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGPIPE, signal.SIGXFSZ)}
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606  # it is what was asked for
    except OSError as error:
        for number, handler in before.items():
            signal.signal(number, handler)
        status = 127 if isinstance(error, FileNotFoundError) else 126
        raise Failed(f"{command[0]}: {error.strerror}", status) from None
