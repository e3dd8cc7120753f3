"""Several backbones over one PostgreSQL: one log, which they extend in turns.

What is imported before a journal is opened is `plugin`, which needs no psycopg.
"""
