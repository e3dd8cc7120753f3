"""From one run to the next: what an earlier one left is applied, and what this one leaves is dated."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from caucus.core.core import Core
from caucus.model.events import ChannelCreated, Event, RunEnded, Stepped
from caucus.rules.state import stamp_of
from caucus.rules.timeline import Timeline


def replay(core: Core) -> Deferred[None]:
    """Apply what the journal holds of earlier runs; afterwards, undo what it loses.

    A lease goes on while nothing runs, but not to its end: whoever could not renew one that was
    live when the last run ended has ``restart_grace`` seconds.
    """
    began = core.clock.now()
    last = 0.0
    timeline = Timeline()
    stamped: ChannelCreated | Stepped | None = None

    def apply(event: Event, evidence: bytes) -> None:
        nonlocal stamped, last
        last = event.when.wall
        if isinstance(event, ChannelCreated) or (isinstance(event, Stepped) and event.said):
            stamped = event
        core.state.apply(event, 0, 0, timeline.advance(event.when), evidence)

    def undo(kept: int) -> None:
        core.state.undo(kept)
        core.counts.lost(kept)
        core.feeds.undone()

    def go_on(_result: None) -> None:
        core.counts.replayed(core.clock.now() - began, last)
        down = timeline.now
        if stamped is not None:
            core.stamps.resume(stamp_of(stamped))
            core.clock.go_on(timeline)
        grace = core.clock.now() + core.limits.restart_grace
        for channel in core.state.channels.values():
            channel.ledger.extend(down, grace)

    return core.journal.replay(apply, undo).addCallback(go_on)


def end_run(core: Core) -> None:
    """Record that it was this late: a later run counts the downtime from here."""
    if core.journal.position and core.journal.refusal is None:
        now = core.clock.now()
        core.record(RunEnded(core.clock.instant(now)), now)
