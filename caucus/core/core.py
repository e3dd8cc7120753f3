"""`Core`: state, journal and clock, and the two ways in which an operation goes through them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar, cast

from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from caucus.access.tokens import Tokens
from caucus.core.clock import DecisionClock
from caucus.core.counts import Counts
from caucus.core.durable import once_durable
from caucus.core.feeds import Feeds
from caucus.errors import IdempotencyMismatch
from caucus.interfaces import IJournal
from caucus.limits import Limits
from caucus.model.events import Event, Moved, RequestKey, Stepped
from caucus.model.stamps import Stamps
from caucus.rules.channel import Channel
from caucus.rules.state import State

P = ParamSpec("P")
T = TypeVar("T")


class Core:
    """What the operations work on, which are functions that take it first.

    An operation that decides is called in one turn of the reactor: it looks at what was decided
    before, durable or not, and `record` carries out what it decides.
    """

    def __init__(self, journal: IJournal, clock: DecisionClock, limits: Limits, tokens: Tokens) -> None:
        self.journal = journal
        self.clock = clock
        self.limits = limits
        self.state = State(limits, tokens)
        self.stamps = Stamps()
        self.feeds = Feeds(journal)
        self.counts = Counts(self.state, journal, clock)
        self.down: float | None = (
            None  # when the last run was last heard of, while leases are owed their grace
        )

    def write(
        self,
        decide: Callable[Concatenate[Core, RequestKey | None, P], T],
        request: RequestKey | None,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Deferred[T]:
        """Decide now; answer, or refuse, once all that was decided up to then is durable.

        A ``request`` that was answered before gets that answer, also while nothing new is taken.
        """
        if request is not None:
            try:
                known = self.state.answered.find(request, self.clock.now())
            except IdempotencyMismatch:
                return once_durable(self.journal, Failure(), self.journal.position)
            if known is not None:
                answer = cast("T", self.state.answer_at(known.place))
                return once_durable(self.journal, answer, known.position)
        refusal = self.journal.refusal
        if refusal is not None:
            self.counts.decided[decide, type(refusal)] += 1
            return defer.fail(refusal)
        if self.down is not None:
            self.extend_leases()
        try:
            decided = decide(self, request, *args, **kwargs)
        except Exception as error:
            self.counts.decided[decide, type(error)] += 1
            # It waits too: it may rest on something that is not durable yet. No name here holds it,
            # since its traceback holds this frame.
            return once_durable(self.journal, Failure(), self.journal.position)
        self.counts.decided[decide, type(decided)] += 1
        waiting = once_durable(self.journal, decided, self.journal.position)
        if self.feeds.grown:
            self.feeds.decided()
        return waiting

    def read(self, look: Callable[Concatenate[Core, P], T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """Look at durable state, at once."""
        try:
            return defer.succeed(look(self, *args, **kwargs))
        except Exception:
            return defer.fail()

    def extend_leases(self) -> None:
        """Give what was live when the last run was last heard of its grace, as an event."""
        down, now, grace = self.down or 0.0, self.clock.now(), self.limits.restart_grace
        moved = tuple(
            Moved(channel.name, target, grant, "extended", grace)
            for channel in self.state.channels.values()
            for target, grant in channel.ledger.live_ones(down, now + grace)
        )
        self.down = None
        if moved:
            self.record(Stepped(self.clock.instant(now), (), moved), now)
            self.on_undo(self._owe_grace, down)

    def _owe_grace(self, down: float) -> None:
        self.down = down

    def channel(self, name: str) -> Channel:
        """The channel, durable or not. Raises `InvalidChannelName` or `UnknownChannel`."""
        return self.state.channel(name)

    def durable_channel(self, name: str) -> Channel:
        """The channel, if it is durable. Raises `InvalidChannelName` or `UnknownChannel`."""
        return self.state.durable_channel(name, self.journal.durable)

    def record(self, event: Event, now: float, evidence: bytes = b"") -> None:
        """Take one decision down, and carry it out."""
        position = self.journal.record(event, evidence)
        self.counts.recorded(event, position)
        self.state.apply(event, position, self.journal.durable, now, evidence)
        if isinstance(event, Stepped) and self.feeds.is_watched:
            for said in event.said:
                self.feeds.appended(said.channel, position)

    def on_undo(self, step: Callable[..., object], *arguments: object) -> None:
        """Have ``step`` called if the event that was just recorded is lost."""
        position, durable = self.journal.position, self.journal.durable
        if position > durable:
            self.state.on_undo(position, durable, step, *arguments)
