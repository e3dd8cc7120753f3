"""The command line, called in this process, and as one of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

from click.testing import CliRunner

from caucus.commands.group import caucus
from tests.daemon import BIN

TOKENS = "tok-alice:alice-laptop:alice,tok-bob:bob-laptop:bob,tok-bob2:bob-desk:bob"


class Ran(NamedTuple):
    """What became of a command."""

    status: int
    out: str
    errors: str


class Terminal:
    """Somebody's, in a home of their own."""

    def __init__(self, url: str, who: str, home: Path, room: str = "room") -> None:
        named = {"CAUCUS_URL": url, "CAUCUS_TOKEN": f"tok-{who}" if who else "", "CAUCUS_ROOM": room}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CAUCUS_", "XDG_"))}
        self.environment = {
            **kept,
            "HOME": str(home),
            **{name: value for name, value in named.items() if value},
        }

    def __call__(self, *arguments: str, given: bytes = b"") -> Ran:
        """Call a command."""
        hidden = dict.fromkeys(name for name in os.environ if name not in self.environment)
        runner = CliRunner(env={**hidden, **self.environment})
        result = runner.invoke(caucus, arguments, input=given, prog_name="caucus", catch_exceptions=False)
        return Ran(result.exit_code, result.stdout, result.stderr)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command as a process, with pipes."""
        return subprocess.Popen(
            [BIN / "caucus", *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
