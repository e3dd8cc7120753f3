"""One SQLite file of events: how it is made, checked, written, read and opened again. No reactor.

SQLite comes with apsw: before 3.51.3 a checkpoint could damage a write-ahead log, and Python's own
is older. A commit is one statement, and durable when it returns: WAL with ``synchronous=FULL``.
Every function here may wait for the disk. All but `Lock` raise `apsw.Error` or `OSError` when
SQLite or the system fails, and `DatabaseError` for a file that is not what it should be.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import apsw

from caucus.journals.codec import decode_event
from caucus.records import Event

APPLICATION_ID: Final = 0x43617563
"""In the file's header: "Cauc"."""
SCHEMA: Final = 1
"""The version of the tables below, kept as SQLite's ``user_version``."""
MIGRATIONS: dict[int, str] = {}
"""What makes the tables of a version into those of the next, by the version."""
BUSY_MS: Final = 2000
"""How long another connection's lock is waited for."""

_TABLES = """
CREATE TABLE event (position INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('journal_id', randomblob(16));
"""
_APPEND: Final = "INSERT INTO event (position, body) SELECT ?1 + rowid, value FROM carray(?2)"
READ: Final = "SELECT position, body FROM event WHERE position > ?1 ORDER BY position LIMIT ?2"


class DatabaseError(Exception):
    """The file is not a journal that this version can use. Its text is one line."""


class Lock:
    """Held by the one daemon that writes to a file; the kernel lets go of it when the process ends.

    Raises `DatabaseError` if another holds it.
    """

    def __init__(self, path: Path) -> None:
        self._number = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._number)
            raise DatabaseError("another backbone is using it") from None

    def release(self) -> None:
        """Let another have it. The file stays: taking it away would let two hold it."""
        os.close(self._number)


class Database:
    """An open file of events. Every method may be called by one thread at a time.

    :param path: the file, which is made if it is not there.
    :param vfs: the SQLite VFS to use, the system's own if empty.
    """

    def __init__(self, path: Path, vfs: str = "") -> None:
        self.path = path
        self._vfs = vfs
        self._log_identity: tuple[int, int] | None = None
        self._create()
        self._connection = self._connect()
        try:
            _prepare(self._connection, path)
            self._journal_id = _journal_id(self._connection)
            self._identity = _identity(path)
        except BaseException:
            self._connection.close()
            raise

    def append(self, position: int, bodies: Sequence[bytes]) -> None:
        """Add events after ``position``, which is the last; they are durable when this returns."""
        self._connection.execute(_APPEND, (position, apsw.carray(tuple(bodies))))
        # SQLite goes on writing to files that were taken away, and a restart would not find them.
        self._require_same_file()
        log = _identity(f"{self.path}-wal")
        if self._log_identity is None:
            self._log_identity = log
        elif log != self._log_identity:
            raise DatabaseError("its write-ahead log was taken away")

    def read(self, position: int, count: int) -> list[Event]:
        """At most ``count`` events after ``position``, in order; see `read_events`."""
        return read_events(self._connection, position, count)

    def tail(self) -> int:
        """The position of the last event."""
        return _tail(self._connection)

    def abandon(self) -> None:
        """Close without writing: what a failed sync leaves behind must not be synced again."""
        with suppress(apsw.Error):
            self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        with suppress(apsw.Error):
            self._connection.close(True)

    def look(self, durable: int, position: int) -> int:
        """After `abandon`: the position of the last event that the file holds, in ``durable..position``.

        Nobody else may have the file open meanwhile, so that SQLite recovers the write-ahead log from
        its bytes alone: what is not found now cannot be found later.
        """
        with self._reopened(exclusive=True) as connection:
            return _tail_within(connection, durable, position)

    def reopen(self, durable: int, position: int) -> int:
        """After `look`: take writes again, once everything in the file has been synced anew; gives its tail.

        What a failed sync left in the system's cache may never reach the disk, and may be gone since
        `look`. So the log is not trusted: it is copied into the file, which is synced, and emptied.
        """
        with self._reopened() as connection:
            busy = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)[0]
            if busy:
                raise DatabaseError("somebody else is reading it")
            tail = _tail_within(connection, durable, position)
        self._connection = self._connect()
        self._log_identity = None
        return tail

    def close(self) -> None:
        """Close; the last connection empties the write-ahead log."""
        self._connection.close()

    @contextmanager
    def _reopened(self, *, exclusive: bool = False) -> Iterator[apsw.Connection]:
        connection = self._connect(exclusive=exclusive)
        try:
            self._require_same_file()
            if _journal_id(connection) != self._journal_id:
                raise DatabaseError("it is another journal")
            yield connection
        finally:
            with suppress(apsw.Error):
                connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            connection.close(True)

    def _create(self) -> None:
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        if not stat.S_ISREG(os.stat(self.path).st_mode):
            raise DatabaseError("it is not a file")

    def _connect(self, *, exclusive: bool = False) -> apsw.Connection:
        connection = apsw.Connection(str(self.path), apsw.SQLITE_OPEN_READWRITE, self._vfs or None)
        try:
            connection.set_busy_timeout(BUSY_MS)
            if exclusive:
                connection.pragma("locking_mode", "exclusive")
            connection.pragma("synchronous", "full")
        except BaseException:
            connection.close(True)
            raise
        return connection

    def _require_same_file(self) -> None:
        if _identity(self.path) != self._identity:
            raise DatabaseError("another file is in its place")


def _prepare(connection: apsw.Connection, path: Path) -> None:
    """Make the tables in an empty file; migrate those of an older version."""
    if not connection.execute("SELECT count(*) FROM sqlite_schema").get:
        with connection:
            connection.execute(_TABLES)
            connection.pragma("application_id", APPLICATION_ID)
            connection.pragma("user_version", SCHEMA)
    version = require_ours(connection)
    if version < SCHEMA:
        copy = Path(f"{path}.schema-{version}")
        copy_to(connection, copy)
        with connection:
            for step in range(version, SCHEMA):
                connection.execute(MIGRATIONS[step])
            connection.pragma("user_version", SCHEMA)
    mode = connection.pragma("journal_mode", "wal")
    if mode != "wal":
        raise DatabaseError(f"SQLite keeps no write-ahead log there, but {mode}")


def require_ours(connection: apsw.Connection) -> int:
    """The version of a journal's tables. Raises `DatabaseError` if it is none, or too new."""
    if connection.pragma("application_id") != APPLICATION_ID:
        raise DatabaseError("it is a database of something else")
    version = int(connection.pragma("user_version"))
    if version > SCHEMA:
        raise DatabaseError(f"a newer version made it (schema {version}, this one knows {SCHEMA})")
    return version


def read_events(connection: apsw.Connection, position: int, count: int) -> list[Event]:
    """At most ``count`` events after ``position``. Raises `DatabaseError` if one is missing or is none."""
    events = []
    for expected, (found, body) in enumerate(connection.execute(READ, (position, count)), position + 1):
        if found != expected:
            raise DatabaseError(f"event {expected} is missing")
        try:
            events.append(decode_event(body))
        except ValueError as error:
            raise DatabaseError(f"event {found} cannot be read: {error}") from error
    return events


def integrity_problems(connection: apsw.Connection) -> list[str]:
    """What SQLite finds wrong with a database, a line each; empty if nothing is."""
    found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
    return [] if found == ["ok"] else found


def copy_to(connection: apsw.Connection, copy: Path) -> None:
    """A consistent copy of the whole database in a new file, as of now."""
    os.close(os.open(copy, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    target = apsw.Connection(str(copy))
    try:
        with target.backup("main", connection, "main") as backup:
            backup.step(-1)  # in pieces it would begin anew whenever something is written
    except BaseException:
        target.close(True)
        copy.unlink()
        raise
    target.close()


def _journal_id(connection: apsw.Connection) -> Any:
    return connection.execute("SELECT value FROM meta WHERE name = 'journal_id'").get


def _identity(path: str | Path) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino


def _tail_within(connection: apsw.Connection, durable: int, position: int) -> int:
    tail = _tail(connection)
    if not durable <= tail <= position:
        raise DatabaseError(f"it ends at event {tail}, and must end at one from {durable} to {position}")
    return tail


def _tail(connection: apsw.Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(position), 0) FROM event").get)
