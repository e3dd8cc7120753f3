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

MOST_ROOMS = 50
"""Of so many rooms it is shown what was before."""


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
    asked = names if since else [place for one in names for place in _from_before(here, one, last)]
    events = so_far if no_follow else follow
    for position, event in events(here.asker, asked, since):
        if is_json:
            say(as_json({**event, "since": position}))
        else:
            _show(event, names_room=len(names) > 1 or names == ["*"])


def _from_before(here: Here, room: str, last: int) -> list[str]:
    """A room from so many posts before its end on; for all, the newest rooms, and those to come."""
    if not last:
        return [room]
    if room != "*":
        return [_place(here.asker.ask("GET", in_room(room)), last)]
    rooms = here.asker.ask("GET", "/channels").channels
    return ["*", *(_place(one, last) for one in rooms[-MOST_ROOMS:] if one.head)]


def _place(room: Any, last: int) -> str:
    return f"{room.channel}:{max(0, room.head - last)}"


def _show(event: Any, *, names_room: bool) -> None:
    if event.message is not None:
        say(showing.message(event.channel, event.cursor, event.message, names_room=names_room))
    elif isinstance(event.created, Mapping):
        say(f"--:--:-- there is a new room, {name(event.channel)}")
    elif event.reset:
        names = ", ".join(name(one) for one in event.reset)
        say(f"--:--:-- where this was is not known any more: {names} from the beginning", err=True)
