"""What a later run finds: the same state, and leases that went on whatever the clocks said."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from caucus.core.backbone import Backbone
from caucus.model.messages import Message
from caucus.model.records import Identity
from tests.journals import SlowJournal
from tests.test_backbone import ADDRESS, ALICE, BOB, DATA, Pending, Room

Run = tuple[Clock, Backbone, SlowJournal]


def _after(first: Room, wall: float, boot: float, boot_id: bytes = b"") -> Run:
    """A later run over the same events, at these instants."""
    clock, journal = Clock(), SlowJournal(first.journal.events)
    clock.advance(boot)
    backbone = Backbone(journal, clock, wall=lambda: wall + clock.seconds() - boot, boot_id=boot_id)
    backbone.replay()
    return clock, backbone, journal


def _claim(run: Run, who: Identity = BOB) -> str:
    _clock, backbone, journal = run
    message = Message("claim", "mine", target="t", agent_id=who.agent_id, owner=who.owner)
    answer = Pending(backbone.claim("room", message))
    journal.sync()
    return str(answer.result.outcome)


@pytest.mark.parametrize(
    ("downtime", "left"), [(0, 60), (10, 50), (29, 31), (30, 30), (31, 30), (59, 30), (10**6, 30), (-100, 60)]
)
def test_downtime_counts_but_leaves_a_live_lease_its_grace(downtime: float, left: float) -> None:
    first = Room()
    first.claim(ALICE, lease_ttl=60)
    first.journal.sync()
    run = _after(first, 1e9 + downtime, boot=7)  # a monotonic clock begins anywhere
    run[0].advance(left - 1)
    assert _claim(run) == "already_claimed"
    run[0].advance(1)
    assert _claim(run) == "granted"


def test_a_lease_that_had_lapsed_before_the_end_gets_no_grace() -> None:
    first = Room()
    first.claim(ALICE, lease_ttl=60)
    first.clock.advance(60)
    first.wall += 60
    first.post("later")
    first.journal.sync()
    assert _claim(_after(first, 1e9 + 61, boot=0)) == "granted"


@pytest.mark.parametrize("step", [-86_400, -3600, 3600, 86_400])
def test_within_one_boot_a_step_of_the_wall_clock_changes_no_lease(step: float) -> None:
    first = Room(boot_id=b"same boot")
    first.clock.advance(1000)
    first.claim(ALICE, lease_ttl=300)
    first.journal.sync()
    run = _after(first, 1e9 + step, boot=1100, boot_id=b"same boot")
    run[0].advance(199)
    assert _claim(run) == "already_claimed"
    run[0].advance(1)
    assert _claim(run) == "granted"


def test_after_a_reboot_only_the_time_between_the_boots_is_the_wall_clocks() -> None:
    first = Room(boot_id=b"one")
    first.claim(ALICE, lease_ttl=300)
    first.clock.advance(100)
    first.wall += 86_400  # somebody sets the clock
    first.post("later")
    first.journal.sync()
    run = _after(first, 1e9 + 86_400 + 50, boot=5, boot_id=b"two")
    run[0].advance(149)
    assert _claim(run) == "already_claimed"
    run[0].advance(1)
    assert _claim(run) == "granted"


def test_a_lease_that_was_seen_to_have_lapsed_has_lapsed_in_a_later_run() -> None:
    first = Room()
    first.claim(ALICE, lease_ttl=60)
    first.clock.advance(3600)
    first.wall += 3600
    message = Message("claim", "done", target="t", agent_id="alice-agent", owner="alice")
    done = Pending(first.backbone.mark_claim_done("room", message))
    first.journal.sync()
    assert done.result.outcome == "not_held"
    assert _claim(_after(first, first.wall, boot=0)) == "granted"


def test_a_lease_that_lapsed_before_a_run_ended_gets_no_grace() -> None:
    first = Room()
    first.claim(ALICE, lease_ttl=60)
    first.clock.advance(3600)
    first.wall += 3600
    first.backbone.end_run()
    first.journal.sync()
    assert _claim(_after(first, first.wall + 1, boot=0)) == "granted"


def test_a_new_run_goes_on_where_the_journal_ends() -> None:
    first = Room()
    first.post("one")
    first.claim(ALICE, lease_ttl=60)
    Pending(first.backbone.put_artifact("room", ADDRESS, DATA))
    first.journal.sync()
    before = Pending(first.backbone.read_since("room", 0)).result
    descriptors = Pending(first.backbone.list_channels()).result

    second = Room(first.journal.events)
    assert Pending(second.backbone.read_since("room", 0)).result == before
    assert Pending(second.backbone.list_channels()).result == descriptors
    assert Pending(second.backbone.get_artifact("room", ADDRESS)).result == DATA
    assert second.claim(BOB).result.outcome == "already_claimed"
    later = second.post("two", BOB)
    second.journal.sync()
    assert later.result.cursor == 3
    assert later.result.message.ts > before.messages[-1].ts


def test_a_target_that_was_done_is_free_in_a_new_run() -> None:
    first = Room()
    first.claim(ALICE)
    message = Message("claim", "done", target="t", agent_id="alice-agent", owner="alice")
    Pending(first.backbone.mark_claim_done("room", message))
    first.journal.sync()
    second = Room(first.journal.events)
    won = second.claim(BOB)
    second.journal.sync()
    assert won.result.outcome == "granted"
