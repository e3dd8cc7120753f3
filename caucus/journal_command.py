"""``caucus-journal``: check, back up and export a journal's SQLite file, also while a daemon uses it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import apsw
import msgspec
from twisted.python import usage

from caucus.journals.database import DatabaseError
from caucus.journals.reader import Reader
from caucus.records import ArtifactAdded, ChannelCreated, Event, MessageAppended, TimePassed
from caucus.stamps import instant


class FileOptions(usage.Options):
    """``check FILE`` and ``export FILE``."""

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

    synopsis = "check|backup|export FILE ..."
    subCommands = [  # noqa: RUF012
        [
            "check",
            None,
            FileOptions,
            "whether the file is sound and every event can be read; status 1 if not",
        ],
        ["backup", None, BackupOptions, "a consistent copy in a new file"],
        ["export", None, FileOptions, "the log as JSON Lines on standard output, an event each"],
    ]

    def postOptions(self) -> None:
        if self.subCommand is None:
            raise usage.UsageError("an action is needed: check, backup or export")


def run(action: str, given: Mapping[str, str]) -> None:
    """Do what was asked. Ends with `SystemExit`, whose text says what is wrong."""
    reader = Reader(Path(given["file"]))
    try:
        if action == "check":
            _check(reader, given["file"])
        elif action == "backup":
            reader.copy_to(Path(given["copy"]))
        else:
            for position, event in reader.events():
                sys.stdout.buffer.write(msgspec.json.encode(_exported(position, event)) + b"\n")
            sys.stdout.flush()
    except BrokenPipeError:
        raise SystemExit(1) from None  # whoever reads it has had enough
    except (DatabaseError, apsw.Error, OSError) as error:
        text = getattr(error, "strerror", None) or str(error)
        raise SystemExit(f"caucus-journal: {given['file']}: {text}") from None


def _check(reader: Reader, file: str) -> None:
    problems = reader.problems()
    if problems:
        raise DatabaseError("; ".join(problems))
    count = sum(1 for _ in reader.events())
    print(f"{file}: sound, {count} events")  # noqa: T201


def _exported(position: int, event: Event) -> dict[str, Any]:
    """An event for people and programs: no digest of a token in full, and no idempotency keys."""
    line: dict[str, Any] = {"position": position, "at": instant(event.when.wall)}
    match event:
        case ChannelCreated(descriptor=one):
            names = ("channel", "purpose", "verbosity", "render_budget_chars", "created_by", "created_ts")
            return {**line, "event": "channel_created", **{name: getattr(one, name) for name in names}}
        case MessageAppended(channel=channel, message_json=message_json, transition=transition):
            line |= {"event": "message_appended", "channel": channel, "message": msgspec.Raw(message_json)}
            if transition is not None:
                key, grant = transition
                line["target"] = key
                line["holder"] = (
                    None
                    if grant is None
                    else {
                        "agent_id": grant.holder.agent_id,
                        "owner": grant.holder.owner,
                        "lease_ttl": grant.lease_ttl,
                    }
                )
            return line
        case ArtifactAdded(channel=channel, sha256=sha256, data=data):
            return {**line, "event": "artifact_added", "channel": channel, "sha256": sha256, "data": data}
        case TimePassed():
            return {**line, "event": "time_passed"}
        case _:
            minted = (
                None
                if event.minted is None
                else {
                    "digest": event.minted[0].hex()[:12],
                    "agent_id": event.minted[1].agent_id,
                    "owner": event.minted[1].owner,
                }
            )
            revoked = [digest.hex()[:12] for digest in event.revoked]
            return {**line, "event": "tokens_changed", "minted": minted, "revoked": revoked}


def main(arguments: Sequence[str] | None = None) -> None:
    """The ``caucus-journal`` command."""
    options = Options()
    try:
        options.parseOptions(sys.argv[1:] if arguments is None else arguments)
    except usage.UsageError as error:
        raise SystemExit(f"caucus-journal: {error}") from None
    run(str(options.subCommand), options.subOptions)
