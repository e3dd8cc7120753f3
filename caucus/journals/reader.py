"""A journal's file, read by somebody else than the daemon that may be writing to it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import apsw
from attrs import frozen

from caucus.journals import tables
from caucus.journals.chain import BEGINNING, link
from caucus.journals.database import (
    copy_to,
    has_log,
    integrity_problems,
    require_no_log,
    require_ours,
)
from caucus.journals.files import DatabaseError
from caucus.model.events import EvidenceAdded

CHUNK = 1000
"""Events of one read: a long one would keep the daemon from emptying its write-ahead log."""
BUSY_MS = 2000

T = TypeVar("T")


class Reader:
    """A file of events that is only looked at. Everything raises `apsw.Error`, `OSError` or `DatabaseError`.

    It is open only while something is read: a daemon whose commit failed has to have it alone for a
    moment. Where nobody has it open, nothing is written beside it, so that it may be on read-only media.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def rows(self) -> Iterator[tables.Row]:
        """Every event with what is kept beside it, up to the last one when it gets there.

        Raises `DatabaseError` at the first that is missing, cannot be read, or does not follow from the
        one before it; a file of the first version has no chain.
        """
        position, before, is_first = 0, BEGINNING, False
        while rows := self._read(position):
            if position and (rows[0].digest is None) != is_first:
                raise DatabaseError("it was migrated meanwhile: begin again")
            is_first = rows[0].digest is None
            for row in rows:
                if row.digest is not None:
                    before = link(before, row.body)
                    if row.digest != before:
                        raise DatabaseError(
                            f"event {row.position} is not the one that was written: the chain breaks"
                        )
                require_evidence(row)
                yield row
            position += len(rows)

    def problems(self) -> list[str]:
        """What SQLite finds wrong with the file, a line each."""
        return self._look(integrity_problems)

    def copy_to(self, copy: Path) -> None:
        """A copy as of now in a new file, which must not be there yet."""

        def look(connection: apsw.Connection) -> None:
            copy_to(connection, copy)

        def once_more(connection: apsw.Connection) -> None:
            copy.unlink()
            look(connection)

        self._look(look, once_more)

    def _read(self, position: int) -> list[tables.Row]:
        def look(connection: apsw.Connection) -> list[tables.Row]:
            return tables.read(connection, position, CHUNK, require_ours(connection))

        return self._look(look)

    def _look(
        self, look: Callable[[apsw.Connection], T], once_more: Callable[[apsw.Connection], T] | None = None
    ) -> T:
        """What ``look`` finds; ``once_more`` finds it if a daemon came meanwhile."""
        with self._path.open("rb") as file:
            require_no_log(self._path, file.read(100))
        if self._is_used():
            return _connected(self._path, look)
        if has_log(self._path):
            return self._elsewhere(look)
        found = _connected(self._path, look, "?immutable=1")
        return _connected(self._path, once_more or look) if self._is_used() else found

    def _is_used(self) -> bool:
        """Whether a daemon has the file open, or was killed while it had."""
        return Path(f"{self._path}-shm").exists()

    def _elsewhere(self, look: Callable[[apsw.Connection], T]) -> T:
        """Look at a copy: a log without its index could only be read by writing one beside it."""
        with TemporaryDirectory(prefix="caucus-journal-") as folder:
            copy = Path(folder) / self._path.name
            for suffix in ("", "-wal"):
                shutil.copy(f"{self._path}{suffix}", f"{copy}{suffix}")
            return _connected(copy, look)


def _connected(path: Path, look: Callable[[apsw.Connection], T], how: str = "") -> T:
    uri = f"{path.absolute().as_uri()}{how}"
    connection = apsw.Connection(uri, apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    try:
        connection.set_busy_timeout(BUSY_MS)
        require_ours(connection)
        return look(connection)
    finally:
        connection.close(True)


def require_evidence(row: tables.Row) -> None:
    """Raises `DatabaseError` if the evidence of an event is not what the event says."""
    event = row.event
    if isinstance(event, EvidenceAdded) and sha256(row.evidence).hexdigest() != event.sha256:
        raise DatabaseError(f"the evidence of event {row.position} is not what was written")


@frozen
class Sound:
    """What a file holds that is as it should be: so many events, and the digests at their ends.

    ``head`` is the last digest, if there is one; ``found`` says at which event a digest was that was
    looked for.
    """

    events: int
    head: bytes | None
    found: int | None


def sound(path: Path, wanted: bytes | None = None) -> Sound:
    """Look at every event of a file. Raises as `Reader` does, and if it is damaged."""
    reader = Reader(path)
    problems = reader.problems()
    if problems:
        raise DatabaseError("; ".join(problems))
    return sound_rows(reader.rows(), wanted)


def sound_rows(rows: Iterable[tables.Row], wanted: bytes | None = None) -> Sound:
    """What events are, of which each follows from the one before."""
    count, head, found = 0, None, None
    for row in rows:
        count, head = row.position, row.digest
        if wanted is not None and head == wanted:
            found = row.position
    return Sound(count, head, found)
