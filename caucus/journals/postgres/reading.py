"""A log in PostgreSQL, read and filled by somebody else than a daemon: for the commands, which may wait."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg import sql

from caucus.journals.codec import decode_event
from caucus.journals.files import DatabaseError
from caucus.journals.postgres.connecting import Unusable, parameters_of, require_readable
from caucus.journals.postgres.schema import (
    DEFAULT_NAME,
    KEY,
    NAME_SETTING,
    RUN_LOCK,
    SCHEMA,
    SETUP_LOCK,
    TABLES,
    TURN_LOCK,
    WRITES,
)
from caucus.journals.tables import Row
from caucus.model.text import one_line

CHUNK: Final = 1000
_READ: Final = """
SELECT position, body, digest, (SELECT data FROM evidence WHERE evidence.position = event.position)
FROM event WHERE position > %s ORDER BY position LIMIT %s
"""


class PostgresLog:
    """A log that a connection string leads to. Everything raises `DatabaseError`, without the string."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    @contextmanager
    def connected(self) -> Iterator[psycopg.Connection[Any]]:
        """A transaction that sees everything as of its first look."""
        try:
            require_readable(self._dsn)
            with psycopg.connect(**parameters_of(self._dsn)) as connection:
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                found = connection.execute("SELECT current_setting(%s, true)", (NAME_SETTING,)).fetchone()
                schema = (found and found[0]) or DEFAULT_NAME
                connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))
                connection.commit()
                yield connection
        except (psycopg.Error, Unusable) as error:
            raise DatabaseError(one_line(error)) from None

    def rows(self) -> Iterator[list[Row]]:
        """Every event with what is kept beside it, some at a time, as of the first look."""
        with self.connected() as connection:
            require_ours(connection)
            position = 0
            while rows := _read(connection, position):
                yield rows
                position = rows[-1].position

    def journal_id(self) -> str:
        """Names the log."""
        with self.connected() as connection:
            return require_ours(connection)["journal_id"]

    def upgrade(self) -> tuple[int, int]:
        """Let daemons write what this release can; gives the version before, and the one of this release."""
        with self.connected() as connection:
            before = int(require_ours(connection)["writes"])
            if before < WRITES:
                connection.execute("UPDATE meta SET value = %s WHERE name = 'writes'", (str(WRITES),))
            return before, WRITES

    def fill(self, journal_id: str, rows: Iterable[Row]) -> int:
        """Put events into a log that has none, all or none of them, and give it their name; how many it were.

        Raises `DatabaseError` for a log that has some, or that a daemon uses.
        """
        count = 0
        with self.connected() as connection:
            connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
            connection.execute("SELECT pg_advisory_xact_lock(%s, 0)", (SETUP_LOCK,))
            _make(connection)
            require_ours(connection)
            connection.execute(f"SELECT pg_advisory_xact_lock({TURN_LOCK}, {KEY})")
            require_alone(connection)
            if _one(connection, "SELECT count(*) FROM event"):
                raise DatabaseError("there are events in it: only an empty one is filled")
            connection.execute("UPDATE meta SET value = %s WHERE name = 'journal_id'", (journal_id,))
            evidence: list[tuple[int, bytes]] = []
            with connection.cursor().copy("COPY event FROM STDIN (FORMAT binary)") as copy:
                copy.set_types(["int8", "bytea", "bytea"])
                for row in rows:
                    copy.write_row((row.position, row.body, row.digest))
                    count = row.position
                    if row.evidence:
                        evidence.append((row.position, row.evidence))
            connection.cursor().executemany("INSERT INTO evidence VALUES (%s, %s)", evidence)
        return count


def require_alone(connection: psycopg.Connection[Any]) -> None:
    """Raises `DatabaseError` where a daemon runs; none begins before the transaction ends."""
    if not _one(connection, f"SELECT pg_try_advisory_xact_lock({RUN_LOCK}, {KEY})"):
        raise DatabaseError("a daemon is using it")


def require_ours(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """What the log says of itself. Raises `DatabaseError` if there is none, or one of another version."""
    if _one(connection, "SELECT to_regclass('meta')::text") is None:
        raise DatabaseError("there is no journal in it")
    known = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    if known.get("schema") != str(SCHEMA):
        raise DatabaseError(
            f"its tables are of version {known.get('schema')}, and this release knows {SCHEMA}"
        )
    return known


def _make(connection: psycopg.Connection[Any]) -> None:
    """Make the tables, if there are none; the setup lock is held."""
    if _one(connection, "SELECT to_regclass('meta')::text") is None:
        if _one(connection, "SELECT current_schema") is None:
            schema = _one(connection, "SELECT current_setting('search_path')")
            connection.execute(f"CREATE SCHEMA {schema}")
        connection.execute(TABLES)
        for name, value in (("schema", SCHEMA), ("writes", WRITES), ("journal_id", os.urandom(8).hex())):
            connection.execute("INSERT INTO meta VALUES (%s, %s)", (name, str(value)))


def _read(connection: psycopg.Connection[Any], position: int) -> list[Row]:
    rows = []
    found = connection.execute(_READ, (position, CHUNK))
    for expected, (at, body, digest, data) in enumerate(found, position + 1):
        if at != expected:
            raise DatabaseError(f"event {expected} is missing")
        try:
            event = decode_event(body)
        except ValueError as error:
            raise DatabaseError(f"event {at} cannot be read: {error}") from error
        rows.append(Row(at, body, digest, event, data or b""))
    return rows


def _one(connection: psycopg.Connection[Any], query: str) -> Any:
    row = connection.execute(query).fetchone()
    return None if row is None else row[0]
