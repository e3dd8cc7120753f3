"""``caucus catchup``."""

from __future__ import annotations

import click

from caucus.terminal.exits import Failed
from caucus.terminal.here import Here, here
from caucus.terminal.lines import as_json, say
from caucus.terminal.reading import all_of
from caucus.terminal.story import markdown

BUDGET = 10_000
"""So many characters are told at most."""


@click.command
@click.option("--markdown", "is_markdown", is_flag=True, help="All of the room: a post-mortem's first draft.")
@click.option("--since", metavar="POSITION", default="", help="What is new since then.")
@click.option("--json", "is_json", is_flag=True, help="All of the room, as an object.")
@here
def catchup(here: Here, is_markdown: bool, since: str, is_json: bool) -> None:
    """Tell what somebody who comes needs to know; or the whole story, as Markdown.

    As an agent is told it: who holds what, what is addressed to you, open questions, new posts.
    """
    if is_markdown or is_json:
        if since:
            raise click.UsageError("--markdown and --json are the whole story, and take no --since.")
        room = all_of(here.asker, here.room)
        say(as_json(room) if is_json else markdown(room))
        return
    if since and "@" not in since:
        raise click.UsageError("POSITION is what stands behind since= where the last one ended.")
    given = {"room": here.room, "budget": BUDGET} | ({"since": since} if since else {})
    answer = here.asker.ask(
        "POST",
        "/mcp",
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "catch_up", "arguments": given},
        },
    )
    result = answer.result
    if result is None or result.isError:
        raise Failed(result.content[0].text if result else "what answers is no Caucus of this age")
    say(result.content[0].text)
