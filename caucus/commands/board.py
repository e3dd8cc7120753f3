"""``caucus board``."""

from __future__ import annotations

import click

from caucus.terminal import showing
from caucus.terminal.asking import in_room
from caucus.terminal.here import Here, here
from caucus.terminal.lines import as_json, say


@click.command
@click.option("--target", "targets", metavar="TARGET", multiple=True, help="Only what is in the way of it.")
@click.option("--json", "is_json", is_flag=True, help="A claim a line, as the backbone has them.")
@here
def board(here: Here, targets: tuple[str, ...], is_json: bool) -> None:
    """Show who holds what, and who waits."""
    query = [("target", one) for one in targets]
    claims = here.asker.ask("GET", in_room(here.room, "claims"), query=query).claims
    if is_json:
        for one in claims:
            say(as_json(one))
        return
    own = here.me if here.context.token and claims else None
    rows = [showing.claim(one, own) for one in claims]
    say(showing.table(rows) or "Nobody holds anything.")
