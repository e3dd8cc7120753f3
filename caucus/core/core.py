"""`Core`: state, journal and clock, and the two ways in which an operation goes through them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, TypeVar, TypeVarTuple, Unpack, cast

import msgspec
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime

from caucus.access.tokens import Tokens
from caucus.core.alarm import Alarm
from caucus.core.clock import DecisionClock
from caucus.core.counts import Counts
from caucus.core.dues import due_steps
from caucus.core.feeds import Feeds
from caucus.core.patience import Patience
from caucus.core.step import Step
from caucus.errors import CaucusError, ClaimLost, IdempotencyMismatch, OutcomeUnknown
from caucus.interfaces import IJournal, ISharedJournal
from caucus.limits import Limits
from caucus.metrics import Reading
from caucus.model.answers import Answer
from caucus.model.claims import Taken
from caucus.model.events import Author, ClaimsChanged, Event, Lived, RequestKey
from caucus.model.feed import FeedSlice
from caucus.model.records import Identity
from caucus.model.stamps import Stamps
from caucus.rules.channel import Channel
from caucus.rules.claims.claims import Seen
from caucus.rules.state import State

_OF_LEASES: Final = (ClaimsChanged, Lived)
Ts = TypeVarTuple("Ts")
T = TypeVar("T")


class Asked(msgspec.Struct, frozen=True):
    """How an operation was asked for, beside its arguments.

    ``bearer`` is the digest of a minted token that must stand when it is decided, or empty; ``key`` is
    what a repetition is known by; ``grant`` is what must be held then, and by whom.
    """

    bearer: bytes = b""
    key: RequestKey | None = None
    grant: tuple[int, int, Identity] | None = None


class Core:
    """What the operations work on, which are functions that take it first.

    An operation that decides is one step: it looks at what was decided before, durable or not, and
    `record` carries out what it decides.
    """

    def __init__(
        self,
        journal: IJournal,
        reactor: IReactorTime,
        clock: DecisionClock,
        limits: Limits,
        tokens: Tokens,
        writer: str,
    ) -> None:
        self.journal = journal
        self.shared = ISharedJournal(journal, None)
        self.clock = clock
        self.limits = limits
        self.writer = writer
        self.state = State(limits, tokens, journal.journal_id)
        self.leases = self.state.claims.ends
        self.channel = self.state.channel
        self.stamps = Stamps()
        self.feeds = Feeds(journal)
        journal.follow(self.feeds.advanced)
        self.counts = Counts(self.state, journal, clock, self.feeds)
        self.alarm = Alarm(reactor, self)
        self.begin: Callable[[float], None] | None = None
        """What the first step of the run does before anything else, until it is done."""
        self.has_begun = False
        self.reactor = reactor
        self.signs: set[Author] = set()
        """The agents of which a sign of life is being recorded."""
        self.is_stopping = False
        self.patience = Patience(reactor)
        self.last_slice: tuple[tuple[int, int, int, int], FeedSlice] | None = None
        """What was found last of all channels, and where and how much was asked for."""
        self.waits: set[Any] = set()
        """Who waits, with what ``fires`` then."""
        self.counts.metrics += (
            Reading(
                "caucus_waiting_requests",
                "Requests that wait for something to happen.",
                lambda: len(self.waits),
            ),
        )

    def write(
        self,
        decide: Callable[[Core, RequestKey | None, float, Unpack[Ts]], T],
        asked: Asked | None,
        *args: *Ts,
    ) -> Deferred[T]:
        """Decide in a step; answer, or refuse, once all that was decided up to then is durable.

        A request that was answered before gets that answer, also while nothing new is taken.
        """
        if asked is not None and asked.key is not None and self.journal.refusal is not None:
            earlier = self._answered_earlier(asked)
            if earlier is not None:
                return cast("Deferred[T]", earlier)
        return self.journal.write(self._step, decide, asked, *args)

    def read(self, look: Callable[[Core, Unpack[Ts]], T], *args: *Ts) -> Deferred[T]:
        """Look at durable state."""
        return self.journal.read(look, self, *args)

    def _step(
        self,
        decide: Callable[[Core, RequestKey | None, float, Unpack[Ts]], T],
        asked: Asked | None,
        *args: *Ts,
    ) -> T:
        """Judge what has to be judged here, carry out what is due, and decide."""
        now = self.clock.now()
        key: RequestKey | None = None
        if asked is not None:
            if asked.bearer:
                self.state.tokens.require(asked.bearer)
            key = asked.key
            known = None if key is None else self.state.answered.find(key, now)
            if known is not None:
                return cast("T", self.state.answer_at(known.place))
        if self.begin is not None or self.leases.next <= now:
            self.carry_out(now)
            self._set_alarm(now)  # also where what is asked is refused
        try:
            if asked is not None and asked.grant is not None:
                self.require_grant(*asked.grant)
            decided = decide(self, key, now, *args)
        except Exception as error:
            self.counts.decided[decide, type(error)] += 1
            raise
        how = type(decided)
        self.counts.decided[decide, decided.outcome if isinstance(decided, Taken) else how] += 1
        if self.leases.next < self.alarm.at:
            self.alarm.set(self.leases.next, now)
        return decided

    def require_grant(self, claim: int, fence: int, by: Identity) -> None:
        """Raises `ClaimLost` unless an agent holds a claim by exactly this grant, in any channel."""
        if self.state.claims.grant_of(claim) != (Author(by.agent_id, by.owner), fence):
            raise ClaimLost

    def new_step(self, now: float) -> Step:
        """A step about claims that is decided ``now``."""
        return Step(self.state, self.stamps, self.clock.instant(now), now)

    def set_alarm(self) -> None:
        """Have the alarm ring for what is due next, once the run has begun."""
        if self.begin is None or self.has_begun:
            self._set_alarm(self.clock.now())

    def _set_alarm(self, now: float) -> None:
        if self.leases.next < self.alarm.at:
            self.alarm.set(self.leases.next, now)

    def carry_out(self, now: float) -> None:
        """Before anything is decided ``now``, what is due happens: in the step that this is called in."""
        if self.begin is not None:
            self.begin(now)
        if self.leases.next <= now:
            for event in due_steps(self.state, partial(self.new_step, now), now):
                self.record(event, now)

    def _answered_earlier(self, asked: Asked) -> Deferred[Answer] | None:
        """What a request was answered with before, if that is remembered: while no step can be taken."""
        try:
            if asked.bearer:
                self.state.tokens.require(asked.bearer)
            known = None if asked.key is None else self.state.answered.find(asked.key, self.clock.now())
        except IdempotencyMismatch:
            return fail()
        except CaucusError:
            return None  # which is for a step to say
        if known is None:
            return None
        if known.position > self.journal.durable:
            return fail(OutcomeUnknown())
        return succeed(self.state.answer_at(known.place))

    @property
    def is_stale(self) -> bool:
        """Whether more may be durable elsewhere than is known here, and nobody can tell."""
        return self.shared is not None and self.shared.is_stale

    def durable_channel(self, name: str) -> Channel:
        """The channel, if it is durable. Raises `InvalidChannelName` or `UnknownChannel`."""
        return self.state.durable_channel(name, self.journal.durable)

    @contextmanager
    def durable_claims(self) -> Iterator[Seen]:
        """The claims as they are by durable events."""
        with self.state.claims.as_before(self.state.past(self.journal.durable)) as seen:
            yield seen

    def record(self, event: Event, now: float, evidence: bytes = b"") -> None:
        """Take down what is decided ``now``, and carry it out."""
        position = self.journal.record(event, evidence)
        durable = self.journal.durable
        self.clock.last = event.when
        self.state.apply(event, position, durable, now, evidence)
        self.feeds.applied(event, position, durable)
        if isinstance(event, _OF_LEASES):
            self.counts.count(event)

    def on_undo(self, step: Callable[..., object], *arguments: object) -> None:
        """Have ``step`` called if the event that was just recorded is lost."""
        position, durable = self.journal.position, self.journal.durable
        if position > durable:
            self.state.on_undo(position, durable, step, *arguments)
