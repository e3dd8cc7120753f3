"""``caucus post``."""

from __future__ import annotations

import re
from typing import Any

import click

from caucus.agents.quoting import name
from caucus.terminal.asking import in_room
from caucus.terminal.exits import Failed
from caucus.terminal.here import Here, here
from caucus.terminal.lines import as_json, say
from caucus.terminal.piping import as_message, from_input, made_fit

TYPES = ("note", "finding", "status", "question", "answer", "steer", "decision")
"""What a message may be; a decision is what the wire calls ``steer``."""
_ULID = re.compile("[0-9A-HJKMNP-TV-Z]{26}")


@click.command
@click.argument("text", nargs=-1)
@click.option(
    "-t", "--type", "kind", type=click.Choice(TYPES), help="What it is; a note, or an answer with --reply."
)
@click.option(
    "--to", metavar="NAME", multiple=True, help="Whom it is for, an agent or an owner; may be repeated."
)
@click.option("--reply", metavar="CURSOR", help="What it answers: the number in brackets, or a msg_id.")
@click.option("--status", type=click.Choice(["needs-response", "resolved", "fyi"]))
@click.option("--json", "is_json", is_flag=True, help="Print the answer.")
@here
def post(
    here: Here,
    text: tuple[str, ...],
    kind: str | None,
    to: tuple[str, ...],
    reply: str | None,
    status: str | None,
    is_json: bool,
) -> None:
    """Say something; what is piped in is made fit.

    Without a TEXT, or for -, what comes on standard input is said. What is too long for a message is kept as
    evidence, and the message is its beginning.
    """
    said = " ".join(text)
    piped = from_input() if said in ("", "-") else made_fit(said.encode("utf-8", "replace"))
    kind = "steer" if kind == "decision" else kind or ("answer" if reply else "note")
    fields: dict[str, Any] = {"type": kind, "msg_id": new_ulid()}
    fields |= as_message(here.asker, here.room, piped)
    if to:
        fields["to"] = list(to)
    if status:
        fields["status"] = status
    if reply:
        fields["reply_to"] = _msg_id(here, reply)
    answer = here.asker.ask("POST", in_room(here.room, "append"), fields)
    if is_json:
        say(as_json(answer))
        return
    say(f"[{answer.cursor}] in {here.room}")
    if to:
        _warn(here, answer.cursor)


def _msg_id(here: Here, reply: str) -> str:
    """The msg_id of what is answered."""
    if _ULID.fullmatch(reply):
        return reply
    if not reply.isascii() or not reply.isdigit():
        raise click.UsageError("CURSOR is the number in brackets, as caucus tail shows it, or a msg_id.")
    return str(here.asker.ask("GET", in_room(here.room, "messages", reply)).message.msg_id)


def _warn(here: Here, cursor: int) -> None:
    """Say if somebody who is addressed is nobody here."""
    try:
        nobody = here.asker.ask("GET", in_room(here.room, "messages", str(cursor))).unreachable or []
    except Failed:
        return  # it is said; this was a courtesy
    if nobody:
        say(f"caucus: nobody here is called {', '.join(map(name, nobody))}", err=True)


def new_ulid() -> str:
    """A name for a message that nothing else has."""
    from ulid import ULID  # noqa: PLC0415

    return str(ULID())
