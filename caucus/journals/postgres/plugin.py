"""Opens ``postgres:DSN``, where psycopg is installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.plugin import IPlugin
from zope.interface import implementer

from caucus.errors import ConfigurationError
from caucus.interfaces import IJournal, IJournalFactory


@implementer(IPlugin, IJournalFactory)
class PostgresJournalFactory:
    """Opens ``postgres:DSN``."""

    scheme = "postgres"
    help = "DSN: keeps everything in a PostgreSQL database, which several daemons may share"

    def open(self, rest: str, reactor: Any, clock: IReactorTime) -> Deferred[IJournal]:
        if find_spec("psycopg") is None:
            problem = "psycopg is not installed; pip install 'caucus-backbone[postgres]' installs it"
            return fail(ConfigurationError(f"--journal postgres: {problem}"))
        from caucus.journals.postgres.opening import open_postgres  # noqa: PLC0415

        opening: Deferred[IJournal] = Deferred.fromCoroutine(open_postgres(rest, reactor, clock))
        return opening
