"""``caucus-journal``: check, back up, export and audit a SQLite journal, also while a daemon uses it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import apsw
import msgspec
from twisted.python import usage

from caucus.journals.database import DatabaseError
from caucus.journals.reader import Reader
from caucus.journals.shown import audited, exported


class FileOptions(usage.Options):
    """``check FILE``, ``export FILE`` and ``audit FILE``."""

    synopsis = "FILE"

    def parseArgs(self, file: str) -> None:  # type: ignore[override]  # Twisted calls it so
        self["file"] = file


class BackupOptions(usage.Options):
    """``backup FILE COPY``."""

    synopsis = "FILE COPY"

    def parseArgs(self, file: str, copy: str) -> None:  # type: ignore[override]  # Twisted calls it so
        self["file"], self["copy"] = file, copy


class Options(usage.Options):
    """The options before the action."""

    synopsis = "check|backup|export|audit FILE ..."
    subCommands = [  # noqa: RUF012
        [
            "check",
            None,
            FileOptions,
            "whether the file is sound and every event can be read; status 1 if not",
        ],
        ["backup", None, BackupOptions, "a consistent copy in a new file"],
        ["audit", None, FileOptions, "who was minted, rotated and revoked, and when, as JSON Lines"],
        ["export", None, FileOptions, "the log as JSON Lines on standard output, an event each"],
    ]

    def postOptions(self) -> None:
        if self.subCommand is None:
            raise usage.UsageError("an action is needed: check, backup, export or audit")


def run(action: str, given: Mapping[str, str]) -> None:
    """Do what was asked. Ends with `SystemExit`, whose text says what is wrong."""
    reader = Reader(Path(given["file"]))
    try:
        if action == "check":
            _check(reader, given["file"])
        elif action == "backup":
            reader.copy_to(Path(given["copy"]))
        elif action == "audit":
            _print(audited(event for _, event in reader.events()))
        else:
            _print(exported(position, event) for position, event in reader.events())
    except BrokenPipeError:
        raise SystemExit(1) from None  # whoever reads it has had enough
    except (DatabaseError, apsw.Error, OSError) as error:
        text = getattr(error, "strerror", None) or str(error)
        raise SystemExit(f"caucus-journal: {given['file']}: {text}") from None


def _print(lines: Iterable[Mapping[str, Any]]) -> None:
    for line in lines:
        sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.flush()


def _check(reader: Reader, file: str) -> None:
    problems = reader.problems()
    if problems:
        raise DatabaseError("; ".join(problems))
    count = sum(1 for _ in reader.events())
    print(f"{file}: sound, {count} events")  # noqa: T201


def main(arguments: Sequence[str] | None = None) -> None:
    """The ``caucus-journal`` command."""
    options = Options()
    try:
        options.parseOptions(sys.argv[1:] if arguments is None else arguments)
    except usage.UsageError as error:
        raise SystemExit(f"caucus-journal: {error}") from None
    run(str(options.subCommand), options.subOptions)
