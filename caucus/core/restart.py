"""From one run to the next: what an earlier one left is applied, and what this one leaves is dated."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from itertools import islice
from math import inf
from typing import Final, TypeGuard

import msgspec
from twisted.internet.defer import Deferred

from caucus.core import waiting
from caucus.core.core import Core
from caucus.core.dues import AT_ONCE
from caucus.model.events import (
    ChannelCreated,
    ClaimExtended,
    ClaimGranted,
    ClaimOpened,
    ClaimPassed,
    ClaimsChanged,
    Event,
    Moved,
    OwingBegan,
    RunBegan,
    RunEnded,
    Stepped,
)
from caucus.rules.timeline import Timeline

PRUNE: Final = 4096
"""After so many events more, those are forgotten that lie a window before the last."""


class _Stamped(msgspec.Struct):
    ts: str


_decode_stamped = msgspec.json.Decoder(_Stamped).decode


class _Replay:
    """Applies what the journal hands over: of earlier runs, and then of others.

    Budgets are charged with what lies within one window of the last event of the earlier runs.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._began = core.clock.now()
        self._timeline = Timeline()
        self._advance = self._timeline.advance
        self._apply = core.state.apply
        self._stamped: ChannelCreated | Stepped | ClaimsChanged | None = None
        self._recent: list[Event] = []
        self._times = array("d")
        self._prune_at = PRUNE
        self._is_live = False

    def apply(self, event: Event, evidence: bytes, position: int) -> None:
        if self._is_live:
            self._apply_anothers(event, evidence, position)
            return
        at = self._advance(event.when)
        self._apply(event, position, position, at, evidence, charges=False)
        self._recent.append(event)
        self._times.append(at)
        if len(self._recent) >= self._prune_at:
            self._prune()

    def _prune(self) -> None:
        """Forget what lies a window before the last."""
        self._stamped = next(filter(_is_stamped, reversed(self._recent)), self._stamped)
        past = bisect_right(self._times, self._times[-1] - self._core.limits.window_seconds)
        del self._recent[:past], self._times[:past]
        self._prune_at = len(self._recent) + PRUNE

    def _apply_anothers(self, event: Event, evidence: bytes, position: int) -> None:
        core = self._core
        if _is_stamped(event):
            core.stamps.resume(_stamp_of(event))
        core.state.apply(event, position, position, core.clock.at(event.when), evidence)
        core.feeds.applied(event, position, position)
        core.set_alarm()

    def undo(self, kept: int) -> None:
        self._core.state.undo(kept)
        self._core.feeds.undone(kept)
        self._core.set_alarm()  # a lease that had lapsed is back, and its timer may have run

    def go_on(self, _result: None) -> None:
        core = self._core
        self._is_live = True
        core.counts.replayed(core.clock.now() - self._began)
        if self._recent:
            core.feeds.last_seen = self._recent[-1].when.wall
            self._prune()
        for event, at in zip(self._recent, self._times, strict=True):
            core.state.charge(event, at)
        self._recent.clear()
        del self._times[:]
        down = self._timeline.now
        if self._stamped is not None:
            core.stamps.resume(_stamp_of(self._stamped))
        core.clock.go_on(self._timeline)
        _have_begun(core, down)


def replay(core: Core) -> Deferred[None]:
    """Apply what the journal holds of earlier runs; afterwards, what others write, and undo what is lost."""
    replaying = _Replay(core)
    core.state.receipts.is_owing = False  # until an event says so
    return core.journal.replay(replaying.apply, replaying.undo).addCallback(replaying.go_on)


def _is_stamped(event: Event) -> TypeGuard[ChannelCreated | Stepped | ClaimsChanged]:
    if isinstance(event, Stepped):
        return bool(event.said)
    if isinstance(event, ClaimsChanged):
        return bool(_stamp_of(event))
    return isinstance(event, ChannelCreated)


def _stamp_of(event: ChannelCreated | Stepped | ClaimsChanged) -> str:
    """The last stamp that an event gave out."""
    if isinstance(event, ChannelCreated):
        return event.descriptor.created_ts
    stamps = [_decode_stamped(said.message_json).ts for said in event.said[-1:]]
    if isinstance(event, ClaimsChanged):
        stamps += [one.terms.ts for one in event.changed if isinstance(one, ClaimOpened)]
        stamps += [one.ts for one in event.changed if isinstance(one, ClaimGranted | ClaimPassed)]
    return max(stamps, default="")


def begin_run(core: Core) -> Deferred[None]:
    """Whoever has claims can be heard of from now on.

    A lease goes on while nothing runs, but not to its end: whoever could not renew one that was live at
    the last event before has ``restart_grace`` seconds, once until its holder is heard of again.
    """
    if core.begin is None and not core.has_begun:
        _have_begun(core, inf)
    return core.journal.write(_begin_run, core)


def end_run(core: Core) -> Deferred[None]:
    """Record that it was this late: a later run counts the downtime from here."""
    core.alarm.stop()
    waiting.stop(core)
    return core.journal.write(_end_run, core)


def _begin_run(core: Core) -> None:
    core.carry_out(core.clock.now())
    core.set_alarm()


def _end_run(core: Core) -> None:
    if core.journal.position:
        now = core.clock.now()
        core.carry_out(now)
        core.record(RunEnded(core.clock.instant(now)), now)


def _have_begun(core: Core, down: float) -> None:
    """Have the first step of this run record that there is one, with what it owes; ``down`` is since when."""

    def begin(now: float) -> None:
        core.begin, core.has_begun = None, True
        shared = core.shared
        # Where another backbone runs, whoever has a lease could renew it there.
        grace = core.limits.restart_grace if shared is None or shared.is_alone else 0
        extended = tuple(
            Moved(channel.name, target, grant, "extended", grace)
            for channel in core.state.channels.values()
            for target, grant in channel.ledger.live_ones(down, now + grace)
            if grace
        )
        core.record(RunBegan(core.clock.instant(now), core.writer, extended), now)
        core.on_undo(_have_begun, core, down)
        if not core.state.receipts.is_owing:
            core.record(OwingBegan(core.clock.instant(now)), now)
        leases = iter(core.state.claims.leases.not_extended(down, now + grace) if grace else ())
        while some := tuple(ClaimExtended(one.claim, one.channel, grace) for one in islice(leases, AT_ONCE)):
            core.record(ClaimsChanged(core.clock.instant(now), changed=some), now)

    core.begin = begin
