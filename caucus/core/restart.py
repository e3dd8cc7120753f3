"""From one run to the next: what an earlier one left is applied, and what this one leaves is dated."""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred

from caucus.core.core import Core
from caucus.model.events import ChannelCreated, Event, RunEnded, Stepped
from caucus.rules.state import stamp_of
from caucus.rules.timeline import Timeline


def replay(core: Core) -> Deferred[None]:
    """Apply what the journal holds of earlier runs; afterwards, undo what it loses.

    Budgets are charged with what lies within one window of the last event.
    """
    began = core.clock.now()
    timeline = Timeline()
    stamped: ChannelCreated | Stepped | None = None
    window = core.limits.window_seconds
    last: Event | None = None
    recent: deque[tuple[float, Event]] = deque()

    def apply(event: Event, evidence: bytes) -> None:
        nonlocal stamped, last
        last = event
        if isinstance(event, ChannelCreated) or (isinstance(event, Stepped) and event.said):
            stamped = event
        at = timeline.advance(event.when)
        core.state.apply(event, 0, 0, at, evidence, charges=False)
        recent.append((at, event))
        while recent[0][0] + window <= at:
            recent.popleft()

    def undo(kept: int) -> None:
        core.state.undo(kept)
        core.counts.lost(kept)
        core.feeds.undone()

    def go_on(_result: None) -> None:
        core.counts.replayed(core.clock.now() - began, 0.0 if last is None else last.when.wall)
        for at, event in recent:
            core.state.charge(event, at)
        recent.clear()
        down = timeline.now
        if stamped is not None:
            core.stamps.resume(stamp_of(stamped))
            core.clock.go_on(timeline)
        core.down = down

    return core.journal.replay(apply, undo).addCallback(go_on)


def begin_run(core: Core) -> None:
    """Whoever has claims can be heard of from now on.

    A lease goes on while nothing runs, but not to its end: whoever could not renew one that was live at
    the last event before has ``restart_grace`` seconds, once until its holder is heard of again.
    """
    if core.down is not None and core.journal.refusal is None:
        core.extend_leases()


def end_run(core: Core) -> None:
    """Record that it was this late: a later run counts the downtime from here."""
    if core.journal.position and core.journal.refusal is None:
        now = core.clock.now()
        core.record(RunEnded(core.clock.instant(now)), now)
