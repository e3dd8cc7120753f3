"""What a later run finds: the same state, and leases that went on whatever the clocks said."""

from __future__ import annotations

import random

import pytest
from twisted.internet.task import Clock

from caucus.core.backbone import Backbone
from caucus.errors import DuplicatePost, RateLimited, StorageUnavailable
from caucus.model.events import Instant, RunBegan
from caucus.model.messages import Message
from caucus.model.records import Identity
from caucus.rules.timeline import Timeline
from tests.journals import SlowJournal
from tests.metrics import of
from tests.test_backbone import ADDRESS, ALICE, BOB, DATA, Pending, Room

Run = tuple[Clock, Backbone, SlowJournal]


def _after(first: Room, wall: float, boot: float, boot_id: bytes = b"") -> Run:
    """A later run over the same events, at these instants."""
    clock, journal = Clock(), SlowJournal(first.journal.events)
    clock.advance(boot)
    backbone = Backbone(journal, clock, wall=lambda: wall + clock.seconds() - boot, boot_id=boot_id)
    backbone.replay()
    backbone.begin_run().addErrback(lambda failure: failure.trap(StorageUnavailable))
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


def _lives(first: Room, restarts: int, chance: random.Random, lease: int) -> float:
    """Restart at random moments until the target is free; how long after the grant that was."""
    elapsed, journal = 0.0, first.journal
    step = 2.0 * (lease + GRACE) / restarts
    for _ in range(restarts):
        elapsed += chance.uniform(0, step)
        clock, journal = Clock(), SlowJournal(journal.events)
        clock.advance(elapsed)
        backbone = Backbone(journal, clock, wall=lambda now=elapsed: 1e9 + now, boot_id=b"boot")  # type: ignore[misc]
        backbone.replay()
        backbone.begin_run()
        journal.sync()
        if of(backbone.metrics, "caucus_claims") == 0:
            return elapsed
        if chance.random() < 0.5:
            backbone.end_run()
            journal.sync()
    raise AssertionError("it never lapsed")


GRACE = 30


@pytest.mark.parametrize("seed", range(5))
def test_a_lease_lapses_within_itself_and_one_grace_however_often_it_is_restarted(seed: int) -> None:
    first = Room(boot_id=b"boot")
    first.claim(ALICE, lease_ttl=60)
    first.journal.sync()
    longest = 60 + GRACE + 2.0 * (60 + GRACE) / 200
    assert 60 <= _lives(first, 200, random.Random(seed), 60) <= longest


def test_an_extension_is_an_event_and_is_given_once_between_two_of_the_holders() -> None:
    first = Room()
    first.claim(ALICE, lease_ttl=60)
    first.journal.sync()
    _, _, journal = _after(first, 1e9 + 50, boot=0)
    began = journal.events[-1]
    assert isinstance(began, RunBegan)
    assert [(one.target, one.manner, one.seconds) for one in began.extended] == [("t", "extended", GRACE)]
    again = Room(journal.events)
    _after(again, 1e9 + 70, boot=0)
    assert journal.events[-1] == RunBegan(Instant(1e9 + 70, 0.0), "")
    renewed = _after(again, 1e9 + 71, boot=0)
    beat = Message(
        "claim", "mine", target="t", agent_id="alice-agent", owner="alice", lease_ttl=60, heartbeat=True
    )
    renewed[1].claim("room", beat)
    renewed[2].sync()
    _after(Room(renewed[2].events), 1e9 + 71 + 50, boot=0)
    assert isinstance(journal.events[-1], RunBegan)
    assert [one.manner for one in journal.events[-1].extended] == ["extended"]


def test_what_was_left_of_a_budget_is_left_after_a_restart_within_the_window() -> None:
    first = Room(max_posts_per_minute=3)
    for body in ("one", "two"):
        first.post(body)
    first.journal.sync()
    second = Room(first.journal.events, max_posts_per_minute=3)
    repeated, third, fourth = [second.post(body) for body in ("two", "three", "four")]
    second.journal.sync()
    assert isinstance(repeated.error, DuplicatePost)
    assert third.result.cursor == 3
    assert isinstance(fourth.error, RateLimited)
    second.clock.advance(60)
    fifth = second.post("five")
    second.journal.sync()
    assert fifth.result.cursor == 4


def test_two_writers_whose_clocks_differ_do_not_make_time_run_fast() -> None:
    timeline = Timeline()
    for second in range(60):
        ahead = second % 2
        boot = b"two" if ahead else b"one"
        timeline.advance(Instant(1e9 + second + 5 * ahead, 100.0 * ahead + second, boot))
    assert 59 <= timeline.now <= 59 + 5


def test_one_clock_that_jitters_does_not_make_time_run_fast() -> None:
    timeline, chance = Timeline(), random.Random(1)
    for second in range(600):
        timeline.advance(Instant(1e9 + second + chance.uniform(-2, 2), 0.0))
    assert 595 <= timeline.now <= 605


def test_a_clock_that_was_set_back_by_far_goes_on_from_there() -> None:
    timeline = Timeline()
    for wall in (1e9, 1e9 + 10, 1e9 - 86_400, 1e9 - 86_400 + 10):
        timeline.advance(Instant(wall, 0.0))
    assert timeline.now == 20


def test_a_start_that_never_listened_takes_no_grace() -> None:
    first = Room()
    first.claim(ALICE, lease_ttl=60)
    first.journal.sync()
    count = len(first.journal.events)
    for downtime in (40, 60, 80):
        clock, journal = Clock(), SlowJournal(first.journal.events)
        Backbone(journal, clock, wall=lambda now=downtime: 1e9 + now).replay()  # type: ignore[misc]
    assert len(first.journal.events) == count
    assert _claim(_after(first, 1e9 + 100, boot=0)) == "already_claimed"


def test_an_extension_that_was_lost_is_given_again() -> None:
    first = Room()
    first.claim(ALICE, lease_ttl=60)
    first.journal.sync()
    run = _after(first, 1e9 + 61, boot=0)
    run[2].lose()
    run[2].refusing = False
    assert _claim(run) == "already_claimed"


def test_a_boot_that_is_behind_goes_on_from_where_it_is_met_again() -> None:
    timeline = Timeline()
    timeline.advance(Instant(1e9, 0.0, b"a"))
    timeline.advance(Instant(1e9 + 3600, 0.0, b"b"))
    for boot, wall in ((15.0, 15), (815.0, 815)):
        timeline.advance(Instant(1e9 + wall, boot, b"a"))
    assert timeline.now == 3600 + 800


def test_a_clock_that_was_wrong_for_one_boot_does_not_make_time_run_fast() -> None:
    timeline = Timeline()
    for wall, boot in ((1.7e9, b"a"), (0.0, b"b"), (1.7e9 + 60, b"c")):
        timeline.advance(Instant(wall, 10.0, boot))
    assert timeline.now == 60


def test_two_walls_far_apart_do_not_make_time_run_fast() -> None:
    timeline = Timeline()
    for second in range(0, 60, 2):
        timeline.advance(Instant(1e9 + 3610 + second, 0.0))
        timeline.advance(Instant(1e9 + second + 1, 0.0))
    assert 58 <= timeline.now <= 60
