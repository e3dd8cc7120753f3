"""``caucus attach`` and ``caucus get``."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import BinaryIO

import click

from caucus.agents.quoting import clean
from caucus.commands.post import new_ulid
from caucus.terminal.asking import in_room
from caucus.terminal.exits import Failed
from caucus.terminal.here import Here, here
from caucus.terminal.lines import say
from caucus.terminal.piping import made_fit, store

_URI = re.compile("(?:caucus://artifact/([a-z0-9][a-z0-9-]{0,63})/)?([0-9a-f]{64})")


@click.command
@click.argument("file", type=click.File("rb"))
@click.option("-m", "--note", metavar="TEXT", default="", help="What to say of it; else its name.")
@click.option("--silent", is_flag=True, help="Keep it, and say nothing in the room.")
@here
def attach(here: Here, file: BinaryIO, note: str, silent: bool) -> None:
    """Keep a file as evidence, and say so in the room.

    FILE is a path, or - for standard input. Its bytes are kept as they are. Prints where they are.
    """
    data = file.read()
    if not data:
        raise Failed("there is nothing in it", 2)
    uri = store(here.asker, here.room, data)
    if not silent:
        named = "standard input" if file.name == "<stdin>" else str(file.name).rpartition("/")[2]
        said = made_fit((note or f"evidence: {named}").encode("utf-8", "replace")).text
        fields = {"type": "finding", "msg_id": new_ulid(), "body": said or "evidence", "artifact": uri}
        here.asker.ask("POST", in_room(here.room, "append"), fields)
    say(uri)


@click.command
@click.argument("evidence")
@click.option(
    "-o",
    "--output",
    type=click.File("wb", lazy=True),
    default="-",
    help="Where to put it; else standard output.",
)
@here
def get(here: Here, evidence: str, output: BinaryIO) -> None:
    """Fetch a piece of evidence.

    EVIDENCE is its address, caucus://artifact/ROOM/SHA256, or the SHA-256 alone, which is looked for in the
    room. The bytes are checked against it; a terminal is shown none that it would obey.
    """
    found = _URI.fullmatch(evidence)
    if found is None:
        raise click.UsageError("EVIDENCE must be caucus://artifact/ROOM/SHA256, or a SHA-256.")
    data = here.asker.fetch(in_room(found[1] or here.room, "artifacts", found[2]))
    if sha256(data).hexdigest() != found[2]:
        raise Failed("what came is not what has this SHA-256")
    if output.isatty():
        say(clean(data.decode(errors="replace")))
    else:
        output.write(data)
