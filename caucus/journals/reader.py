"""A journal's file, read by somebody else than the daemon that may be writing to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from caucus.journals.database import copy_to, integrity_problems, read_events, require_ours
from caucus.records import Event

CHUNK = 1000
"""Events of one read: a long one would keep the daemon from emptying its write-ahead log."""


class Reader:
    """A file of events that is only looked at. Everything raises `apsw.Error`, `OSError` or `DatabaseError`.

    It is open only while something is read: a daemon whose commit failed has to have it alone for a
    moment.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def events(self) -> Iterator[tuple[int, Event]]:
        """Every event with its position, up to the last one when it gets there.

        Raises `DatabaseError` at the first that is missing or cannot be read.
        """
        position, events = 0, self._read(0)
        while events:
            yield from enumerate(events, position + 1)
            position += len(events)
            events = self._read(position)

    def problems(self) -> list[str]:
        """What SQLite finds wrong with the file, a line each."""
        with self._opened() as connection:
            return integrity_problems(connection)

    def copy_to(self, copy: Path) -> None:
        """A copy as of now in a new file, which must not be there yet."""
        with self._opened() as connection:
            copy_to(connection, copy)

    def _read(self, position: int) -> list[Event]:
        with self._opened() as connection:
            return read_events(connection, position, CHUNK)

    @contextmanager
    def _opened(self) -> Iterator[apsw.Connection]:
        self._path.stat()
        # SQLite has to write to the shared index of the write-ahead log also for reading.
        connection = apsw.Connection(str(self._path), apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.set_busy_timeout(2000)
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            connection.pragma("query_only", True)
            require_ours(connection)
            yield connection
        finally:
            connection.close(True)
