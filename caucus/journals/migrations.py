"""What makes the tables of an earlier version into those of the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import apsw

from caucus.journals import tables
from caucus.journals.chain import BEGINNING, link
from caucus.journals.codec import encode_event

CHUNK: Final = 50
"""Events at a time: each may bring a megabyte of evidence."""


def _from_1(connection: apsw.Connection) -> None:
    """Events of today's shapes, evidence in a table of its own, and the chain."""
    connection.execute("ALTER TABLE event RENAME TO event_1")
    connection.execute(f"{tables.EVENTS}; {tables.EVIDENCE}")
    before, position = BEGINNING, 0
    while rows := tables.read(connection, position, CHUNK, version=1, table="event_1"):
        bodies, digests, evidence = [], [], []
        for row in rows:
            body = encode_event(row.event)
            before = link(before, body)
            bodies.append(body)
            digests.append(before)
            if row.evidence:
                evidence.append((row.position, row.evidence))
        connection.execute(tables.APPEND, (position, apsw.carray(tuple(bodies)), b"".join(digests)))
        connection.executemany(tables.ADD_EVIDENCE, evidence)
        position += len(rows)
    connection.execute("DROP TABLE event_1")


MIGRATIONS: Final[dict[int, Callable[[apsw.Connection], None]]] = {1: _from_1}
"""By the version that there is. Each is called within a transaction."""
