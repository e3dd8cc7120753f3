"""``caucus-journal``: check, back up, export, audit and move a journal."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import apsw
import msgspec
from twisted.python import usage

from caucus.journals.database import CopyError
from caucus.journals.files import DatabaseError
from caucus.journals.logs import back_up, is_postgres, move, path_of, postgres_log, rows_of, shown, sound
from caucus.journals.restoring import restore
from caucus.journals.shown import audited, exported
from caucus.model.text import one_line

_DIGEST = re.compile("[0-9a-fA-F]{64}")


class FileOptions(usage.Options):
    """``check FILE``, ``export FILE`` and ``audit FILE``."""

    synopsis = "FILE"

    def parseArgs(self, file: str) -> None:  # type: ignore[override]  # Twisted calls it so
        self["file"] = file


class CheckOptions(FileOptions):
    """``check [--head DIGEST] FILE``."""

    optParameters = [  # noqa: RUF012
        ["head", None, None, "a digest that must be in it: all that was there up to it still is"],
    ]

    def postOptions(self) -> None:
        head = self["head"]
        if head is not None and not _DIGEST.fullmatch(head):
            raise usage.UsageError("--head takes a digest of 64 hexadecimal digits, as check prints one")


class BackupOptions(usage.Options):
    """``backup FILE COPY``."""

    synopsis = "FILE COPY"

    def parseArgs(self, file: str, copy: str) -> None:  # type: ignore[override]  # Twisted calls it so
        self["file"], self["copy"] = file, copy


class RestoreOptions(usage.Options):
    """``restore COPY FILE``."""

    synopsis = "COPY FILE"

    def parseArgs(self, copy: str, file: str) -> None:  # type: ignore[override]  # Twisted calls it so
        self["copy"], self["file"] = copy, file


class CopyOptions(usage.Options):
    """``copy JOURNAL EMPTY``."""

    synopsis = "JOURNAL EMPTY"

    def parseArgs(self, file: str, target: str) -> None:  # type: ignore[override]  # Twisted calls it so
        self["file"], self["target"] = file, target


class Options(usage.Options):
    """The options before the action."""

    synopsis = "check|backup|restore|export|audit|copy|upgrade JOURNAL ..."
    longdesc = "A journal is the path of a SQLite file, also as sqlite:PATH, or postgres:DSN."
    subCommands = [  # noqa: RUF012
        [
            "check",
            None,
            CheckOptions,
            "whether the file is sound and no event was changed; status 1 if not",
        ],
        ["backup", None, BackupOptions, "a consistent copy in a new file"],
        ["restore", None, RestoreOptions, "put a copy in the place of a journal that no daemon is using"],
        ["audit", None, FileOptions, "who was minted, rotated and revoked, and when, as JSON Lines"],
        ["export", None, FileOptions, "the log as JSON Lines on standard output, an event each"],
        ["copy", None, CopyOptions, "move a journal that no daemon is using into one that is empty"],
        ["upgrade", None, FileOptions, "let daemons write what only new releases read, once all are new"],
    ]

    def postOptions(self) -> None:
        if self.subCommand is None:
            raise usage.UsageError("an action is needed: check, backup, restore, export, audit or copy")


def run(action: str, given: Mapping[str, Any]) -> None:
    """Do what was asked. Ends with `SystemExit`, whose text says what is wrong."""
    file = given["file"]
    try:
        if action == "check":
            _check(file, given.get("head"))
        elif action == "backup":
            back_up(file, given["copy"])
        elif action == "restore":
            _restore(given["copy"], file)
        elif action == "copy":
            _copy(file, given["target"])
        elif action == "upgrade":
            _upgrade(file)
        elif action == "audit":
            _print(audited(row.event for row in rows_of(file)))
        else:
            _print(exported(row) for row in rows_of(file))
    except CopyError as error:  # which names the copy, and that is a file
        raise SystemExit(f"caucus-journal: {error}") from None
    except BrokenPipeError:
        raise SystemExit(1) from None  # whoever reads it has had enough
    except (DatabaseError, apsw.Error, OSError) as error:
        raise SystemExit(f"caucus-journal: {shown(file)}: {one_line(error)}") from None


def _copy(source: str, target: str) -> None:
    try:
        count = move(source, target)
    except DatabaseError as error:
        both = f"{shown(source)} to {shown(target)}"
        raise SystemExit(f"caucus-journal: {both}: {one_line(error)}") from None
    print(f"{shown(target)}: {count} events, from {shown(source)}")  # noqa: T201


def _upgrade(name: str) -> None:
    if not is_postgres(name):
        raise DatabaseError("a file is its daemon's alone, which writes what it can")
    before, now = postgres_log(name).upgrade()
    since = "as before" if before >= now else f"from now on, and not {before}"
    print(f"{shown(name)}: daemons write version {max(before, now)}, {since}")  # noqa: T201


def _restore(copy: str, file: str) -> None:
    target = path_of(file)
    try:
        source = path_of(copy)
        count = sound(copy).events
    except (DatabaseError, apsw.Error, OSError) as error:
        raise SystemExit(f"caucus-journal: {shown(copy)}: {one_line(error)}") from None
    aside = restore(source, target)
    before = "" if aside is None else f"; what was there is {aside}"
    print(f"{file}: restored, {count} events{before}")  # noqa: T201


def _print(lines: Iterable[Mapping[str, Any]]) -> None:
    for line in lines:
        sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.flush()


def _check(file: str, wanted: str | None) -> None:
    found = sound(file, None if wanted is None else bytes.fromhex(wanted))
    if wanted is not None and found.found is None:
        raise DatabaseError(f"no event in it has the digest {wanted}")
    head = (
        "; it has no chain, being of the first version"
        if found.head is None
        else f", head {found.head.hex()}"
    )
    until = "" if found.found is None else f"; the head that was asked for is event {found.found}"
    print(f"{shown(file)}: sound, {found.events} events{head if found.events else ''}{until}")  # noqa: T201


def main(arguments: Sequence[str] | None = None) -> None:
    """The ``caucus-journal`` command."""
    options = Options()
    try:
        options.parseOptions(sys.argv[1:] if arguments is None else arguments)
    except usage.UsageError as error:
        raise SystemExit(f"caucus-journal: {error}") from None
    run(str(options.subCommand), options.subOptions)
