"""The tables in a PostgreSQL database, and every statement that is run there."""

from __future__ import annotations

from typing import Final

SCHEMA: Final = 1
"""The version of these tables, kept in ``meta``."""
NAME_SETTING: Final = "caucus.schema"
"""A setting of the session, the role or the database: the PostgreSQL schema that the tables lie in."""
DEFAULT_NAME: Final = "caucus"

WRITES: Final = 1
"""The version of the kinds of events that this release can write.

What a log says is the version that its daemons do write: a release reads a new kind before any daemon writes
it, and ``caucus-journal upgrade`` raises it once all of them are new.
"""

# Advisory locks are of a database: their first key is one of these, the second the schema's number.
SETUP_LOCK: Final = 0x43617500
TURN_LOCK: Final = 0x43617501
RUN_LOCK: Final = 0x43617502

TABLES: Final = """
CREATE TABLE event (position bigint PRIMARY KEY, body bytea NOT NULL, digest bytea NOT NULL);
CREATE TABLE evidence (position bigint PRIMARY KEY, data bytea NOT NULL);
CREATE TABLE meta (name text PRIMARY KEY, value text NOT NULL);
CREATE TABLE clock (
    one boolean PRIMARY KEY DEFAULT true CHECK (one), server text NOT NULL, shift double precision NOT NULL,
    fence bigint NOT NULL
);
INSERT INTO clock VALUES (true, '', 0, 0);
"""
"""``clock`` says what is added to the time of which server, and how often a session for turns has begun."""

TIME: Final = "extract(epoch FROM clock_timestamp())::float8"
STANDBY: Final = "current_setting('synchronous_standby_names') <> ''"
"""Whether a commit waits for a standby."""
SERVER: Final = (
    "pg_postmaster_start_time()::text || ' ' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)"
)
"""Names the running server, and the timeline that it writes."""
KEY: Final = "(SELECT oid::bigint::bit(32)::int FROM pg_namespace WHERE nspname = current_schema)"

# The event at the position asked from comes with its digest alone: it must be there, and be the same.
_TAIL: Final = """
SELECT position, CASE WHEN position > $1::bigint THEN body END, digest,
    (SELECT data FROM evidence WHERE evidence.position = event.position AND event.position > $1::bigint)
FROM event WHERE position >= $1::bigint ORDER BY position LIMIT $2::bigint
"""

_FRESH: Final = f"""
SELECT position, CASE WHEN position > $1::bigint THEN body END, digest,
    (SELECT data FROM evidence WHERE evidence.position = event.position AND event.position > $1::bigint),
    CASE WHEN position = $1::bigint THEN {TIME} END, CASE WHEN position = $1::bigint THEN {STANDBY} END
FROM event WHERE position >= $1::bigint ORDER BY position LIMIT $2::bigint
"""  # noqa: S608  # of our own constants

# One value for all of them: thousands of rows cost more on their way than what is in them.
_PIECE: Final = """
SELECT count(*), string_agg(body, ''::bytea ORDER BY position),
    (SELECT digest FROM event WHERE position = $1::bigint),
    (SELECT digest FROM event WHERE position = $2::bigint),
    (SELECT max(position) FROM event)
FROM event WHERE position > $1::bigint AND position <= $2::bigint
"""

READING: Final = {
    "tail": _TAIL,
    "fresh": _FRESH,
    "piece": _PIECE,
    "piece evidence": "SELECT position, data FROM evidence WHERE position > $1 AND position <= $2",
    "time": f"SELECT {TIME}, {STANDBY}",
    "server": f"SELECT {SERVER}",
}
"""The statements of a session that reads."""
TURNS: Final = {
    "tail": _TAIL,
    "begin": "BEGIN",
    "lock": f"""
        SELECT pg_advisory_xact_lock({TURN_LOCK}, {KEY}), {TIME},
            {STANDBY}
    """,
    "alone": f"SELECT pg_try_advisory_lock({RUN_LOCK}, {KEY})",
    "run": f"SELECT pg_advisory_lock_shared({RUN_LOCK}, {KEY})",
    "not alone": f"SELECT pg_advisory_unlock({RUN_LOCK}, {KEY})",
    "clock": f"SELECT server, shift, {SERVER}, {TIME} FROM clock",  # noqa: S608  # of our own constants
    "fence": """
        UPDATE clock SET server = convert_from($1::bytea, 'UTF8'), shift = $2::float8, fence = fence + 1
    """,
    "append": """
        INSERT INTO event (position, body, digest)
        SELECT $1::bigint + n, body, digest
        FROM unnest($2::bytea[], $3::bytea[]) WITH ORDINALITY AS new (body, digest, n)
    """,
    "evidence": "INSERT INTO evidence (position, data) VALUES ($1::bigint, $2::bytea)",
    "commit": "COMMIT",
    "rollback": "ROLLBACK",
}
"""The statements of a session that takes turns."""
BELL: Final = {
    "server": f"SELECT {SERVER}",
    "unsafe": "SET synchronous_commit TO off",  # a ring that is lost with the server is not missed
    "listen": "LISTEN caucus",
    "ring": "SELECT pg_notify('caucus', convert_from($1::bytea, 'UTF8'))",
}
"""The statements of a session that listens."""
