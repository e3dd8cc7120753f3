"""The journal in PostgreSQL, for ``--journal postgres:DSN``."""

from caucus.journals.postgres.plugin import PostgresJournalFactory

postgres = PostgresJournalFactory()
