"""`PostgresJournal`: the two doors over turns, the present and three sessions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from secrets import token_hex
from typing import Any, Final, TypeVar, TypeVarTuple, Unpack

from twisted.internet.defer import Deferred, TimeoutError, fail, gatherResults  # noqa: A004
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from caucus.errors import CaucusError, StorageUnavailable
from caucus.interfaces import IMeasured, ISharedJournal
from caucus.journals.doors import nobody_to_tell, refuse_to_record
from caucus.journals.postgres.applied import Applied, Broken
from caucus.journals.postgres.bell import Bell
from caucus.journals.postgres.connecting import Address
from caucus.journals.postgres.log_clock import BOOT_ID, LogClock
from caucus.journals.postgres.present import Present
from caucus.journals.postgres.replaying import replay
from caucus.journals.postgres.schema import BELL, READING, TURNS
from caucus.journals.postgres.session import Session
from caucus.journals.postgres.turns import Turns
from caucus.model.events import Event

REFUSED_SECONDS: Final = 10.0
"""For so long after the database has refused to keep something, load balancers are told to ask others."""
CLOSE_SECONDS: Final = 1.5
"""How long `PostgresJournal.close` waits for what is under way."""

_log = Logger("caucus.journals")
Ts = TypeVarTuple("Ts")
T = TypeVar("T")


@implementer(ISharedJournal, IMeasured)
class PostgresJournal:
    """One of the journals that extend a log in PostgreSQL.

    :param dsn: a connection string, as libpq reads it.
    :param reactor: what the sessions live on.
    :param clock: measures how long something waits.
    :param log_clock: says what time it is.
    """

    boot_id = BOOT_ID
    spread = 0.2

    def __init__(
        self,
        dsn: str,
        reactor: Any,
        clock: IReactorTime,
        log_clock: LogClock,
    ) -> None:
        self.journal_id = ""
        self.broken: Deferred[str] = Deferred()
        self._reactor = reactor
        self._clock = clock
        self._log_clock = log_clock
        self._applied = applied = Applied(log_clock)
        self._present = present = Present(
            applied,
            log_clock,
            reactor,
            clock,
            self._break,
            lambda: self._is_away,
            self._standby_changed,
            self._set_back,
        )
        bell = Bell(applied, token_hex(4), present.rung)
        self._turns = turns = Turns(
            applied, log_clock, clock, present.catch_up, self._break, bell.ring, self._moved
        )
        turns.session = Session("turns", dsn, reactor, TURNS, turns.begin, turns.began, self._lost)

        def near() -> Address | None:
            return turns.session.address

        present.session = Session(
            "reads", dsn, reactor, READING, present.begin, present.began, present.lost, near=near
        )
        bell.session = Session(
            "bell", dsn, reactor, BELL, bell.begin, present.ask, nobody_to_tell, bell.heard, near=near
        )
        self.metrics = turns.figures.metrics
        self._sessions = (turns.session, present.session, bell.session)
        self._followed: Callable[[], None] = nobody_to_tell
        self._is_closing = self._is_replayed = False
        self._closing: Deferred[None] | None = None
        applied.advanced = self._advanced

    @property
    def position(self) -> int:
        return self._applied.position

    @property
    def durable(self) -> int:
        return self._applied.durable

    @property
    def refusal(self) -> CaucusError | None:
        if self._is_closing:
            return StorageUnavailable("closed")
        if self._turns.needs_standby and not self._present.has_standby:
            return StorageUnavailable("failed")
        return self._turns.trouble

    @property
    def is_alone(self) -> bool:
        return self._turns.is_alone

    @property
    def is_stale(self) -> bool:
        return self._present.is_stale

    def seconds(self) -> float:
        return self._log_clock.seconds()

    def why_not_ready(self) -> CaucusError | None:
        refusal = self.refusal
        if refusal is not None:
            return refusal
        was_refused = self._clock.seconds() - self._turns.refused_at < REFUSED_SECONDS
        return StorageUnavailable("failed") if was_refused or self._is_away else None

    def require_standby(self) -> None:
        self._turns.needs_standby = True

    @property
    def _is_away(self) -> bool:
        """Whether the database does not answer now."""
        return self._turns.session.link is None or self._present.session.link is None

    async def open(self) -> None:
        """Open the sessions, and make the tables if there are none. Raises `Unusable`."""
        turns, present, bell = self._sessions
        try:
            self.journal_id = await turns.open(make=True)
            await gatherResults([present.open(), bell.open()], consumeErrors=True)
        except BaseException:
            self._let_go()
            raise

    def replay(
        self, apply: Callable[[Event, bytes, int], None], undo: Callable[[int], None]
    ) -> Deferred[None]:
        self._applied.apply, self._applied.undo = apply, undo
        return Deferred.fromCoroutine(self._replay())

    async def _replay(self) -> None:
        try:
            await replay(self._present.session, self._applied, self._reactor, lambda: self._is_closing)
        except Broken:
            self._let_go()
            raise
        self._present.is_open = True
        await self._present.catch_up()
        self._is_replayed = True

    def follow(self, advanced: Callable[[], None]) -> None:
        self._followed = advanced

    def write(self, decide: Callable[[Unpack[Ts]], T], *args: *Ts) -> Deferred[T]:
        refusal = self.refusal
        if refusal is not None:
            self._turns.figures.refused.add()
            return fail(refusal)
        return self._turns.write(partial(decide, *args))

    def read(self, look: Callable[[Unpack[Ts]], T], *args: *Ts) -> Deferred[T]:
        if self._is_closing:
            return fail(StorageUnavailable("closed"))
        return self._present.read(partial(look, *args))

    def record(self, event: Event, evidence: bytes = b"") -> int:
        if not self._turns.is_deciding:
            refuse_to_record()
        return self._turns.record(event, evidence)

    def close(self) -> Deferred[None]:
        if self._closing is None:
            self._closing = Deferred.fromCoroutine(self._close())
        waiting: Deferred[None] = Deferred()
        self._closing.addBoth(waiting.callback)
        return waiting

    async def _close(self) -> None:
        if self._is_closing:
            return
        self._is_closing = True
        try:
            await self._turns.settled().addTimeout(CLOSE_SECONDS, self._reactor)
        except TimeoutError:
            pending = self.position - self.durable
            _log.error("PostgreSQL: closed with {pending} events not known to be kept", pending=pending)
        self._let_go()

    def _let_go(self) -> None:
        self._is_closing = True
        closed = partial(StorageUnavailable, "closed")
        self._turns.close(closed)
        self._present.close(closed)
        for session in self._sessions:
            session.close()

    def _advanced(self) -> None:
        self._followed()
        self._present.advanced()

    def _set_back(self) -> None:
        self._turns.set_back()

    def _standby_changed(self) -> None:
        if not self._turns.needs_standby:
            return
        if self._present.has_standby:
            _log.info("PostgreSQL: commits wait for a standby again")
        else:
            _log.error("PostgreSQL: commits wait for no standby, and so nothing is written")

    def _moved(self) -> None:
        """What the server where turns were taken before says is not to be believed any more."""
        _turns, *others = self._sessions
        for session in others:
            session.renew("turns are taken at another server")

    def _lost(self) -> None:
        self._turns.lost()
        self._present.be_patient()

    def _break(self, broken: Broken) -> None:
        """What is applied here is not what the store has: nothing is answered from it any more."""
        if self._is_closing:
            return
        if not self._is_replayed:
            self._present.close(lambda: broken)
            self._let_go()
            return
        _log.critical("PostgreSQL: {reason}", reason=str(broken))
        self._let_go()
        self.broken.callback(str(broken))
