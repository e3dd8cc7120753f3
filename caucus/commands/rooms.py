"""``caucus rooms``."""

from __future__ import annotations

import click

from caucus.agents.quoting import in_line, name
from caucus.terminal.here import Here, here
from caucus.terminal.lines import as_json, say
from caucus.terminal.showing import table


@click.command
@click.option("--new", metavar="NAME", help="Make a room with this name.")
@click.option("--purpose", metavar="TEXT", default="", help="What a new one is for.")
@click.option("--json", "is_json", is_flag=True, help="A room a line.")
@here
def rooms(here: Here, new: str | None, purpose: str, is_json: bool) -> None:
    """List the rooms, or make one."""
    if new is not None:
        made = here.asker.ask("POST", "/channels", {"channel": new, "purpose": purpose})
        say(as_json(made) if is_json else f"made {made.channel}")
        return
    found = here.asker.ask("GET", "/channels").channels
    if is_json:
        for one in found:
            say(as_json(one))
        return
    rows = [
        (
            name(one.channel),
            f"{one.head} posts",
            f"by {name(one.created_by)}",
            in_line(one.purpose, 80) if one.purpose else "",
        )
        for one in found
    ]
    say(table(rows) or "There is no room yet: caucus rooms --new NAME makes one.")
