"""What falls due happens by an event, in the log's time, with nobody looking."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.task import Clock, deferLater

from caucus.core.alarm import AGAIN_SECONDS
from caucus.core.backbone import Backbone
from caucus.errors import StorageUnavailable
from caucus.journals.memory import MemoryJournal
from caucus.model.events import Moved, Stepped
from caucus.model.messages import Message
from caucus.rules.claims.leases import SWEEP, Leases
from tests.daemon import Start, ask
from tests.metrics import of
from tests.test_backbone import ALICE, BOB, Pending, Room
from tests.test_journal_command import command


def lapses(room: Room) -> list[Moved]:
    """The lapses that are recorded."""
    steps = (event for event in room.journal.events if isinstance(event, Stepped))
    return [one for step in steps for one in step.moved if one.manner == "lapsed"]


def test_a_lease_lapses_by_an_event_at_its_instant_with_nobody_looking() -> None:
    room = Room()
    room.claim(ALICE, lease_ttl=60)
    room.journal.sync()
    room.clock.advance(59.9)
    assert lapses(room) == []
    room.clock.advance(0.1)
    assert lapses(room) == [Moved("room", "t", None, "lapsed")]
    assert room.head() == 1  # the log says nothing of it


def test_a_lease_that_was_renewed_lapses_at_the_end_of_the_renewal() -> None:
    room = Room()
    room.claim(ALICE, lease_ttl=60)
    room.clock.advance(30)
    room.claim(ALICE, lease_ttl=60, heartbeat=True)
    room.journal.sync()
    room.clock.advance(59)
    assert lapses(room) == []
    room.clock.advance(1)
    assert len(lapses(room)) == 1


def test_a_target_that_was_given_free_does_not_lapse() -> None:
    room = Room()
    room.claim(ALICE, lease_ttl=60)
    message = Message("claim", "done", target="t", agent_id="alice-agent", owner="alice")
    Pending(room.backbone.mark_claim_done("room", message))
    room.journal.sync()
    room.clock.advance(3600)
    assert lapses(room) == []


def test_a_decision_carries_out_what_is_due_before_it_decides() -> None:
    room = Room()
    room.claim(ALICE, lease_ttl=60)
    room.journal.sync()
    room.backbone._core.alarm.stop()
    room.clock.advance(60)
    won = room.claim(BOB)
    room.journal.sync()
    assert won.result.outcome == "granted"
    assert [type(event) for event in room.journal.events[-2:]] == [Stepped, Stepped]
    assert len(lapses(room)) == 1


def test_leases_that_end_together_lapse_in_one_step() -> None:
    room = Room()
    for number in range(5):
        fields: Any = {"target": f"t{number}", "lease_ttl": 60 + number % 2}
        message = Message("claim", "x", agent_id="a", owner="o", **fields)
        Pending(room.backbone.claim("room", message))
    room.journal.sync()
    before = len(room.journal.events)
    room.clock.advance(61)
    (lapsed,) = room.journal.events[before:]
    assert isinstance(lapsed, Stepped)
    assert [one.target for one in lapsed.moved] == ["t0", "t2", "t4", "t1", "t3"]


def test_a_lapse_that_storage_refuses_or_loses_is_carried_out_later() -> None:
    room = Room()
    room.claim(ALICE, lease_ttl=60)
    room.journal.sync()
    room.journal.refusing = True
    room.clock.advance(60)
    assert lapses(room) == []
    room.journal.refusing = False
    room.clock.advance(AGAIN_SECONDS)
    assert len(lapses(room)) == 1
    room.journal.lose()
    assert lapses(room) == []
    room.journal.refusing = False
    room.clock.advance(AGAIN_SECONDS)
    room.journal.sync()
    assert len(lapses(room)) == 1


def test_a_lease_of_a_million_years_is_no_timer_of_that_length() -> None:
    clock = Clock()
    backbone = Backbone(MemoryJournal(), clock)
    backbone.create_channel("room")
    forever = Message("claim", "mine", target="t", agent_id="a", owner="o", lease_ttl=10**300)
    backbone.claim("room", forever)
    (timer,) = clock.getDelayedCalls()
    assert timer.getTime() <= 3600


def test_a_run_that_has_ended_leaves_no_timer_behind() -> None:
    room = Room()
    room.claim(ALICE, lease_ttl=60)
    room.journal.sync()
    assert len(room.clock.getDelayedCalls()) == 1
    room.backbone.end_run()
    room.journal.sync()
    assert room.clock.getDelayedCalls() == []


def test_a_later_run_carries_out_what_fell_due_meanwhile_as_it_begins() -> None:
    first = Room()
    first.claim(ALICE, lease_ttl=60)
    first.wall += 3600  # the clock that its alarm goes by stands still
    first.post("an hour later")
    first.journal.sync()
    assert lapses(first) == []
    second = Room(first.journal.events)
    assert len(lapses(second)) == 1
    assert of(second.backbone.metrics, "caucus_claims") == 0


class Ends:
    """Ends by a ledger, and leases that are told of them."""

    def __init__(self) -> None:
        self.ends: dict[tuple[str, str], float] = {}
        self.leases = Leases(lambda end: self.ends.get((end.channel, end.target)))

    def move(self, target: str, after: float | None) -> None:
        place = ("room", target)
        before = self.ends.pop(place, None)
        if after is not None:
            self.ends[place] = after
        self.leases.moved(*place, before, after)


def test_the_ends_of_leases_that_were_renewed_or_given_free_do_not_pile_up() -> None:
    room = Ends()
    for number in range(100_000):
        room.move(f"t{number % 100}", number + 1e6)
        if number % 3 == 0:
            room.move(f"t{number % 100}", None)
    assert len(room.leases._heap) <= 2 * SWEEP
    assert {end.target for end in room.leases.take(1e9)} == {target for _, target in room.ends}


@pytest.mark.parametrize("seed", range(20))
def test_leases_are_taken_as_a_list_of_them_would_say(seed: int) -> None:
    chance, room, now = random.Random(seed), Ends(), 0.0
    for _ in range(600):
        target = f"t{chance.randrange(20)}"
        room.move(target, None if chance.random() < 0.2 else now + chance.randrange(1, 30))
        now += chance.random()
        due = {one for one, at in room.ends.items() if at <= now}
        assert room.leases.next <= min(room.ends.values(), default=math.inf)
        ended = room.leases.take(now) if room.leases.next <= now else []
        taken = [(end.channel, end.target) for end in ended]
        assert set(taken) == due
        assert [room.ends[one] for one in taken] == sorted(room.ends[one] for one in taken)
        for one in taken:  # what takes them does so by an event
            room.move(one[1], None)


async def test_a_lapse_is_in_the_file_within_a_second(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "room.db"
    daemon = start("caucus-backbone", f"--journal=sqlite:{file}", CAUCUS_TOKENS="tok:a:o")
    (url,) = daemon.until_listening()
    ask(f"{url}/channels", {"channel": "room"}, "tok")
    claim = {"type": "claim", "msg_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "body": "mine", "target": "t"}
    assert ask(f"{url}/channels/room/claim", {**claim, "lease_ttl": 1}, "tok")["outcome"] == "granted"
    await deferLater(reactor, 2)
    lines = [json.loads(line) for line in command("export", file).stdout.splitlines()]
    moved = [(one["target"], one["manner"]) for line in lines for one in line.get("moved", ())]
    assert moved == [("t", "granted"), ("t", "lapsed")]
    assert 1 <= _seconds(lines[-1]["at"]) - _seconds(lines[-2]["at"]) < 2


def _seconds(instant: str) -> float:
    return float(instant[-7:-1]) if "." in instant else float(instant[-3:-1])


def test_a_write_that_is_refused_undecided_carries_nothing_out() -> None:
    room = Room()
    room.claim(ALICE, lease_ttl=60)
    room.journal.sync()
    room.backbone._core.alarm.stop()
    room.clock.advance(60)
    room.journal.refusing = True
    assert isinstance(room.claim(BOB).error, StorageUnavailable)
    assert lapses(room) == []


def test_a_lease_whose_lapse_was_lost_long_after_its_timer_lapses_again() -> None:
    room = Room()
    room.claim(ALICE, lease_ttl=60)
    room.journal.sync()
    room.clock.advance(60)
    assert len(lapses(room)) == 1
    room.journal.give_up()  # nobody knows; the alarm looks again, and finds nothing that is due
    room.clock.advance(5)
    room.journal.lose()
    room.journal.refusing = False
    assert lapses(room) == []
    room.clock.advance(AGAIN_SECONDS)
    assert len(lapses(room)) == 1


def test_a_journal_that_is_closed_for_good_ends_the_alarm() -> None:
    clock, journal = Clock(), MemoryJournal()
    backbone = Backbone(journal, clock)
    backbone.create_channel("room")
    lease = Message("claim", "mine", target="t", agent_id="a", owner="o", lease_ttl=60)
    backbone.claim("room", lease)
    journal.close()
    clock.advance(60)
    assert clock.getDelayedCalls() == []
