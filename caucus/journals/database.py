"""One SQLite file of events: how it is made, checked, written, read and opened again. No reactor.

SQLite comes with apsw: before 3.51.3 a checkpoint could damage a write-ahead log, and Python's own
is older. A commit is one statement, and durable when it returns: WAL with ``synchronous=FULL``.
Every function here may wait for the disk. All raise `apsw.Error` or `OSError` when
SQLite or the system fails, and `DatabaseError` for a file that is not what it should be.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import apsw

from caucus.journals import tables
from caucus.journals.chain import links
from caucus.journals.files import DatabaseError, sync
from caucus.journals.migrations import MIGRATIONS
from caucus.model.events import Event
from caucus.model.text import one_line

APPLICATION_ID: Final = 0x43617563
"""In the file's header: "Cauc"."""
SCHEMA: Final = 2
"""The version of the tables in `caucus.journals.tables`, kept as SQLite's ``user_version``."""
HEADER_BYTES: Final = 100
LOG_PAGES: Final = 1000
"""With so many pages the write-ahead log is copied into the file, as SQLite does by itself."""
ID_BYTES: Final = 16
ID_DIGITS: Final = 16
"""So many hexadecimal digits of the file's own name are told: enough to tell it from others."""
BUSY_MS: Final = 2000
"""How long another connection's lock is waited for."""

# A change that puts the journal's name, which is on the same page, into the log: see `_id_in_file`.
_NAME_LOG: Final = "INSERT INTO meta VALUES ('logs', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1"


Evidence = tuple[int, bytes]
"""An event's position, and what is kept beside it."""


class Database:
    """An open file of events. Every method may be called by one thread at a time.

    :param path: the file, which is there, and locked.
    :param vfs: the SQLite VFS to use, the system's own if empty.
    """

    def __init__(self, path: Path, vfs: str = "") -> None:
        self.path = path
        self.name = str(path)
        self._log_name = f"{path}-wal"
        self._vfs = vfs
        self._log_identity: tuple[int, int] | None = None
        self._log_is_new = True
        self._log_pages = 0
        alone = _id_in_file(path) if has_log(path) else None
        self._connection = self._connect()
        try:
            if alone is not None and _journal_id(self._connection) != alone:
                raise _foreign_log(path)
            _prepare(self._connection, path)
            self._journal_id = _journal_id(self._connection)
            self.journal_id = journal_id_of(self._connection)
            self._head = tables.head(self._connection)
            self._identity = _identity(self.name)
        except BaseException:
            self.abandon()  # a log that does not belong to it must not be copied into it
            raise

    def append(self, position: int, bodies: Sequence[bytes], evidence: Sequence[Evidence] = ()) -> None:
        """Add events after ``position``, which is the last; they are durable when this returns."""
        digests = links(self._head, bodies)
        given = (position, apsw.carray(tuple(bodies)), b"".join(digests))
        if self._log_is_new or evidence:
            with self._connection:
                if self._log_is_new:
                    self._connection.execute(_NAME_LOG)
                self._connection.executemany(tables.ADD_EVIDENCE, evidence)
                self._connection.execute(tables.APPEND, given)
            self._log_is_new = False
        else:
            self._connection.execute(tables.APPEND, given)
        self._head = digests[-1]
        # SQLite goes on writing to files that were taken away, and a restart would not find them.
        self._require_same_file()
        log = _identity(self._log_name)
        if self._log_identity is None:
            self._log_identity = log
        elif log != self._log_identity:
            raise DatabaseError("its write-ahead log was taken away")
        if self._log_pages >= LOG_PAGES:
            self._checkpoint()

    def read(self, position: int, count: int) -> tuple[list[Event], dict[int, bytes]]:
        """At most ``count`` events after ``position``, in order, and the evidence of some, by position."""
        return tables.read_events(self._connection, position, count)

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
        self._head = tables.head(self._connection)
        self._log_identity = None
        self._log_is_new = True
        return tail

    def _checkpoint(self) -> None:
        """Copy the log into the file, after which it begins anew; what fails is tried again later."""
        with suppress(apsw.Error):  # what was committed is in the log, and is there in any case
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            self._log_is_new = True

    def _count_pages(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK

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

    def _connect(self, *, exclusive: bool = False) -> apsw.Connection:
        connection = apsw.Connection(str(self.path), apsw.SQLITE_OPEN_READWRITE, self._vfs or None)
        try:
            connection.set_busy_timeout(BUSY_MS)
            if exclusive:
                connection.pragma("locking_mode", "exclusive")
            connection.pragma("synchronous", "full")
            connection.set_wal_hook(
                self._count_pages
            )  # instead of SQLite's own, which copies the log by itself
        except BaseException:
            connection.close(True)
            raise
        return connection

    def _require_same_file(self) -> None:
        if _identity(self.name) != self._identity:
            raise DatabaseError("another file is in its place")


def _prepare(connection: apsw.Connection, path: Path) -> None:
    """Make the tables in an empty file; migrate those of an older version."""
    if connection.readonly("main"):
        raise DatabaseError("it can only be read")
    try:
        connection.execute("BEGIN IMMEDIATE; ROLLBACK")  # SQLite would tell only once something is written
    except apsw.ReadOnlyError as error:
        raise DatabaseError("it can only be read: its folder cannot be written to") from error
    if not connection.execute("SELECT count(*) FROM sqlite_schema").get:
        connection.pragma("auto_vacuum", "incremental")  # so that the file can shrink one day
        with connection:
            connection.execute(tables.TABLES)
            connection.pragma("application_id", APPLICATION_ID)
            connection.pragma("user_version", SCHEMA)
    version = require_ours(connection)
    if version < SCHEMA:
        if version not in MIGRATIONS:
            raise DatabaseError(f"it says that it is of schema {version}, which there never was")
        _keep_copy(connection, path, version)
        with connection:
            for step in range(version, SCHEMA):
                MIGRATIONS[step](connection)
            connection.pragma("user_version", SCHEMA)
    mode = connection.pragma("journal_mode", "wal")
    if mode != "wal":
        raise DatabaseError(f"SQLite keeps no write-ahead log there, but {mode}")


def _keep_copy(connection: apsw.Connection, path: Path, version: int) -> None:
    """Copy a file that is to be migrated; a copy of it that an attempt before has left is replaced."""
    made = Path(f"{path}.schema-{version}.new")
    made.unlink(missing_ok=True)
    copy_to(connection, made)
    mine = _journal_id(connection)
    names = (Path(f"{path}.schema-{version}{f'-{n}' if n > 1 else ''}") for n in itertools.count(1))
    made.replace(next(name for name in names if not name.exists() or _id_in_file(name) == mine))
    sync(path.parent)


def has_log(path: Path) -> bool:
    """Whether there is anything in a write-ahead log beside a file."""
    try:
        return Path(f"{path}-wal").stat().st_size > 0
    except FileNotFoundError:
        return False


def require_no_log(path: Path, header: bytes) -> None:
    """Raises `DatabaseError` for a log beside a file that can have none.

    ``header`` is the file's beginning. A backup is in rollback mode, which bytes 18 and 19 say; and beside
    an empty file SQLite would delete the log, with all that was written since the file was moved away.
    """
    if (len(header) < HEADER_BYTES or header[18:20] == b"\x01\x01") and has_log(path):
        raise _foreign_log(path)


def _foreign_log(path: Path) -> DatabaseError:
    return DatabaseError(
        f"{path.name}-wal beside it belongs to another file, such as the one that was there before: move it "
        "away, or put a backup in place with caucus-journal restore"
    )


def _id_in_file(path: Path) -> Any:
    """The journal's name in a file alone, whatever its log says; ``None`` if it cannot be read so.

    It is written before there is a log, so that a log which changes it is another journal's.
    """
    with suppress(apsw.Error, OSError):
        connection = apsw.Connection(
            f"{path.absolute().as_uri()}?immutable=1", apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        )
        try:
            return _journal_id(connection)
        finally:
            connection.close(True)
    return None


def require_ours(connection: apsw.Connection) -> int:
    """The version of a journal's tables. Raises `DatabaseError` if it is none, or too new."""
    if connection.pragma("application_id") != APPLICATION_ID:
        raise DatabaseError("it is a database of something else")
    version = int(connection.pragma("user_version"))
    if version > SCHEMA:
        raise DatabaseError(f"a newer version made it (schema {version}, this one knows {SCHEMA})")
    return version


def integrity_problems(connection: apsw.Connection) -> list[str]:
    """What SQLite finds wrong with a database, a line each; empty if nothing is."""
    found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
    return [] if found == ["ok"] else found


class CopyError(DatabaseError):
    """A copy could not be made, for a reason that lies with it and not with what is copied."""


@contextmanager
def _new_copy(copy: Path) -> Iterator[apsw.Connection]:
    """A new file, which must not be there yet; on the disk afterwards, or gone. Raises `CopyError`."""
    try:
        os.close(os.open(copy, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise CopyError(f"{copy}: {error.strerror}") from error
    try:
        target = apsw.Connection(str(copy), apsw.SQLITE_OPEN_READWRITE)
        try:
            yield target
        finally:
            target.close(True)
        sync(copy)
        sync(copy.parent)
    except BaseException as error:
        copy.unlink()
        if isinstance(error, apsw.FullError):
            raise CopyError(f"{copy}: the disk is full") from error
        if isinstance(error, apsw.Error | OSError):
            raise CopyError(f"{copy}: {one_line(error)}") from error
        raise


def copy_to(connection: apsw.Connection, copy: Path) -> None:
    """A consistent copy of the whole database in a new file, as of now, on the disk when this returns.

    It is in rollback mode: it needs nothing beside it, and what is beside it by mistake is found out.
    Raises `CopyError`.
    """
    with _new_copy(copy) as target:
        with target.backup("main", connection, "main") as backup:
            backup.step(-1)  # in pieces it would begin anew whenever something is written
        target.pragma("journal_mode", "delete")


def copy_of(copy: Path, journal_id: str, rows: Iterable[tables.Row]) -> int:
    """Events in a new file, as `copy_to` leaves it; how many it were. Raises `CopyError`."""
    count = 0
    with _new_copy(copy) as target:
        target.pragma("auto_vacuum", "incremental")
        with target:
            target.execute(tables.TABLES)
            named = bytes.fromhex(journal_id).ljust(ID_BYTES, b"\0")
            target.execute("UPDATE meta SET value = ?1 WHERE name = 'journal_id'", (named,))
            target.pragma("application_id", APPLICATION_ID)
            target.pragma("user_version", SCHEMA)
            for row in rows:
                target.execute(tables.ADD_EVENT, (row.position, row.body, row.digest))
                if row.evidence:
                    target.execute(tables.ADD_EVIDENCE, (row.position, row.evidence))
                count = row.position
    return count


def journal_id_of(connection: apsw.Connection) -> str:
    """What names the log in a file, in hexadecimal digits."""
    return bytes(_journal_id(connection)).hex()[:ID_DIGITS]


def _journal_id(connection: apsw.Connection) -> Any:
    return connection.execute("SELECT value FROM meta WHERE name = 'journal_id'").get


def _identity(path: str) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino


def _tail_within(connection: apsw.Connection, durable: int, position: int) -> int:
    tail = _tail(connection)
    if not durable <= tail <= position:
        raise DatabaseError(f"it ends at event {tail}, and must end at one from {durable} to {position}")
    return tail


def _tail(connection: apsw.Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(position), 0) FROM event").get)
