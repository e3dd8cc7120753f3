"""What every harness is told, and how each is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlencode

from caucus.harnesses.files import Change

ENTRY: Final = "caucus"
"""What our entry is called in each file."""
SECONDS: Final = 2
"""As long as a hook may take: the daemon answers within that, and a harness waits for it."""
TOKEN: Final = "CAUCUS_TOKEN"  # noqa: S105  # it is the name of a variable
"""Where the token is: a harness takes it from its environment."""


class Told(NamedTuple):
    """What a harness is told.

    :param url: where the backbone is.
    :param room: the room that is meant where the agent names none; empty if there is only one.
    :param guard: what becomes of an edit of what somebody else holds: ``off``, ``warn`` or ``deny``.
    :param reminds: whether an agent that stops is told what it still holds.
    :param allows: whether the harness lets the agent use our tools without asking.
    """

    url: str
    room: str
    guard: str = "warn"
    reminds: bool = False
    allows: bool = True

    def mcp(self) -> str:
        """The address of the tools."""
        return f"{self.url}/mcp{self._query()}"

    def hook(self, dialect: str, event: str) -> str:
        """The address of a hook."""
        return f"{self.url}/hooks/{dialect}/{event}{self._query()}"

    def _query(self, **more: str) -> str:
        pairs = ({"room": self.room} if self.room else {}) | more
        return f"?{urlencode(pairs)}" if pairs else ""

    def guarded(self, dialect: str, event: str) -> str:
        """The address of the hook before an edit."""
        return f"{self.url}/hooks/{dialect}/{event}{self._query(guard=self.guard)}"

    def reminded(self, dialect: str, event: str) -> str:
        """The address of the hook before the agent stops."""
        return f"{self.url}/hooks/{dialect}/{event}{self._query(remind='1')}"


class Harness(NamedTuple):
    """A harness that can be set up.

    :param program: what is started.
    :param plan: the changes that set it up, or that take all of it out again if it is told nothing; from a
        home and the environment. Raises `NotMerged`.
    :param start: the dialect and the event of a session that begins, if it is told of those.
    :param then: what is to be known, once it is set up.
    """

    name: str
    program: str
    plan: Callable[[Path, Mapping[str, str], Told | None], list[Change]]
    start: tuple[str, str] | None = None
    then: str = ""


def command(address: str, body: str = "@-") -> str:
    """A line of a shell that asks a hook: silent, and open, if nobody answers.

    The token stands on no command line, where everybody on the machine could read it, in no file, and goes to
    no proxy.
    """
    return "\n".join(
        (
            f"curl -q --noproxy '*' -sf -m {SECONDS} -K /dev/fd/3"
            f" --data-binary {body} {quoted(address)} 3<<CAUCUS || true",
            f'header = "Authorization: Bearer $(printenv {TOKEN})"',
            'header = "Content-Type: application/json"',
            "CAUCUS",
        )
    )


def quoted(text: str) -> str:
    """A word of a shell."""
    return "'" + text.replace("'", "'\\''") + "'"


def pretty(found: object) -> str:
    """A file of ours alone, as JSON."""
    return json.dumps(found, indent=2) + "\n"


def plugin(name: str, told: Told) -> str:
    """The text of a plugin of ours, which is told what its first line says."""
    text = files("caucus.harnesses").joinpath(name).read_text("utf-8")
    said = {"url": told.url, "room": told.room, "guard": told.guard, "reminds": told.reminds}
    return text.replace("{ /* told */ }", json.dumps(said), 1)
