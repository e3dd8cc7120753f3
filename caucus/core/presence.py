"""Who is there: told from what was asked, and shared with the other backbones over the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final, Literal

from attrs import asdict
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from caucus.core.core import Core
from caucus.errors import CaucusError, StorageUnavailable
from caucus.model.events import Author, RequestKey, Seen
from caucus.model.presence import Budget, Presence, Whoami
from caucus.model.records import Identity
from caucus.rules.seatbelts import RateBudget

TELL_SECONDS: Final = 15
"""The other backbones, and later runs, are told of who was there at most this often."""
AT_ONCE: Final = 1000
"""So many marks of what was shown are one event at most."""

_log = Logger("caucus")


class Attendance:
    """Who is there, as far as this backbone sees: open streams, and what others are yet to be told."""

    def __init__(self, core: Core) -> None:
        self.streams = Counter[Author]()
        self._core = core
        self._timer: IDelayedCall | None = None
        self._is_stopped = False

    def hear(self, by: Identity, channel: str = "") -> None:
        """A request of an agent has come, about a channel if it names one that there is."""
        state = self._core.state
        room = state.channels.get(channel)
        known = "" if room is None or room.created > self._core.journal.durable else channel
        state.heard.hear(Author(by.agent_id, by.owner), self._core.clock.now(), known)
        if self._timer is None:
            self.tell_soon()

    def show(self, by: Identity, channel: str, start: int, end: int) -> None:
        """The messages between two cursors were shown to an agent."""
        core = self._core
        receipts, room = core.state.receipts, core.state.channels.get(channel)
        names = {by.agent_id, by.owner}
        if room is not None and start < end and not names.isdisjoint(receipts.inboxes):
            receipts.show(names, room, start, min(end, room.length))
            if receipts.has_untold and self._timer is None:
                self.tell_soon()

    def open(self, by: Identity) -> Callable[[], None]:
        """An agent has opened a stream; gives what says that it is gone."""
        agent = Author(by.agent_id, by.owner)
        self.streams[agent] += 1

        def close() -> None:
            self.streams[agent] -= 1
            if not self.streams[agent]:
                del self.streams[agent]

        return close

    def tell_soon(self) -> None:
        """In a while, tell the others."""
        if not self._is_stopped:
            self._timer = self._core.reactor.callLater(TELL_SECONDS, self._tell)

    def stop(self) -> None:
        """The others are told no more."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tell(self) -> None:
        self._timer = None
        core = self._core
        refusal = core.journal.refusal
        if isinstance(refusal, StorageUnavailable) and refusal.trouble == "closed":
            return
        if refusal is None:
            core.write(record_seen, None).addErrback(_unless_refused)
        else:
            self.tell_soon()


def _unless_refused(failure: Failure) -> None:
    if not failure.check(CaucusError):
        _log.failure("Who was there could not be recorded", failure=failure)


def record_seen(core: Core, _request: RequestKey | None, now: float) -> None:
    """Record who was heard of since this was done last, and what was shown to whom."""
    state = core.state
    if state.heard.has_untold or state.receipts.has_untold:
        agents, shown = state.heard.untold(now), state.receipts.untold()
        core.record(Seen(core.clock.instant(now), agents, shown[:AT_ONCE]), now)
        for first in range(AT_ONCE, len(shown), AT_ONCE):
            core.record(Seen(core.clock.instant(now), shown=shown[first : first + AT_ONCE]), now)


def who(core: Core, streams: Counter[Author], channel: str | None) -> list[Presence]:
    if channel is not None:
        core.durable_channel(channel)
    now = core.clock.now()
    holding, waiting = _claims(core, now)
    return [
        Presence(
            agent_id=agent.agent_id,
            owner=agent.owner,
            seen_ago=int(seconds),
            streams=streams[agent],
            channels=channels,
            holding=holding[agent],
            waiting=waiting[agent],
        )
        for agent, seconds, channels in core.state.heard.seen(now)
        if channel is None or channel in channels
    ]


def whoami(core: Core, by: Identity) -> Whoami:
    now, agent = core.clock.now(), Author(by.agent_id, by.owner)
    holding, waiting = _claims(core, now)
    state, limits = core.state, core.limits
    window = limits.window_seconds

    def left(
        scope: Literal["channel", "all_channels", "channel_creates"],
        budget: RateBudget,
        name: str,
        channel: str | None = None,
    ) -> Budget:
        return Budget(scope, budget.limit, budget.left(name, now), window, channel)

    budgets = [
        left("all_channels", state.posts, by.agent_id),
        left("channel_creates", state.creates, by.owner),
        *(
            left("channel", room.posts, by.agent_id, room.name)
            for room in state.channels.values()
            if room.posts.left(by.agent_id, now) < room.posts.limit
        ),
    ]
    return Whoami(
        agent_id=by.agent_id,
        owner=by.owner,
        ends=None,
        holding=holding[agent],
        waiting=waiting[agent],
        budgets=tuple(budgets),
        limits=asdict(limits),
    )


def _claims(core: Core, now: float) -> tuple[Counter[Author], Counter[Author]]:
    """How many claims each agent holds, and how many of its wait, by durable events."""
    holding, waiting = Counter[Author](), Counter[Author]()
    with core.durable_claims() as seen:
        for room in core.state.channels.values():
            for held in seen.plain(room).values():
                if held.ends is None or now < held.ends:
                    holding[Author(held.grant.holder.agent_id, held.grant.holder.owner)] += 1
            for lease in seen.leases(room.name):
                if not seen.is_over(lease, now):
                    (holding if lease.is_held else waiting)[lease.agent] += 1
    return holding, waiting
