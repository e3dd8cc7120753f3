"""How a terminal shows what is there. What others wrote is data: no line of it looks like one of ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from caucus.agents.quoting import clean, in_line, name
from caucus.agents.wording import left, targets, who

COLOURS = {
    "claim": "cyan",
    "finding": "green",
    "question": "yellow",
    "answer": "yellow",
    "steer": "magenta",
}


def at(stamp: str | None) -> str:
    """The time of day of a stamp, in UTC, as all stamps are."""
    return clean(stamp or "")[11:19] or "--:--:--"


def message(channel: str, cursor: int, said: Any, *, names_room: bool = False) -> str:
    """A message: what is ours, and its text; one of more lines is marked line by line."""
    kind = str(said.type) if said.status is None else f"{said.type} ({said.status})"
    parts = [at(said.ts), f"[{cursor}]", click.style(kind, COLOURS.get(said.type))]
    if names_room:
        parts.insert(1, name(channel))
    parts.append(click.style(who(said.agent_id, said.owner), bold=True))
    if said.to:
        parts.append("to " + ", ".join(name(one) for one in said.to))
    if said.target:
        parts.append("on " + in_line(said.target, 200))
    if said.artifact:
        parts.append("with " + name_of_evidence(said.artifact))
    return " ".join(parts) + ":" + text(said.body)


def text(body: str) -> str:
    """What somebody wrote, behind what is ours."""
    lines = clean(body).split("\n")
    return f" {lines[0]}" if len(lines) == 1 else "".join(f"\n  | {line}" for line in lines)


def name_of_evidence(uri: str) -> str:
    """A reference to evidence, which is anybody's text."""
    return uri if uri.isascii() and uri.isprintable() and " " not in uri else in_line(uri, 200)


def claim(one: Any, own: tuple[str, str] | None = None) -> tuple[str, str, str, str, str]:
    """A row of the board: its number, what it is on, whose it is, how long, and what for."""
    mine = " (you)" if own is not None and (one.agent_id, one.owner) == own else ""
    if one.state == "waiting":
        lasts = f"waits, {one.ahead} ahead"
    else:
        lasts = left(one)
        to = one.offered_to
        lasts += "" if to is None else f", offered to {who(to.agent_id, to.owner)}"
    shared = " shared" if one.mode == "shared" else ""
    return (
        f"#{one.claim}",
        targets(one) + shared,
        who(one.agent_id, one.owner) + mine,
        lasts,
        in_line(one.note or "", 60),
    )


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows in columns, each as wide as its widest; the last is not filled up."""
    if not rows:
        return ""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        lines.append("  ".join([*cells, row[-1]]).rstrip())
    return "\n".join(lines)
