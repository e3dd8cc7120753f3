"""Text that is piped in, made fit to be a message: what was changed is said, and nothing is lost."""

from __future__ import annotations

import sys
from hashlib import sha256
from typing import Any, Final, NamedTuple

from caucus.agents.quoting import fit
from caucus.terminal.asking import Asker, in_room
from caucus.terminal.exits import Failed
from caucus.terminal.lines import say

LONGEST: Final = 16_000
"""So many code points a message has at most."""
BEGINNING: Final = 1_000
"""And so many of a longer one are its message: everybody reads that, the rest is evidence."""
MOST_BYTES: Final = 64 * 1_048_576
"""No evidence is as large, whatever the daemon allows."""


class Piped(NamedTuple):
    """A text that fits, and what was done to make it so."""

    text: str
    changed: str = ""


def from_input() -> Piped:
    """What comes on standard input, to its end."""
    if sys.stdin.isatty():
        say("caucus: type the message, then Ctrl-D", err=True)
    data = sys.stdin.buffer.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise Failed("that is more than 64 MiB: attach a part of it, with caucus attach", 2)
    return made_fit(data)


def made_fit(data: bytes) -> Piped:
    """A text without what no message may hold; line feeds are its only line ends."""
    done = []
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode(errors="replace")
        done.append("what is no UTF-8 replaced")
    text = text.removeprefix("\ufeff")
    if "\r" in text:
        done.append("CR taken for line ends")
    if "\x1b" in text or "\x9b" in text:
        done.append("terminal sequences dropped")
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    if any(_is_control(one) for one in lines):
        done.append("control characters dropped")
    return Piped(fit(text).strip("\n"), ", ".join(done))


def _is_control(character: str) -> bool:
    number = ord(character)
    return (number < 32 and character not in "\t\n\x1b") or (127 <= number < 160 and character != "\x9b")


def as_message(asker: Asker, room: str, piped: Piped) -> dict[str, Any]:
    """The fields of a message that says it; of what is too long its beginning, and the rest as evidence."""
    if not piped.text.strip():
        raise Failed("there is nothing to say: the text is empty", 2)
    if piped.changed:
        say(f"caucus: made fit: {piped.changed}", err=True)
    if len(piped.text) <= LONGEST:
        return {"body": piped.text}
    stored = store(asker, room, piped.text.encode())
    begins = piped.text[:BEGINNING]
    begins = begins[: begins.rfind("\n")] if "\n" in begins[BEGINNING // 2 :] else begins
    say(f"caucus: {len(piped.text)} characters are too long for a message, and kept as evidence", err=True)
    more = f"… (the first {len(begins)} of {len(piped.text)} characters; all of it is {stored})"
    return {"body": f"{begins}\n{more}", "artifact": stored}


def store(asker: Asker, room: str, data: bytes) -> str:
    """Keep bytes as evidence; the URI under which they are found."""
    answer = asker.ask("PUT", in_room(room, "artifacts", sha256(data).hexdigest()), data)
    return str(answer.uri)
