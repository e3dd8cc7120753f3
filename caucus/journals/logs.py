"""Logs as commands name them, ``sqlite:PATH``, a path alone, or ``postgres:DSN``; and moving one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import apsw

from caucus.journals import reader
from caucus.journals.chain import BEGINNING, link
from caucus.journals.codec import encode_event
from caucus.journals.database import copy_of, journal_id_of
from caucus.journals.files import DatabaseError
from caucus.journals.lock import Lock
from caucus.journals.reader import Reader, Sound, require_evidence, sound_rows
from caucus.journals.tables import Row


def is_postgres(name: str) -> bool:
    """Whether a log lies in PostgreSQL."""
    return name.startswith(("postgres:", "postgresql:"))


def shown(name: str) -> str:
    """A log as it may be shown: a connection string may have a password in it."""
    return "postgres" if is_postgres(name) else name


def path_of(name: str) -> Path:
    """The file of a log that lies in one. Raises `DatabaseError` for what names no file."""
    if is_postgres(name) or name == "memory:":
        raise DatabaseError("that is no file; copy puts a journal into a database")
    return Path(name.removeprefix("sqlite:"))


def postgres_log(name: str) -> Any:
    """The log in PostgreSQL that a name leads to. Raises `DatabaseError` without psycopg."""
    if find_spec("psycopg") is None:
        raise DatabaseError("psycopg is not installed; pip install 'caucus-backbone[postgres]' installs it")
    from caucus.journals.postgres.reading import PostgresLog  # noqa: PLC0415

    rest = name if name.startswith("postgresql:") else name.removeprefix("postgres:")
    return PostgresLog(f"postgres:{rest}" if rest.startswith("//") else rest)


def rows_of(name: str) -> Iterator[Row]:
    """Every event of a log, with what is kept beside it; each follows from the one before, or it raises."""
    if not is_postgres(name):
        yield from Reader(path_of(name)).rows()
        return
    before = BEGINNING
    for rows in postgres_log(name).rows():
        for row in rows:
            before = link(before, row.body)
            if row.digest != before:
                raise DatabaseError(f"event {row.position} is not the one that was written: the chain breaks")
            require_evidence(row)
            yield row


def sound(name: str, wanted: bytes | None = None) -> Sound:
    """Look at every event of a log. Raises as `rows_of` does, and if a file is damaged."""
    return sound_rows(rows_of(name), wanted) if is_postgres(name) else reader.sound(path_of(name), wanted)


def back_up(name: str, target: str) -> None:
    """A consistent copy as of now in a new SQLite file."""
    copy = path_of(target)
    if is_postgres(name):
        copy_of(copy, postgres_log(name).journal_id(), rows_of(name))
    else:
        Reader(path_of(name)).copy_to(copy)


def move(source: str, target: str) -> int:
    """Fill an empty log with another one, which no daemon may use meanwhile; how many events it were.

    Positions, digests, tokens and the log's name are the same afterwards.
    """
    release = _held(source)
    try:
        journal_id = _journal_id(source)
        rows = _chained(rows_of(source))
        if is_postgres(target):
            count: int = postgres_log(target).fill(journal_id, rows)
            return count
        return copy_of(path_of(target), journal_id, rows)
    finally:
        release()


def _held(name: str) -> Callable[[], object]:
    """Keep daemons away from a log; gives what lets them come again."""
    if not is_postgres(name):
        if not path_of(name).exists():
            raise DatabaseError("there is no such file")
        return Lock(path_of(name), may_have_names=True).release
    holding = postgres_log(name).connected()
    connection = holding.__enter__()
    from caucus.journals.postgres.reading import require_alone  # noqa: PLC0415

    try:
        require_alone(connection)
    except BaseException:
        holding.__exit__(None, None, None)
        raise
    return lambda: holding.__exit__(None, None, None)


def _journal_id(name: str) -> str:
    if is_postgres(name):
        journal_id: str = postgres_log(name).journal_id()
        return journal_id
    connection = apsw.Connection(str(path_of(name)), apsw.SQLITE_OPEN_READONLY)
    try:
        return journal_id_of(connection)
    finally:
        connection.close()


def _chained(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows as they are kept today: those of the first version had other bytes, and no chain."""
    before = BEGINNING
    for row in rows:
        body = row.body if row.digest is not None else encode_event(row.event)
        before = link(before, body)
        yield Row(row.position, body, before, row.event, row.evidence)
