"""``caucus``: what a person, or a person's harness, starts. Each command is imported when it is meant."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from importlib import import_module
from typing import Final

PASSED: Final = ("mcp", "token", "journal")
"""Commands that read their arguments themselves: what starts with each agent waits for nothing else."""
INTERRUPTED: Final = 130


def main() -> None:
    """Run a command with what follows it."""
    try:
        status = _passed() if sys.argv[1:2] and sys.argv[1] in PASSED else _run()
    except KeyboardInterrupt:
        status = INTERRUPTED
    sys.exit(status)


def _passed() -> int | None:
    name = sys.argv.pop(1)
    sys.argv[0] = f"caucus {name}"
    status: int | None = import_module(f"caucus.commands.{name}").main()
    return status


def _run() -> int:
    """How it ends, as a number; what went wrong is said."""
    if None in (sys.stdin, sys.stdout, sys.stderr):
        from caucus.standard import occupy_closed  # noqa: PLC0415

        occupy_closed()
        sys.stdin = sys.stdin or open(os.devnull)  # noqa: SIM115  # as long as the process
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # who is to ignore it does
            signal.signal(number, lambda number, _: sys.exit(128 + number))
    import click  # noqa: PLC0415  # not before it is needed

    from caucus.commands.group import caucus  # noqa: PLC0415

    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        ended = caucus(prog_name="caucus", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return int(error.exit_code)
    except click.Abort:
        return INTERRUPTED
    except BrokenPipeError:  # whoever reads it has had enough
        _leave_output()
        return 1
    except OSError as error:
        _leave_output()
        with suppress(OSError):
            sys.stderr.write(f"caucus: {error.strerror or error}\n")
        return 1
    return ended if isinstance(ended, int) else 0


def _leave_output() -> None:
    """What could not be written is not tried again as the process ends."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
