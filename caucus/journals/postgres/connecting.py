"""Sessions with PostgreSQL: opened on a thread of their own, looked at, and handed to the reactor.

`psycopg.AsyncConnection` resolves names beside libpq, which would hold every thread while it did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from secrets import token_hex
from typing import Any, Final, TypeVar

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from caucus.journals.postgres.schema import (
    DEFAULT_NAME,
    NAME_SETTING,
    SCHEMA,
    SETUP_LOCK,
    TABLES,
    WRITES,
)
from caucus.model.text import one_line

CONNECT_SECONDS: Final = 5
"""How long a server may take until a session with it is open."""
_PARAMETERS: Final[dict[str, Any]] = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
    "target_session_attrs": "read-write",
    "fallback_application_name": "caucus",
}
"""What a connection string may say otherwise."""
_SETTINGS: Final = {
    "idle_in_transaction_session_timeout": "2s",  # who holds the turn and does not go on loses it
    "lock_timeout": "4s",
    "statement_timeout": "0",  # a commit that is cut short while it waits for a standby has happened here
    "synchronous_commit": "on",
    "default_transaction_isolation": "read committed",
    "timezone": "UTC",
    "client_min_messages": "error",
    "enable_seqscan": "off",  # without statistics a fresh table looks too small for its index
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
}
_ENDLESS: Final = ("idle_session_timeout", "transaction_timeout")
"""Of which an older server has only some."""
_SCHEMA: Final = "SELECT count(*) FROM pg_namespace WHERE nspname = %s"
"""Whether a schema is there: ``to_regnamespace`` may remember that it was not."""
_RIGHTS: Final = {
    "event": "SELECT,INSERT",
    "evidence": "SELECT,INSERT",
    "clock": "SELECT,UPDATE",
}
"""What a daemon must be allowed to do with each table."""
_LACKING: Final = """
SELECT needed || ' ON ' || name
FROM unnest(%s::text[], %s::text[]) AS needs (name, rights), unnest(string_to_array(rights, ',')) AS needed
WHERE NOT has_any_column_privilege(name, needed) LIMIT 1
"""
Connection = psycopg.AsyncConnection[Any]
Address = Mapping[str, str]
T = TypeVar("T")


class Unusable(Exception):
    """The database cannot be used: not now, if ``may_pass``. Its text is one line, and has no password."""

    def __init__(self, message: str, *, may_pass: bool = False) -> None:
        super().__init__(message)
        self.may_pass = may_pass


def on_this_thread(act: Callable[[], Awaitable[T]]) -> T:
    """Do something that waits; everything that psycopg's errors say is told as `Unusable`."""

    async def wait() -> T:
        return await act()

    try:
        return asyncio.run(wait())
    except (psycopg.OperationalError, OSError) as error:
        raise Unusable(one_line(error), may_pass=True) from None
    except psycopg.Error as error:
        raise Unusable(one_line(error)) from None


def require_readable(dsn: str) -> None:
    """Raises `Unusable` if it is no connection string; what is wrong with it may be the password."""
    try:
        given = conninfo_to_dict(dsn)
    except (psycopg.Error, ValueError):
        raise Unusable("that is no connection string that libpq reads") from None
    if "@" in str(given.get("host") or ""):
        raise Unusable("there is an @ in the host: one in a password has to be written as %40 in a URI")
    if not all(port.isdigit() for port in str(given.get("port") or 0).split(",")):
        raise Unusable("the port is no number")


def parameters_of(dsn: str) -> dict[str, Any]:
    """What a session is opened with: what the connection string says, and else ours."""
    given = conninfo_to_dict(dsn)
    return {**_PARAMETERS, **{name: value for name, value in given.items() if value is not None}}


def address_of(connection: Connection) -> Address:
    """Which of the servers that a connection string names this one is with, as parameters."""
    pgconn = connection.pgconn
    given = {"host": pgconn.host, "hostaddr": pgconn.hostaddr, "port": pgconn.port}
    return {name: value.decode() for name, value in given.items() if value}


async def connect(dsn: str, near: Address | None = None) -> Connection:
    """An open session with the settings that it needs, in the schema that it is to use.

    It is with the server ``near``, and else with the first that will do.
    """
    parameters = {**parameters_of(dsn), **(near or {})}
    connection = await psycopg.AsyncConnection.connect(**parameters, autocommit=True)
    try:
        await connection.execute(
            "SELECT set_config(name, '0', false) FROM pg_settings WHERE name = ANY(%s)", (list(_ENDLESS),)
        )
        setting = ", ".join("set_config(%s, %s, false)" for _ in _SETTINGS)
        asking = f"SELECT current_setting(%s, true), {setting}"
        settings = [part for setting in _SETTINGS.items() for part in setting]
        schema = await _one(connection, asking, NAME_SETTING, *settings) or DEFAULT_NAME
        await connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))
        connection.schema_name = schema  # type: ignore[attr-defined]
    except BaseException:
        await connection.close()
        raise
    return connection


async def prepare(connection: Connection, *, make: bool = True) -> str:
    """The journal's name, once the tables are there; ``make`` says whether they may be made."""
    await _require_safe(connection)
    schema = connection.schema_name  # type: ignore[attr-defined]
    await _require_usable(connection, schema)
    if await _one(connection, "SELECT to_regclass('meta')::text") is None:
        if not make:
            raise Unusable(f"there is no journal in the schema {schema}")
        await _make(connection, schema)
    known = dict(await (await connection.execute("SELECT name, value FROM meta")).fetchall())
    if known.get("schema") != str(SCHEMA):
        raise Unusable(f"its tables are of version {known.get('schema')}, and this release knows {SCHEMA}")
    if int(known["writes"]) > WRITES:
        raise Unusable(
            f"its daemons write events of version {known['writes']}, and this release knows {WRITES}"
        )
    lacking = await _one(connection, _LACKING, list(_RIGHTS), list(_RIGHTS.values()))
    if lacking is not None:
        raise Unusable(f"permission denied: the role lacks {lacking}")
    return str(known["journal_id"])


async def _require_usable(connection: Connection, schema: str) -> None:
    """Raises `Unusable` if there is a schema that may not be used: it looks as if there were none."""
    is_there = await _one(connection, _SCHEMA, schema)
    if is_there and await _one(connection, "SELECT current_schema") is None:
        raise Unusable(f"the role may not use the schema {schema}")


async def _make(connection: Connection, schema: str) -> None:
    """Make the tables, alone: two that come at once would both find none."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s, 0)", (SETUP_LOCK,))
        if not await _one(connection, _SCHEMA, schema):
            await connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        if await _one(connection, "SELECT to_regclass('meta')::text") is None:
            await connection.execute(TABLES)
            await connection.execute("INSERT INTO meta VALUES ('schema', %s)", (str(SCHEMA),))
            await connection.execute("INSERT INTO meta VALUES ('writes', %s)", (str(WRITES),))
            await connection.execute("INSERT INTO meta VALUES ('journal_id', %s)", (token_hex(8),))


async def _require_safe(connection: Connection) -> None:
    """Raises `Unusable` for a server that does not keep what it says is kept."""
    if await _one(connection, "SELECT current_setting('fsync')") == "off":
        raise Unusable("the server runs with fsync=off: what it says is durable would not be")
    if await _one(connection, "SELECT pg_is_in_recovery()"):
        raise Unusable("the server is a standby, which takes no writes", may_pass=True)


async def _one(connection: Connection, query: Any, *parameters: Any) -> Any:
    row = await (await connection.execute(query, parameters or None)).fetchone()
    return None if row is None else row[0]
