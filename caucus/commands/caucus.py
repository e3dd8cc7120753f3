"""``caucus``: what a person, or a person's harness, starts. Each subcommand is imported when it is meant."""

from __future__ import annotations

import sys
from importlib import import_module

_COMMANDS = {
    "mcp": "a bridge from standard input to the daemon's MCP door",
    "token": "mint, revoke and rotate tokens, as caucus-token does",
    "journal": "look at a journal's file, as caucus-journal does",
}


def main() -> None:
    """Run a subcommand with what follows it."""
    name, *_ = *sys.argv[1:2], ""
    if name in ("", "-h", "--help"):
        lines = "\n".join(f"  {command:8} {about}" for command, about in _COMMANDS.items())
        sys.stdout.write(f"Usage: caucus COMMAND ...\n\n{lines}\n")
        sys.exit(0 if name else 2)
    if name not in _COMMANDS:
        sys.stderr.write(f"caucus: there is no command {name!r}; caucus --help lists them\n")
        sys.exit(2)
    del sys.argv[1]
    sys.argv[0] = f"caucus {name}"
    sys.exit(import_module(f"caucus.commands.{name}").main())
