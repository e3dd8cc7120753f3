"""``caucus setup``."""

from __future__ import annotations

import difflib
import os
import shutil

import click

from caucus.harnesses.files import Change, NotMerged, backup_of
from caucus.harnesses.harness import TOKEN, Harness, Told
from caucus.harnesses.known import HARNESSES
from caucus.terminal import contexts
from caucus.terminal.connecting import Address
from caucus.terminal.exits import Failed
from caucus.terminal.here import Here, context_of
from caucus.terminal.lines import say


@click.command
@click.argument("harness", type=click.Choice(list(HARNESSES)))
@click.option(
    "--guard",
    type=click.Choice(["off", "warn", "deny"]),
    default="warn",
    show_default=True,
    help="What becomes of an edit of what somebody else holds.",
)
@click.option("--remind", is_flag=True, help="Remind an agent that stops of what it still holds.")
@click.option("--ask", is_flag=True, help="Leave it to the harness to ask before each use of a tool.")
@click.option("--dry-run", is_flag=True, help="Show what would be changed.")
@click.option("--undo", is_flag=True, help="Take it all out again.")
@click.option(
    "-r", "--room", metavar="ROOM", default="", help="The room; else CAUCUS_ROOM, or the context's."
)
@click.option("--context", metavar="NAME", default="", help="Another context than the current one.")
def setup(
    harness: str, guard: str, remind: bool, ask: bool, dry_run: bool, undo: bool, room: str, context: str
) -> None:
    """Connect an agent's harness, or take that out again.

    Its own files in your home gain the tools and the hooks; what else is in them stays, and a copy of each as
    it was is kept beside it. The address and the room are those of --room and the context. The token is none
    of it: the harness takes CAUCUS_TOKEN from its environment, as caucus run starts it.
    """
    known = HARNESSES[harness]
    here = None if undo else Here(context_of(context), room)
    told = None if here is None else Told(_address(here), here.named, guard, remind, not ask)
    home = contexts.home(os.environ)
    if not home.is_absolute():
        raise Failed("there is no home that has files of a harness: set HOME", 2)
    try:
        changes = known.plan(home, os.environ, told)
    except NotMerged as error:
        raise Failed(str(error)) from None
    if not changes:
        say(f"{harness} is set up so already." if told else f"{harness} is not set up.")
        return
    for change in changes:
        if dry_run:
            _show(change)
        else:
            _carry_out(change)
    if here is not None and not dry_run:
        _say_how(here, known)


def _address(here: Here) -> str:
    try:
        address = Address(here.context.url)
    except ValueError as error:
        raise Failed(str(error), 2) from None
    if address.url.startswith("http+unix:"):
        raise Failed("a harness needs an address over TCP, and no socket", 2)
    return address.url


def _show(change: Change) -> None:
    """A change, as a difference."""
    texts = (change.before, change.after)
    before, after = (text.splitlines() if text else [] for text in texts)
    named, then = (os.devnull if text is None else str(change.path) for text in texts)
    for line in difflib.unified_diff(before, after, named, then, lineterm=""):
        say(line)


def _carry_out(change: Change) -> None:
    try:
        change.carry_out()
    except NotMerged as error:
        raise Failed(str(error)) from None
    except OSError as error:
        raise Failed(f"{error.filename or change.path}: {error.strerror}") from None
    backup = backup_of(change.path)
    kept = f"; as it was: {backup.name}" if backup.exists() else ""
    if change.after is None:
        say(f"removed {change.path}{kept}")
    elif change.before is None:
        say(f"made {change.path}")
    else:
        say(f"changed {change.path}{kept}")


def _warn_of_room(here: Here) -> None:
    """Say so if no room will be found, as far as that can be told now."""
    try:
        rooms = [one.channel for one in here.asker.ask("GET", "/channels").channels]
    except Failed as error:
        say(f"caucus: whether the room is there is not known: {error.message}", err=True)
        return
    if here.named and here.named not in rooms:
        say(f"caucus: there is no such room yet: caucus rooms --new {here.named}", err=True)
    elif not here.named and len(rooms) != 1:
        say("caucus: no room is named, and there is not just one: --room names it", err=True)


def _say_how(here: Here, known: Harness) -> None:
    """What is left to do, and what may be in the way."""
    _warn_of_room(here)
    say(f"Start it with: caucus run {known.program}   (or set {TOKEN}, and start it as ever)")
    if known.then:
        say(known.then)
    say(f"See whether all is well: caucus doctor {known.name}")
    if shutil.which(known.program) is None:
        say(f"caucus: there is no {known.program} on the path yet", err=True)
    if not here.context.token:
        say("caucus: no token is known yet: caucus login keeps one", err=True)
