"""The tables of a file of events, of this version and of earlier ones: what is read and written there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import apsw
from attrs import frozen

from caucus.journals.chain import BEGINNING
from caucus.journals.codec import decode_event, decode_events
from caucus.journals.files import DatabaseError
from caucus.journals.older import of_schema_1
from caucus.model.events import Event

EVENTS: Final = "CREATE TABLE event (position INTEGER PRIMARY KEY, body BLOB NOT NULL, digest BLOB NOT NULL)"
EVIDENCE: Final = "CREATE TABLE evidence (position INTEGER PRIMARY KEY, data BLOB NOT NULL)"
_META: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('journal_id', randomblob(16));
"""
TABLES: Final = f"{EVENTS};{EVIDENCE};{_META}"
APPEND: Final = """
INSERT INTO event (position, body, digest)
SELECT ?1 + rowid, value, substr(?3, rowid * 32 - 31, 32) FROM carray(?2)
"""
"""Adds events after a position, given as their bytes, and as their digests in one."""
ADD_EVENT: Final = "INSERT INTO event (position, body, digest) VALUES (?1, ?2, ?3)"
ADD_EVIDENCE: Final = "INSERT INTO evidence (position, data) VALUES (?1, ?2)"
_READ: Final = """
SELECT position, body, digest, data FROM {table} LEFT JOIN evidence USING (position)
WHERE position > ?1 ORDER BY position LIMIT ?2
"""
_READ_1: Final = (
    "SELECT position, body, NULL, NULL FROM {table} WHERE position > ?1 ORDER BY position LIMIT ?2"
)
_READ_BODIES: Final = "SELECT position, body FROM event WHERE position > ?1 ORDER BY position LIMIT ?2"
_READ_EVIDENCE: Final = "SELECT position, data FROM evidence WHERE position > ?1 AND position <= ?2"


@frozen
class Row:
    """An event as it is kept: its bytes, the digest that chains it, if there is one, and its evidence."""

    position: int
    body: bytes
    digest: bytes | None
    event: Event
    evidence: bytes


def _of_today(body: bytes, data: bytes | None) -> tuple[Event, bytes]:
    return decode_event(body), data or b""


def _of_1(body: bytes, _data: bytes | None) -> tuple[Event, bytes]:
    return of_schema_1(body)


_READERS: Final[dict[int, tuple[str, Callable[[bytes, bytes | None], tuple[Event, bytes]]]]] = {
    1: (_READ_1, _of_1),
    2: (_READ, _of_today),
}


def read(
    connection: apsw.Connection, position: int, count: int, version: int = 2, table: str = "event"
) -> list[Row]:
    """At most ``count`` events after ``position``. Raises `DatabaseError` if one is missing or is none."""
    if version not in _READERS:
        raise DatabaseError(f"it says that it is of schema {version}, which there never was")
    statement, decode = _READERS[version]
    rows = []
    found = connection.execute(statement.format(table=table), (position, count))
    for expected, (at, body, digest, data) in enumerate(found, position + 1):
        if at != expected:
            raise DatabaseError(f"event {expected} is missing")
        try:
            event, evidence = decode(body, data)
        except ValueError as error:
            raise DatabaseError(f"event {at} cannot be read: {error}") from error
        rows.append(Row(at, body, digest, event, evidence))
    return rows


def read_events(
    connection: apsw.Connection, position: int, count: int
) -> tuple[list[Event], dict[int, bytes]]:
    """The events alone, of today's tables, and evidence by position: a start reads a million."""
    rows: list[Any] = connection.execute(_READ_BODIES, (position, count)).fetchall()
    if rows and (rows[0][0], rows[-1][0]) != (position + 1, position + len(rows)):
        missing = next(at for at, row in enumerate(rows, position + 1) if row[0] != at)
        raise DatabaseError(f"event {missing} is missing")
    evidence = dict(connection.execute(_READ_EVIDENCE, (position, position + count)))
    try:
        return decode_events(body for _at, body in rows), evidence
    except ValueError:
        for at, body in rows:
            try:
                decode_event(body)
            except ValueError as error:
                raise DatabaseError(f"event {at} cannot be read: {error}") from error
        raise


def head(connection: apsw.Connection) -> bytes:
    """The digest beside the last event."""
    last = connection.execute("SELECT digest FROM event ORDER BY position DESC LIMIT 1").get
    return BEGINNING if last is None else bytes(last)
