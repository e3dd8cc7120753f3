"""A room as Markdown: the first draft of a post-mortem, made of what was said, in its order.

What others wrote stands there as they wrote it, and can be no heading, link, image or tag of the page.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

from caucus.agents.quoting import clean
from caucus.agents.wording import seconds

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]()<>#|~!&$]|:(?=//)|(?<=www)\.)", re.IGNORECASE)
"""What Markdown reads something into, addresses that it makes links of as well."""
_AT_FIRST: Final = re.compile(r"^(\d*)([-+=.])")
_TICKS: Final = re.compile("`+")
BRIEF: Final = 160
"""So much is shown of a message where it is told in one line."""
SUMMARY: Final = "*To be written: what happened, whom it hit and for how long, why, and what follows.*"
"""What nobody but people can say."""
_STAMP: Final = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)")
_SPACES: Final = re.compile(r"\s+")


def markdown(room: Any) -> str:
    """The story of a room: what was found and decided, who held what, and when everything was."""
    described, messages = room.channel, room.messages
    parts = [f"# {inline(described.channel)}", *_about(described, messages), f"## Summary\n\n{SUMMARY}"]
    for title, lines in (
        ("Findings", _said(messages, "finding")),
        ("Decisions", _said(messages, "steer")),
        ("Questions", _questions(messages)),
        ("Work", _work(messages)),
        ("Still held", _held(room.claims)),
        ("Evidence", _evidence(messages)),
        ("Who took part", _people(messages)),
        ("Timeline", _timeline(messages)),
    ):
        found = "\n".join(lines)
        if found:
            parts.append(f"## {title}\n\n{found}")
    return "\n\n".join(parts)


def inline(text: str | None) -> str:
    """Somebody's words within a line: nothing in them is Markdown or HTML."""
    flat = _SPACES.sub(" ", clean(text or "")).strip()
    shown = _AT_FIRST.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", flat))
    return shown.replace("@", "<span>@</span>")  # an address of e-mail is made a link even if it is escaped


def block(text: str, indent: str = "  ") -> str:
    """Somebody's words of one line as a sentence, and of more behind a fence that none of them closes."""
    shown = clean(text).strip("\n")
    if "\n" not in shown:
        return " " + inline(shown)
    fence = "`" * max(3, 1 + max((len(one) for one in _TICKS.findall(shown)), default=0))
    lines = [f"{fence}text", *shown.split("\n"), fence]
    return "\n\n" + "\n".join(indent + line for line in lines) + "\n"


def at(stamp: str | None) -> str:
    """When that is, to the second."""
    found = _STAMP.match(stamp or "")
    return f"{found[1]} {found[2]}" if found else inline(stamp)


def code(text: str) -> str:
    """A reference, as code."""
    flat = _SPACES.sub(" ", clean(text)).strip()
    ticks = "`" * (1 + max((len(one) for one in _TICKS.findall(flat)), default=0))
    pad = " " if "`" in flat else ""
    return f"{ticks}{pad}{flat}{pad}{ticks}"


def _about(described: Any, messages: list[Any]) -> Iterator[str]:
    if described.purpose:
        yield inline(described.purpose)
    made = f"Made by {inline(described.created_by)} at {at(described.created_ts)}."
    if messages:
        made += f" {len(messages)} posts from {at(messages[0].ts)} to {at(messages[-1].ts)}."
    yield made + " Times are in UTC."


def _who(one: Any) -> str:
    return f"{inline(one.owner)}/{inline(one.agent_id)}"


def _at(one: Any) -> str:
    return at(one.ts)


def _line(one: Any, state: str = "") -> str:
    with_it = "" if one.artifact is None else f" with {code(one.artifact)}"
    to = f" to {', '.join(map(inline, one.to))}" if one.to else ""
    return f"- **{_at(one)}** {_who(one)}{to}{state}{with_it}{_number(one)}:{block(one.body)}"


def _number(one: Any) -> str:
    """Where it stands in the room's log."""
    return "" if one.cursor is None else rf" \[{one.cursor}\]"


def _brief(one: Any) -> str:
    """The first line of what somebody wrote, and how many there are."""
    first, *more = clean(one.body or "").strip("\n").split("\n")
    cut = first if len(first) <= BRIEF else first[: BRIEF - 1] + "…"
    return inline(cut) + (f" (and {len(more)} lines more)" if more else "")


def _said(messages: Iterable[Any], kind: str) -> Iterator[str]:
    return (_line(one) for one in messages if one.type == kind)


def _questions(messages: list[Any]) -> Iterator[str]:
    answers: dict[str, list[Any]] = {}
    for one in messages:
        if one.reply_to is not None:
            answers.setdefault(one.reply_to, []).append(one)
    for one in messages:
        if one.type != "question":
            continue
        found = answers.get(one.msg_id, [])
        yield _line(one, "" if found or one.status == "resolved" else ", **open**")
        for answer in found:
            yield f"  - **{_at(answer)}** {_who(answer)}:{block(answer.body, '    ')}"


def _work(messages: list[Any]) -> Iterator[str]:
    """Grants and how each ended, as the log's claim messages say."""
    open_ones: dict[str, Any] = {}
    for one in messages:
        if one.type != "claim" or one.target is None:
            continue
        before = open_ones.pop(one.target, None)
        if one.status == "resolved":
            if before is not None:
                ended = f"until {_at(one)}, {_brief(before)}; ended by {_who(one)}: {_brief(one)}"
                yield f"- {code(one.target)} {_who(before)} from {_at(before)} {ended}"
            continue
        if before is not None and _who(before) != _who(one):
            yield f"- {code(one.target)} {_who(before)} from {_at(before)} until {_at(one)}, then {_who(one)}"
        open_ones[one.target] = before if before is not None and _who(before) == _who(one) else one
    for target, one in open_ones.items():
        yield f"- {code(target)} {_who(one)} from {_at(one)}, and still when this was made, {_brief(one)}"


def _held(claims: list[Any]) -> Iterator[str]:
    for one in claims:
        lasts = "no end" if one.expires_in is None else f"{seconds(one.expires_in)} left"
        state = f"waits, {one.ahead} ahead" if one.state == "waiting" else lasts
        named = ", ".join(code(target) for target in one.targets)
        yield f"- {named} {_who(one)}, {state}:{block(one.note or '')}"


def _evidence(messages: list[Any]) -> Iterator[str]:
    for one in messages:
        if one.artifact is not None:
            yield f"- {code(one.artifact)} **{_at(one)}** {_who(one)}: {_brief(one)}"


def _people(messages: list[Any]) -> Iterator[str]:
    counted = Counter((one.owner, one.agent_id) for one in messages if one.owner != "caucus")
    for (owner, agent_id), count in counted.most_common():
        yield f"- {inline(owner)}/{inline(agent_id)}, {count} {'post' if count == 1 else 'posts'}"


def _timeline(messages: list[Any]) -> Iterator[str]:
    for one in messages:
        to = f" to {', '.join(map(inline, one.to))}" if one.to else ""
        on = f" on {code(one.target)}" if one.target else ""
        status = f", {inline(one.status)}" if one.status else ""
        yield f"- **{_at(one)}** {inline(one.type)}{status} {_who(one)}{to}{on}{_number(one)}: {_brief(one)}"
