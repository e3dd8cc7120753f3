"""Several backbones over one log in memory: what each decides rests on what all have written."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from caucus.core.backbone import Backbone
from caucus.errors import CaucusError, RateLimited, StorageUnavailable, Unauthorized
from caucus.interfaces import IJournal
from caucus.limits import Limits
from caucus.model.events import RunBegan, RunEnded, Stepped, TokensChanged
from caucus.model.messages import Message
from caucus.model.records import Granted, Identity
from caucus.testing.shared import SharedLog
from tests.linearizability import Operation, is_linearizable
from tests.raw import make_edge

ROOMY = {"max_posts_per_minute": 10_000}
SEEDS = range(20)
ALICE = Identity("a", "o")


class Hands:
    """Backbones over one log, with a channel ``room``."""

    def __init__(self, count: int, seed: int, **limits: int) -> None:
        self.clock = Clock()
        self.clock.advance(1e9)
        self.log = SharedLog(self.clock, seed)
        self.limits = Limits(**{**ROOMY, **limits})
        self.all = [self.another() for _ in range(count)]
        self.all[0].create_channel("room")
        self.log.run()

    def another(self) -> Backbone:
        """One more hand, which begins now."""
        writer = f"hand {len(self.log.entries)}"
        backbone = Backbone(self.log.journal(), self.clock, self.limits, writer=writer)
        backbone.replay()
        backbone.begin_run()
        self.log.run()
        return backbone

    def of(self, kind: type) -> list[Any]:
        """The events of a kind."""
        return [event for event, _evidence in self.log.entries if isinstance(event, kind)]

    def ask(self, backbone: Backbone, operation: str, *args: Any) -> Asked:
        return Asked(getattr(backbone, operation)(*args))

    def read(self, backbone: Backbone) -> list[str]:
        asked = self.ask(backbone, "read_since", "room", 0, 500)
        self.log.run()
        return [message.body for message in asked.result.messages]


class Asked:
    """An operation that was begun, and how it ended."""

    def __init__(self, doing: Deferred[Any]) -> None:
        self.result: Any = None
        self.error: CaucusError | None = None
        doing.addCallbacks(self._succeeded, self._failed)

    def _succeeded(self, result: Any) -> None:
        self.result = result

    def _failed(self, failure: Any) -> None:
        self.error = failure.trap(CaucusError) and failure.value


def note(body: str, who: Identity = ALICE) -> Message:
    return Message("note", body, agent_id=who.agent_id, owner=who.owner)


def claim(owner: str, **fields: Any) -> Message:
    return Message("claim", "mine", target="t", agent_id=f"{owner}-agent", owner=owner, **fields)


@pytest.mark.parametrize("seed", SEEDS)
def test_all_hands_read_one_order(seed: int) -> None:
    hands, chance = Hands(4, seed), random.Random(seed)
    posts = [hands.ask(chance.choice(hands.all), "append", "room", note(f"{n}")) for n in range(40)]
    hands.log.run()
    assert sorted(post.result.cursor for post in posts) == list(range(1, 41))
    logs = [hands.read(backbone) for backbone in (*hands.all, hands.another())]
    assert logs == [logs[0]] * 5
    said = [one.message_json for step in hands.of(Stepped) for one in step.said]
    stamps = [message_json.partition(b'"ts":"')[2][:40] for message_json in said]
    assert stamps == sorted(set(stamps))


@pytest.mark.parametrize("seed", SEEDS)
def test_claims_at_all_hands_are_linearizable(seed: int) -> None:
    hands, chance = Hands(3, seed), random.Random(seed)
    history: list[Operation] = []
    for round_ in range(30):
        asked = []
        for _ in range(chance.randint(1, 4)):
            owner, name = chance.choice("abc"), chance.choice(["claim", "claim", "mark_claim_done"])
            asked.append((owner, name, hands.ask(chance.choice(hands.all), name, "room", claim(owner))))
        hands.log.run()
        for owner, name, one in asked:
            outcome = one.result.outcome
            answer = one.result.by.owner if outcome == "already_claimed" else outcome
            kind = "claim" if name == "claim" else "done"
            history.append(Operation(round_, round_ + 0.5, owner, kind, answer))
    assert is_linearizable(history)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_budget_is_one_for_all_hands(seed: int) -> None:
    hands = Hands(4, seed, max_posts_per_minute=5)
    posts = [hands.ask(hands.all[n % 4], "append", "room", note(f"{n}")) for n in range(20)]
    hands.log.run()
    assert Counter(type(post.error) for post in posts) == {type(None): 5, RateLimited: 15}


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_written_by_a_token_after_it_was_revoked(seed: int) -> None:
    hands, dave, token = Hands(3, seed), Identity("d", "d"), b"\x01" * 32
    hands.ask(hands.all[0], "change_tokens", (token, dave))
    hands.log.run()

    def post(number: int) -> Asked:
        return hands.ask(hands.all[number % 3].bearing(token), "append", "room", note(f"{number}", dave))

    posts = [post(number) for number in range(9)]
    revoking = Asked(hands.all[1].change_tokens(None, agent_id="d"))
    posts += [post(number) for number in range(9, 18)]
    hands.log.run()
    assert revoking.result == [token]
    assert {type(post.error) for post in posts} <= {type(None), Unauthorized}
    revoked_at = hands.log.entries.index((hands.of(TokensChanged)[1], b""))
    events = [event for event, _evidence in hands.log.entries]
    written = [n for n, event in enumerate(events) if isinstance(event, Stepped) and event.said]
    assert max(written, default=0) < revoked_at
    assert len(written) == sum(post.error is None for post in posts)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_lease_lapses_once_though_every_hand_has_an_alarm(seed: int) -> None:
    hands = Hands(4, seed)
    won = hands.ask(hands.all[0], "claim", "room", claim("alice", lease_ttl=60))
    hands.log.run()
    assert isinstance(won.result, Granted)
    for backbone in hands.all:
        backbone.describe_channel("room")
    hands.log.run()
    hands.clock.advance(60)
    hands.log.run()
    assert [moved.manner for step in hands.of(Stepped) for moved in step.moved] == ["granted", "lapsed"]
    again = hands.ask(hands.all[3], "claim", "room", claim("bob"))
    hands.log.run()
    assert again.result.outcome == "granted"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_stream_at_one_hand_shows_what_was_written_at_the_others(seed: int) -> None:
    hands = Hands(3, seed)
    edge = make_edge(backbone=hands.all[2], clock=hands.clock)
    peer = edge.connect()
    peer.send(b"GET /channels/room/stream?since=0 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    hands.log.run()
    for number in range(30):
        hands.ask(hands.all[number % 2], "append", "room", note(f"{number}"))
        if number % 7 == 0:
            hands.log.run()
    hands.log.run()
    hands.read(hands.all[2])
    hands.clock.advance(0)
    shown = peer.transport.value()
    assert [shown.count(b"\nid: %d\n" % cursor) for cursor in range(1, 31)] == [1] * 30


def test_a_turn_that_is_lost_is_undone_and_others_never_saw_it() -> None:
    hands = Hands(2, seed=1)
    hands.log.is_failing = True
    lost = hands.ask(hands.all[0], "append", "room", note("lost"))
    hands.log.run()
    assert str(lost.error).startswith("Storage has failed")
    hands.log.is_failing = False
    hands.ask(hands.all[1], "append", "room", note("kept"))
    hands.log.run()
    assert [hands.read(backbone) for backbone in hands.all] == [["kept"], ["kept"]]


def test_the_log_says_who_writes_and_how_long_they_did() -> None:
    hands = Hands(2, seed=1)
    assert [event.writer for event in hands.of(RunBegan)] == ["hand 0", "hand 2"]  # so many events lie before
    hands.all[1].end_run()
    hands.log.run()
    assert len(hands.of(RunEnded)) == 1


def test_a_hand_that_has_closed_writes_no_more_and_the_others_go_on() -> None:
    hands = Hands(2, seed=1)
    journal: IJournal = hands.all[0].journal
    waiting = hands.ask(hands.all[0], "append", "room", note("just in time"))
    journal.close()
    assert waiting.result.cursor == 1
    assert hands.ask(hands.all[0], "append", "room", note("late")).error is not None
    assert hands.read(hands.all[1]) == ["just in time"]


def test_what_waits_when_a_hand_closes_is_told_so() -> None:
    hands = Hands(2, seed=1)
    journal = hands.all[0].journal
    hands.log.is_stalled = True
    reading, writing = Asked(journal.read(int)), Asked(journal.write(int))
    journal.close()
    journal.close()
    late = Asked(journal.read(int))
    assert {type(one.error) for one in (reading, writing, late)} == {StorageUnavailable}


@pytest.mark.parametrize("skew", [-3600.0, 0.0, 3600.0])
def test_a_hand_whose_wall_clock_is_off_makes_no_lease_lapse_early_or_late_at_another(skew: float) -> None:
    clock, log = Clock(), SharedLog(Clock(), 1)
    clock.advance(1e9)
    one = Backbone(log.journal(), clock, boot_id=b"one")
    other = Backbone(log.journal(), clock, wall=lambda: clock.seconds() + skew, boot_id=b"other")
    for backbone in (one, other):
        backbone.replay()
        backbone.begin_run()
        log.run()
    one.create_channel("room")
    log.run()
    clock.advance(600)  # nobody says anything
    other.claim("room", claim("alice", lease_ttl=60))
    log.run()
    other.end_run()
    for after, outcome in ((59, "already_claimed"), (1, "granted")):
        clock.advance(after)
        asked = Asked(one.claim("room", claim("bob")))
        log.run()
        assert asked.result.outcome == outcome
