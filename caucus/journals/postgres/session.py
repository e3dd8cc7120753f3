"""One session with the database, which is opened again whenever it is lost."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import psycopg
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from caucus.journals.postgres.connecting import (
    Address,
    Connection,
    Unusable,
    connect,
    on_this_thread,
    prepare,
)
from caucus.journals.postgres.link import Link, LinkLost, Results, Statement, StatementFailed
from caucus.journals.worker import Worker
from caucus.model.text import one_line

AGAIN_SECONDS: Final = 0.25
MOST_AGAIN_SECONDS: Final = 2.0
"""How long after an attempt to open it the next one is made: at first, and after many in vain."""
ANSWER_SECONDS: Final = 5.0
"""A batch that has no answer after so long has lost its session."""

_log = Logger("caucus.journals")


class Session:
    """What is asked of the database, one batch after the other, while there is a connection.

    :param name: says in the log what it is for.
    :param begin: is called with every new link, before it is used; what it fires with does not matter, and
        where it fails the link is given up.
    :param began: is called when it can be asked from then on.
    :param lost: is called when the link is gone.
    :param notified: is called with what a notification says that came in.
    :param near: says which of the servers to connect to, where it should be a certain one.
    """

    def __init__(
        self,
        name: str,
        dsn: str,
        reactor: Any,
        statements: dict[str, str],
        begin: Callable[[Link], Deferred[Any]],
        began: Callable[[], None],
        lost: Callable[[], None],
        notified: Callable[[bytes], None] | None = None,
        near: Callable[[], Address | None] = lambda: None,
    ) -> None:
        self.name = name
        self.link: Link | None = None
        """What can be asked now."""
        self.trouble = ""
        """Why there is none, in a line."""
        self._dsn = dsn
        self._reactor = reactor
        self._statements = statements
        self._begin = begin
        self._began = began
        self._lost = lost
        self._notified = notified
        self._near = near
        self._worker = Worker(reactor, f"caucus-postgres-{name}")
        self._opened: Link | None = None  # which may not have begun yet
        self._timers: dict[Link, IDelayedCall] = {}
        self._again: IDelayedCall | None = None
        self._is_closed = False
        self._told = ""
        self._next_pause = AGAIN_SECONDS

    def open(self, *, make: bool = False) -> Deferred[str]:
        """Open it, for the first time; fires with the journal's name, or fails with `Unusable`."""
        return self._open(make=make)

    def run(self, *statements: Statement) -> Deferred[Results]:
        """As `Link.run`; the link is lost if there is no answer in time."""
        if self.link is None:
            return fail(LinkLost(self.trouble or "it is not open"))
        running = self._watched(self.link, self.link.run(*statements))
        return running.addCallback(self._go_well) if self._told else running

    def _go_well(self, results: Results) -> Results:
        """Something was done since the trouble that was told, and not only begun."""
        if self._told and self.link is not None:
            _log.info("PostgreSQL ({name}): goes on", name=self.name)
            self._told = ""
            self._next_pause = AGAIN_SECONDS
        return results

    def give_up(self, reason: str) -> None:
        """The link is of no use any more: open another one, before long."""
        opened = self._opened
        if opened is not None:
            self._on_lost(opened, LinkLost(reason), self._pause())
            opened.close()

    def renew(self, reason: str) -> None:
        """Open another link at once, if there was one: this one is of no use, or the next would be late."""
        self._next_pause = AGAIN_SECONDS
        opened, again = self._opened, self._again
        if opened is not None:
            self._on_lost(opened, LinkLost(reason))
            opened.close()
        elif again is not None:
            again.reset(0)

    @property
    def address(self) -> Address | None:
        """Of the server that can be asked now."""
        return None if self.link is None else self.link.address

    def close(self) -> None:
        """Let go of it for good."""
        self._is_closed = True
        if self._again is not None:
            self._again.cancel()
            self._again = None
        opened, self._opened, self.link = self._opened, None, None
        if opened is not None:
            opened.close()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._worker.stop()

    def _open(self, *, make: bool = False) -> Deferred[str]:
        asking = partial(_connected, self._dsn, self._near(), make=make)
        connecting = self._worker.run(on_this_thread, asking)
        return connecting.addCallback(self._connected)

    def _connected(self, found: tuple[Connection, str]) -> Deferred[str] | str:
        connection, journal_id = found
        if self._is_closed:
            connection.pgconn.finish()
            raise Unusable("it was closed meanwhile")
        try:
            link: Link = Link(
                self._reactor,
                connection,
                self._statements,
                lambda lost: self._on_lost(link, lost),
                self._notified,
            )
        except psycopg.Error as error:
            connection.pgconn.finish()
            raise LinkLost(one_line(error)) from None
        self._opened = link
        began = self._watched(link, link.prepared.addCallback(lambda _: self._begin(link)))

        def go_on(_result: object) -> str:
            if self._opened is link:
                self.link, self.trouble = link, ""
                self._began()
            return journal_id

        return began.addCallback(go_on)

    def _watched(self, link: Link, asked: Deferred[Any]) -> Deferred[Any]:
        """What is asked of a link, which is lost if that takes too long."""
        if link not in self._timers:
            self._timers[link] = self._reactor.callLater(ANSWER_SECONDS, self._has_no_answer, link)

        def answered(result: Any) -> Any:
            timer = self._timers.get(link)
            if timer is not None and timer.active():
                if link.is_waiting:
                    timer.reset(ANSWER_SECONDS)
                else:
                    del self._timers[link]
                    timer.cancel()
            return result

        return asked.addBoth(answered)

    def _has_no_answer(self, link: Link) -> None:
        self._timers.pop(link, None)
        left = link.heard_at + ANSWER_SECONDS - self._reactor.seconds()
        if left > 0:  # it is a long answer
            self._timers[link] = self._reactor.callLater(left, self._has_no_answer, link)
        elif self._opened is link:
            self.give_up(f"no answer for {ANSWER_SECONDS:.0f} s")

    def _on_lost(self, link: Link, lost: LinkLost, pause: float = 0) -> None:
        if self._opened is not link:
            return
        self._opened = self.link = None
        timer = self._timers.pop(link, None)
        if timer is not None and timer.active():
            timer.cancel()
        self._tell(str(lost))
        self._lost()
        self._try_again(pause)

    def _pause(self) -> float:
        """How long to wait until the next attempt, which is longer each time."""
        pause, self._next_pause = self._next_pause, min(1.5 * self._next_pause, MOST_AGAIN_SECONDS)
        return pause

    def _try_again(self, seconds: float) -> None:
        if not self._is_closed and self._again is None:
            self._again = self._reactor.callLater(seconds, self._reopen)

    def _reopen(self) -> None:
        self._again = None
        self._open().addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        if self._again is not None:  # it was given up meanwhile
            return
        self._tell(failure.getErrorMessage())
        if not failure.check(Unusable, LinkLost, StatementFailed):
            _log.failure("PostgreSQL ({name})", failure=failure, name=self.name)
        if self._opened is not None:  # what begins it was refused
            opened, self._opened = self._opened, None
            opened.close()
        self._try_again(self._pause())

    def _tell(self, reason: str) -> None:
        """Log why there is no link, unless that is known."""
        self.trouble = reason
        if reason != self._told and not self._is_closed:
            _log.error("PostgreSQL ({name}): {reason}", name=self.name, reason=reason)
            self._told = reason


async def _connected(dsn: str, near: Address | None, *, make: bool) -> tuple[Connection, str]:
    connection = await connect(dsn, near)
    try:
        return connection, await prepare(connection, make=make)
    except BaseException:
        await connection.close()
        raise
