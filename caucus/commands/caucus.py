"""``caucus``: what a person, or a person's harness, starts. Each command is imported when it is meant."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

PASSED: Final = ("mcp", "token", "journal")
"""Commands that read their arguments themselves: what starts with each agent waits for nothing else."""


def main() -> None:
    """Run a command with what follows it."""
    if sys.argv[1:2] and sys.argv[1] in PASSED:
        name = sys.argv.pop(1)
        sys.argv[0] = f"caucus {name}"
        sys.exit(import_module(f"caucus.commands.{name}").main())
    import click  # noqa: PLC0415  # not before it is needed

    from caucus.commands.group import caucus  # noqa: PLC0415
    from caucus.terminal.exits import INTERRUPTED  # noqa: PLC0415

    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(_status_of(caucus, click, INTERRUPTED))


def _status_of(caucus: Callable[..., Any], click: Any, interrupted: int) -> int:
    """How it ends, as a number; what went wrong is said."""
    try:
        ended = caucus(prog_name="caucus", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return int(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return interrupted
    except BrokenPipeError:  # whoever reads it has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return ended if isinstance(ended, int) else 0
