"""The commands of ``caucus``: what each is for, and where it is."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any, Final

import click

COMMANDS: Final = {
    "board": ("board", "Show who holds what, and who waits."),
    "tail": ("tail", "Show what is said, as it is said."),
    "catchup": ("catchup", "Tell what somebody who comes needs to know; or the whole story, as Markdown."),
    "post": ("post", "Say something; what is piped in is made fit."),
    "claim": ("claim", "Take targets before work begins; hold them while a command runs."),
    "done": ("giving", "Give a claim back: the work is done, or not."),
    "give": ("giving", "Offer a claim of yours to somebody."),
    "take": ("giving", "Accept, or decline, a claim that is offered to you."),
    "free": ("giving", "End somebody's claim, for a reason."),
    "inbox": ("inbox", "Show what is addressed to you and open; take note of it."),
    "who": ("who", "Show who is there, and when they were heard of."),
    "rooms": ("rooms", "List the rooms, or make one."),
    "attach": ("evidence", "Keep a file as evidence, and say so in the room."),
    "get": ("evidence", "Fetch a piece of evidence."),
    "login": ("login", "Keep an address and a token for later, as a context."),
    "context": ("login", "List contexts, change to one, or forget one."),
    "run": ("run", "Start a harness, or anything, with the context in its environment."),
    "setup": ("setup", "Connect an agent's harness, or take that out again."),
    "doctor": ("doctor", "Find out what is wrong between here, the backbone and a harness."),
    "mcp": ("mcp", "Carry MCP from standard input to the backbone, for a harness."),
    "token": ("token", "Mint, revoke and rotate tokens, as caucus-token does."),
    "journal": ("journal", "Check, copy and export a journal's file, as caucus-journal does."),
}
"""Each command, with its module and what its own help begins with: listing them imports none."""


class _Lazy(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, about = COMMANDS[cmd_name]
        if module == cmd_name and module in ("mcp", "token", "journal"):
            return click.Command(cmd_name, help=about)  # it is called before this is asked
        found: click.Command = getattr(import_module(f"caucus.commands.{module}"), cmd_name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])


def _version(ctx: click.Context, _: click.Parameter, wanted: Any) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415

        click.echo(f"caucus-backbone {version('caucus-backbone')}, {sys.argv[0]}")
        ctx.exit()


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Say which this is."
)
@click.pass_context
def caucus(ctx: click.Context) -> None:
    """Take part in a room of Caucus from a terminal.

    Where and as whom is what CAUCUS_URL, CAUCUS_TOKEN and CAUCUS_ROOM say, or the context that caucus login
    keeps.

    Status: 0, 1 it did not work, 2 it was called wrongly, 3 lost or not held, 4 no authority, 5 not to be
    reached, 6 too fast, 130 interrupted.
    """
    if os.environ.get("NO_COLOR"):
        ctx.color = False
