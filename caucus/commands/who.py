"""``caucus who``."""

from __future__ import annotations

import click

from caucus.agents.quoting import name
from caucus.agents.wording import seconds, who as named
from caucus.terminal.here import Here, here
from caucus.terminal.lines import as_json, say
from caucus.terminal.showing import table


@click.command
@click.option("--json", "is_json", is_flag=True, help="An agent a line.")
@here
def who(here: Here, is_json: bool) -> None:
    """Show who is there, and when they were heard of."""
    query = [("channel", here.named)] if here.named else []
    agents = here.asker.ask("GET", "/who", query=query).agents
    if is_json:
        for one in agents:
            say(as_json(one))
        return
    rows = [
        (
            named(one.agent_id, one.owner),
            f"{seconds(one.seen_ago)} ago",
            f"holds {one.holding}" + (f", waits for {one.waiting}" if one.waiting else ""),
            ", ".join(name(room) for room in one.channels),
        )
        for one in agents
    ]
    say(table(rows) or "Nobody was heard of within a day.")
