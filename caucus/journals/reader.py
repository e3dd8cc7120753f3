"""A journal's file, read by somebody else than the daemon that may be writing to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw

from caucus.journals.codec import decode_event
from caucus.journals.database import READ, DatabaseError, copy_to, integrity_problems, require_ours
from caucus.records import Event

CHUNK = 1000
"""Events of one read: a long one would keep the daemon from emptying its write-ahead log."""


class Reader:
    """An open file of events that is only looked at. Raises `apsw.Error`, `OSError` and `DatabaseError`."""

    def __init__(self, path: Path) -> None:
        path.stat()
        # SQLite has to write to the shared index of the write-ahead log also for reading.
        self._connection = apsw.Connection(str(path), apsw.SQLITE_OPEN_READWRITE)
        try:
            self._connection.set_busy_timeout(2000)
            self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            self._connection.pragma("query_only", True)
            require_ours(self._connection)
        except BaseException:
            self._connection.close(True)
            raise

    def events(self) -> Iterator[tuple[int, Event]]:
        """Every event with its position, up to the last one when it gets there.

        Raises `DatabaseError` at the first that is missing or cannot be read.
        """
        position = 0
        while True:
            rows = list(self._connection.execute(READ, (position, CHUNK)))
            for found, body in rows:
                position += 1
                if found != position:
                    raise DatabaseError(f"event {position} is missing")
                try:
                    event = decode_event(body)
                except ValueError as error:
                    raise DatabaseError(f"event {position} cannot be read: {error}") from error
                yield position, event
            if len(rows) < CHUNK:
                return

    def problems(self) -> list[str]:
        """What SQLite finds wrong with the file, a line each."""
        return integrity_problems(self._connection)

    def copy_to(self, copy: Path) -> None:
        """A copy as of now in a new file, which must not be there yet."""
        copy_to(self._connection, copy)

    def close(self) -> None:
        self._connection.close()
