"""A connection to PostgreSQL on the reactor: statements go out in batches, and their results come back.

It is libpq's pipeline mode, by psycopg's ``pq`` level: nothing here waits, and nothing is converted.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from struct import Struct
from typing import Any, Final

import psycopg
from psycopg import pq
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReadWriteDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from caucus.journals.postgres.connecting import address_of
from caucus.model.text import one_line

Statement = tuple[str, Sequence[bytes | None]]
"""The name of a prepared statement, and its parameters as PostgreSQL has them in binary."""
Results = list[pq.abc.PGresult]

_BYTEA: Final = 17
_HEAD = Struct("!iiiii")
_LENGTH = Struct("!i")
integer: Final = Struct("!q").pack
"""A parameter of type ``bigint``."""
double: Final = Struct("!d").pack
"""A parameter of type ``double precision``."""
_BINARY: Final = (1,) * 8
_FAILED: Final = (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE)

_log = Logger("caucus.journals")


class LinkLost(Exception):
    """The connection is gone; its text is one line. What was sent last may have been done or not."""


class StatementFailed(Exception):
    """PostgreSQL refused a statement, and with it the rest of its batch.

    ``state`` is the SQLSTATE, of five characters, and ``number`` says which statement of the batch it was.
    """

    def __init__(self, state: str, message: str, number: int) -> None:
        super().__init__(message)
        self.state = state
        self.number = number


def byte_strings(items: Sequence[bytes]) -> bytes:
    """A parameter of type ``bytea[]``."""
    parts = [_HEAD.pack(1, 0, _BYTEA, len(items), 1)]
    for item in items:
        parts.append(_LENGTH.pack(len(item)))
        parts.append(item)
    return b"".join(parts)


@implementer(IReadWriteDescriptor)
class Link:
    """An open connection in pipeline mode.

    Raises `LinkLost` or ``psycopg.Error`` if the connection is gone already.

    :param connection: is open, and is used by nobody else from now on.
    :param statements: what `run` may be asked for, by name.
    :param lost: is called once when the connection is gone, before the batches that wait for it fail;
        not after `close`.
    :param notified: is called with what a notification says that came in.
    """

    def __init__(
        self,
        reactor: Any,
        connection: psycopg.AsyncConnection[Any],
        statements: dict[str, str],
        lost: Callable[[LinkLost], None],
        notified: Callable[[bytes], None] | None = None,
    ) -> None:
        self._reactor = reactor
        self._connection = connection
        self.address = address_of(connection)
        self._pgconn = pgconn = connection.pgconn
        self._lost = lost
        self._notified = notified
        self._batches: deque[tuple[Deferred[Results], Results]] = deque()
        self._is_writing = self._is_open = False
        self._said = ""  # by the server, when it ended the session
        pgconn.notice_handler = self._hear
        pgconn.nonblocking = 1
        pgconn.enter_pipeline_mode()
        for name, text in statements.items():
            pgconn.send_prepare(name.encode(), text.encode())
        # libpq may close its socket by itself, and its number would then be another file's.
        self._descriptor = os.dup(pgconn.socket)
        self.heard_at: float = reactor.seconds()
        """When something came last, on the reactor's clock."""
        self._is_open = True
        reactor.addReader(self)
        self.prepared: Deferred[Results] = self._asked()
        """Fires once the statements can be run."""

    def run(self, *statements: Statement) -> Deferred[Results]:
        """Have statements run, one after the other; fires with their results.

        Fails with `StatementFailed` for the first that fails, after which none is run, or `LinkLost`.
        """
        if not self._is_open:
            return fail(LinkLost("it is closed"))
        try:
            for name, parameters in statements:
                formats = _BINARY[: len(parameters)]
                self._pgconn.send_query_prepared(name.encode(), parameters, formats, 1)
        except psycopg.Error as error:
            self._end(error)
            return fail(LinkLost(one_line(error)))
        return self._asked()

    @property
    def is_waiting(self) -> bool:
        """Whether a batch is under way."""
        return bool(self._batches)

    def close(self) -> None:
        """Let go of it; what waits fails."""
        self._lost = _nobody
        self._end(LinkLost("it was closed"))

    def fileno(self) -> int:
        return self._descriptor

    def logPrefix(self) -> str:
        return "caucus.journals"

    def connectionLost(self, reason: Failure) -> None:
        self._end(reason.value or LinkLost("it was lost"))

    def doRead(self) -> None:
        try:
            self.heard_at = self._reactor.seconds()
            self._pgconn.consume_input()
            self._take_results()
            while self._is_open and (notification := self._pgconn.notifies()) is not None:
                if self._notified is not None:
                    self._notified(notification.extra)
            if self._is_writing:
                self._flush()
        except psycopg.Error as error:
            self._end(error)

    def doWrite(self) -> None:
        try:
            self._flush()
        except psycopg.Error as error:
            self._end(error)

    def _asked(self) -> Deferred[Results]:
        """End a batch and send it."""
        try:
            self._pgconn.pipeline_sync()
            self._flush()
        except psycopg.Error as error:
            self._end(error)
            return fail(LinkLost(one_line(error)))
        waiting: Deferred[Results] = Deferred()
        self._batches.append((waiting, []))
        return waiting

    def _flush(self) -> None:
        """Send what is to be sent, as far as the socket takes it."""
        is_writing = self._is_open and self._pgconn.flush() == 1
        if is_writing is not self._is_writing:
            self._is_writing = is_writing
            if is_writing:
                self._reactor.addWriter(self)
            else:
                self._reactor.removeWriter(self)

    def _take_results(self) -> None:
        """Take what has come, whole batches of it: only then does nothing here wait for the rest."""
        pgconn, is_between = self._pgconn, False
        while self._batches and self._is_open and not pgconn.is_busy():
            result = pgconn.get_result()
            if result is None:  # it parts the results of two statements
                if is_between:
                    return
                is_between = True
                continue
            is_between = False
            waiting, results = self._batches[0]
            if result.status == pq.ExecStatus.PIPELINE_SYNC:
                self._batches.popleft()
                _answer(waiting, results)
            else:
                results.append(result)
                if result.status in _FAILED:
                    self._hear(result)

    def _hear(self, said: pq.abc.PGresult) -> None:
        """What the server says unasked, or as a refusal: among it why it ends the session."""
        if said.error_field(pq.DiagnosticField.SEVERITY_NONLOCALIZED) in (b"FATAL", b"PANIC"):
            self._said = _message(said)

    def _end(self, error: BaseException) -> None:
        if not self._is_open:
            return
        self._is_open = False
        self._reactor.removeReader(self)
        self._reactor.removeWriter(self)
        os.close(self._descriptor)
        with suppress(psycopg.Error):
            self._pgconn.is_busy()  # it looks at what came last
            self._pgconn.finish()
        self._pgconn.notice_handler = None  # it is this link's, which holds the connection
        lost = LinkLost(self._said or one_line(error))
        self._lost(lost)
        batches, self._batches = self._batches, deque()
        for waiting, _results in batches:
            waiting.errback(lost)


def _answer(waiting: Deferred[Results], results: Results) -> None:
    for number, result in enumerate(results):
        if result.status in _FAILED:
            state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode("ascii", "replace")
            waiting.errback(StatementFailed(state, _message(result), number))
            return
    waiting.callback(results)


def _message(result: pq.abc.PGresult) -> str:
    text = (result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"").decode("utf-8", "replace")
    return " ".join(text.split())


def _nobody(_lost: LinkLost) -> None:
    """Nobody wants to know."""
