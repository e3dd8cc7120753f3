"""``caucus inbox``."""

from __future__ import annotations

from typing import Any

import click

from caucus.terminal import showing
from caucus.terminal.asking import Asker
from caucus.terminal.here import Here, here
from caucus.terminal.lines import as_json, say


@click.command
@click.option(
    "--ack", metavar="CURSOR", type=click.IntRange(1), multiple=True, help="Take note of one, in the room."
)
@click.option("--all", "is_all", is_flag=True, help="What is closed, too.")
@click.option("--json", "is_json", is_flag=True, help="An item a line.")
@here
def inbox(here: Here, ack: tuple[int, ...], is_all: bool, is_json: bool) -> None:
    """Show what is addressed to you and open; take note of it.

    It is of all rooms. An answer closes an item as well: caucus post --reply CURSOR.
    """
    for cursor in ack:
        here.asker.ask("POST", "/inbox/ack", {"channel": here.room, "cursor": cursor})
    if ack:
        say(f"acked: {', '.join(map(str, ack))} in {here.room}")
        return
    items = _items(here.asker, is_all=is_all)
    for one in items:
        if is_json:
            say(as_json(one))
        else:
            shown = showing.message(one.channel, one.cursor, one.message, names_room=True)
            say(shown + (f" ({one.state})" if is_all else ""))
    if not items and not is_json:
        say("Nothing is asked of you.")


def _items(asker: Asker, *, is_all: bool) -> list[Any]:
    found: list[Any] = []
    query = [("all", "1")] if is_all else []
    page = asker.ask("GET", "/inbox", query=query)
    while page["items"]:
        found += page["items"]
        page = asker.ask("GET", "/inbox", query=[*query, ("since", page.since)])
    return found
