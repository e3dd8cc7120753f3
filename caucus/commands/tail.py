"""``caucus tail``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from caucus.agents.quoting import name
from caucus.terminal import showing
from caucus.terminal.asking import in_room
from caucus.terminal.following import follow, so_far
from caucus.terminal.here import Here, here
from caucus.terminal.lines import as_json, say


@click.command
@click.argument("rooms", metavar="[ROOM]...", nargs=-1)
@click.option(
    "-n", "--last", type=click.IntRange(0), default=10, show_default=True, help="So many from before."
)
@click.option("--since", metavar="POSITION", default="", help="Go on from where --json was.")
@click.option("--json", "is_json", is_flag=True, help="An event a line, with the position after it in since.")
@click.option("--no-follow", is_flag=True, help="Show what there is, and end.")
@here
def tail(here: Here, rooms: tuple[str, ...], last: int, since: str, is_json: bool, no_follow: bool) -> None:
    """Show what is said, as it is said.

    Of the rooms that are named; else of the one that is set; else of all.
    """
    names = list(rooms) or [here.named or "*"]
    asked = names if since else [_from_before(here, one, last) for one in names]
    events = so_far if no_follow else follow
    for position, event in events(here.asker, asked, since):
        if is_json:
            say(as_json({**event, "since": position}))
        else:
            _show(event, names_room=len(names) > 1 or names == ["*"])


def _from_before(here: Here, room: str, last: int) -> str:
    if room == "*" or not last:
        return room
    return f"{room}:{max(0, here.asker.ask('GET', in_room(room)).head - last)}"


def _show(event: Any, *, names_room: bool) -> None:
    if event.message is not None:
        say(showing.message(event.channel, event.cursor, event.message, names_room=names_room))
    elif isinstance(event.created, Mapping):
        say(f"--:--:-- there is a new room, {name(event.channel)}")
    elif event.reset:
        names = ", ".join(name(one) for one in event.reset)
        say(f"--:--:-- where this was is not known any more: {names} from the beginning", err=True)
