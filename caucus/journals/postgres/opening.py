"""Opening a journal in PostgreSQL."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import FirstError
from twisted.internet.interfaces import IReactorTime

from caucus.errors import ConfigurationError
from caucus.journals.postgres.connecting import Unusable, require_readable
from caucus.journals.postgres.journal import PostgresJournal
from caucus.journals.postgres.link import LinkLost, StatementFailed
from caucus.journals.postgres.log_clock import LogClock
from caucus.model.text import one_line


async def open_postgres(
    rest: str, reactor: Any, clock: IReactorTime, log_clock: LogClock | None = None
) -> PostgresJournal:
    """The journal that a connection string leads to; its tables are made if there are none.

    :param log_clock: says what time it is, for tests; else it is the database's.

    Raises `ConfigurationError`, which has no word of the connection string, since a password may be in it.
    """
    try:
        dsn = f"postgres:{rest}" if rest.startswith("//") else rest
        require_readable(dsn)
        journal = PostgresJournal(dsn, reactor, clock, log_clock or LogClock(clock))
        await journal.open()
    except FirstError as error:
        raise ConfigurationError(f"--journal postgres: {one_line(error.subFailure.value)}") from None
    except (Unusable, LinkLost, StatementFailed) as error:
        raise ConfigurationError(f"--journal postgres: {one_line(error)}") from None
    return journal
