"""The SQLite journal: one file, and the lock that says whose it is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.plugin import IPlugin
from zope.interface import implementer

from caucus.errors import ConfigurationError
from caucus.interfaces import IJournal, IJournalFactory
from caucus.journals.committing import CommittingJournal
from caucus.journals.database import Database, require_no_log
from caucus.journals.files import DatabaseError
from caucus.journals.lock import Lock
from caucus.journals.worker import Worker
from caucus.model.text import CONTROL, excerpt, one_line


@implementer(IPlugin, IJournalFactory)
class SQLiteJournalFactory:
    """Opens ``sqlite:PATH``."""

    scheme = "sqlite"
    help = "PATH: keeps everything in one SQLite file, made if it is not there"

    def open(self, rest: str, reactor: Any, clock: IReactorTime) -> Deferred[IJournal]:
        if not rest:
            return fail(ConfigurationError("--journal sqlite: needs the path of a file after the colon"))
        if rest != rest.strip() or CONTROL.search(rest):
            problem = "has white space around it or a control character in it"
            return fail(ConfigurationError(f"--journal sqlite:{excerpt(rest)}: the path {problem}"))
        opening: Deferred[IJournal] = Deferred.fromCoroutine(open_sqlite(Path(rest), reactor, clock))
        return opening


async def open_sqlite(path: Path, reactor: Any, clock: IReactorTime, vfs: str = "") -> CommittingJournal:
    """The journal in a file, which is made if it is not there.

    :param vfs: the SQLite VFS that the file is on; the system's own if empty.

    Raises `ConfigurationError`.
    """
    worker = Worker(reactor, "caucus-journal")
    opened: list[tuple[Lock, Database]] = []
    try:
        await worker.run(lambda: opened.append(_open_database(path, vfs)))
    except (DatabaseError, apsw.Error, OSError) as error:
        worker.stop()
        raise ConfigurationError(f"--journal sqlite:{excerpt(str(path))}: {one_line(error)}") from error
    except CancelledError:
        worker.run(_give_up, opened)  # the thread may be opening it just now
        worker.stop()
        raise
    ((lock, database),) = opened
    return CommittingJournal(database, lock.release, worker, reactor, clock)


def _give_up(opened: Sequence[tuple[Lock, Database]]) -> None:
    for lock, database in opened:
        database.close()
        lock.release()


def _open_database(path: Path, vfs: str) -> tuple[Lock, Database]:
    real = Path(os.path.realpath(path))  # one file has one lock, whatever leads to it
    lock = Lock(real)
    try:
        require_no_log(real, lock.header())
        return lock, Database(real, vfs)
    except BaseException:
        lock.release()
        raise
