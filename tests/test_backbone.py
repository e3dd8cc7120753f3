"""The backbone and its journal: what waits, what shows, what is refused, what comes back."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from caucus.access.tokens import Tokens
from caucus.core.backbone import Backbone
from caucus.errors import (
    CaucusError,
    ChannelExists,
    DuplicatePost,
    InvalidMessage,
    StorageUnavailable,
    UnknownChannel,
)
from caucus.limits import Limits
from caucus.model.events import Event
from caucus.model.messages import Message
from caucus.model.records import Identity
from caucus.testing.shared import SharedLog
from tests.journals import SlowJournal

ALICE, BOB = Identity("alice-agent", "alice"), Identity("bob-agent", "bob")
DATA = b"evidence"
ADDRESS = sha256(DATA).hexdigest()


class Pending:
    """What has become of an operation so far."""

    def __init__(self, operation: Deferred[Any]) -> None:
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = False
        operation.addCallbacks(self._succeeded, self._failed)

    def _succeeded(self, result: Any) -> None:
        self.result, self.done = result, True

    def _failed(self, failure: Any) -> None:
        self.error, self.done = failure.value, True


class Room:
    """A backbone over a slow journal, with a durable channel ``room``."""

    def __init__(self, events: list[Event] | None = None, boot_id: bytes = b"", **limits: int) -> None:
        self.clock = Clock()
        self.wall = 1e9
        self.journal = SlowJournal(events)
        self.backbone = Backbone(self.journal, self.clock, Limits(**limits), lambda: self.wall, boot_id)
        self.backbone.replay()
        self.backbone.begin_run()
        self.journal.sync()
        if not events:
            self.backbone.create_channel("room")
            self.journal.sync()

    def post(self, body: str, who: Identity = ALICE) -> Pending:
        message = Message("note", body, agent_id=who.agent_id, owner=who.owner)
        return Pending(self.backbone.append("room", message))

    def claim(self, who: Identity = ALICE, **fields: Any) -> Pending:
        message = Message("claim", "mine", target="t", agent_id=who.agent_id, owner=who.owner, **fields)
        return Pending(self.backbone.claim("room", message))

    def read(self) -> list[str]:
        return [message.body for message in Pending(self.backbone.read_since("room", 0)).result.messages]

    def head(self) -> int:
        return int(Pending(self.backbone.subscribe("room")).result)


def test_an_answer_to_a_write_waits_until_it_is_durable() -> None:
    room = Room()
    one, two = room.post("one"), room.post("two")
    room.journal.sync(4)
    assert (one.done, two.done) == (True, False)
    room.journal.sync()
    assert two.result.cursor == 2


def test_reads_show_the_durable_state_and_never_wait() -> None:
    room = Room()
    room.post("one")
    room.post("two")
    assert (room.read(), room.head()) == ([], 0)
    room.journal.sync(4)
    assert (room.read(), room.head()) == (["one"], 1)
    assert Pending(room.backbone.describe_channel("room")).result.head == 1


def test_a_lost_claim_waits_for_the_claim_that_it_lost_to() -> None:
    room = Room()
    won, lost = room.claim(ALICE), room.claim(BOB)
    assert (won.done, lost.done) == (False, False)
    room.journal.sync()
    assert (won.result.outcome, lost.result.outcome) == ("granted", "already_claimed")
    assert lost.result.by.owner == "alice"


@pytest.mark.parametrize(
    ("refused", "kind"),
    [
        (lambda room: room.post("one"), DuplicatePost),
        (lambda room: Pending(room.backbone.create_channel("other")), ChannelExists),
        (lambda room: room.post(""), InvalidMessage),
    ],
)
def test_a_refusal_waits_for_what_it_may_rest_on(
    refused: Callable[[Room], Pending], kind: type[CaucusError]
) -> None:
    room = Room()
    Pending(room.backbone.create_channel("other"))
    room.post("one")
    answer = refused(room)
    assert not answer.done
    room.journal.sync()
    assert type(answer.error) is kind


def test_a_channel_shows_once_it_is_durable_and_takes_writes_before() -> None:
    room = Room()
    Pending(room.backbone.create_channel("new"))
    message = Message("note", "early", agent_id="a", owner="o")
    early = Pending(room.backbone.append("new", message))
    for operation in (
        room.backbone.describe_channel("new"),
        room.backbone.read_since("new", 0),
        room.backbone.subscribe("new"),
        room.backbone.get_artifact("new", ADDRESS),
    ):
        assert isinstance(Pending(operation).error, UnknownChannel)
    assert [one.channel for one in Pending(room.backbone.list_channels()).result] == ["room"]
    room.journal.sync()
    assert early.result.cursor == 1
    assert [one.channel for one in Pending(room.backbone.list_channels()).result] == ["room", "new"]


def test_evidence_shows_once_it_is_durable() -> None:
    room = Room()
    stored = Pending(room.backbone.put_artifact("room", ADDRESS, DATA))
    again = Pending(room.backbone.put_artifact("room", ADDRESS, DATA))
    assert Pending(room.backbone.get_artifact("room", ADDRESS)).result is None
    assert not again.done
    room.journal.sync()
    assert (stored.result.deduplicated, again.result.deduplicated) == (False, True)
    assert Pending(room.backbone.get_artifact("room", ADDRESS)).result == DATA


def test_what_the_journal_does_not_take_changes_nothing() -> None:
    room = Room(max_posts_per_minute=1, max_channel_creates_per_minute=2)
    room.journal.refusing = True
    for operation in (
        lambda: room.post("one"),
        room.claim,
        lambda: Pending(room.backbone.create_channel("new")),
        lambda: Pending(room.backbone.put_artifact("room", ADDRESS, DATA)),
    ):
        assert isinstance(operation().error, StorageUnavailable)
    room.journal.refusing = False
    posted, claimed = room.post("one"), room.claim(BOB)
    made = Pending(room.backbone.create_channel("new"))
    stored = Pending(room.backbone.put_artifact("room", ADDRESS, DATA))
    room.journal.sync()
    assert (posted.result.cursor, claimed.result.outcome) == (1, "granted")
    assert made.result.channel == "new"
    assert not stored.result.deduplicated


def test_what_the_journal_loses_is_neither_acknowledged_nor_shown() -> None:
    room = Room()
    won, lost = room.claim(ALICE), room.claim(BOB)
    refused = room.post("")
    room.journal.lose()
    for answer in (won, lost, refused):
        assert isinstance(answer.error, StorageUnavailable)
    assert (room.read(), room.head()) == ([], 0)


def test_what_is_lost_is_undone_in_reverse_order_and_everything_goes_on() -> None:
    room = Room(max_posts_per_minute=2, max_channel_creates_per_minute=2)
    kept = room.claim(ALICE, lease_ttl=60)
    room.journal.sync()
    lost = [
        room.claim(ALICE, heartbeat=True),  # the lease would be endless
        room.claim(BOB),
        room.post("one", BOB),
        Pending(room.backbone.create_channel("other")),
        Pending(room.backbone.append("other", Message("note", "x", agent_id="bob-agent", owner="bob"))),
        Pending(room.backbone.put_artifact("room", ADDRESS, DATA)),
        Pending(room.backbone.change_tokens((b"1" * 32, BOB))),
        room.post("two", BOB),
    ]
    room.journal.lose()
    assert [type(one.error) for one in lost] == [StorageUnavailable] * len(lost)
    assert isinstance(room.post("more").error, StorageUnavailable)
    room.journal.refusing = False

    again = [
        room.post("two", BOB),
        room.post("one", BOB),
        room.claim(ALICE, heartbeat=True, lease_ttl=60),
        Pending(room.backbone.create_channel("other")),
        Pending(room.backbone.put_artifact("room", ADDRESS, DATA)),
    ]
    room.journal.sync()
    assert [one.error for one in again] == [None] * len(again)
    assert (kept.result.cursor, [one.result.cursor for one in again[:3]]) == (1, [2, 3, 4])
    assert again[-1].result.deduplicated is False
    assert room.read() == ["mine", "two", "one", "mine"]
    room.clock.advance(60)
    won = room.claim(BOB)
    room.journal.sync()
    assert won.result.outcome == "granted"


def test_a_token_whose_minting_or_revoking_is_lost_is_as_before() -> None:
    tokens, clock, journal = Tokens(), Clock(), SlowJournal()
    backbone = Backbone(journal, clock, tokens=tokens)
    backbone.replay()
    one, two = b"1" * 32, b"2" * 32
    Pending(backbone.change_tokens((one, ALICE)))
    journal.sync()
    Pending(backbone.change_tokens((two, BOB), digest=one))
    assert (tokens.minted(one), tokens.minted(two)) == (None, BOB)
    journal.lose()
    assert (tokens.minted(one), tokens.minted(two)) == (ALICE, None)


def test_what_is_found_after_all_is_acknowledged() -> None:
    room = Room()
    one, two = room.post("one"), room.post("two")
    room.journal.lose(kept=4)
    assert (one.result.cursor, type(two.error)) == (1, StorageUnavailable)
    assert room.read() == ["one"]


@pytest.mark.parametrize("length", [63, 64, 65, 130])
def test_a_log_of_any_length_is_cut_where_the_journal_ends(length: int) -> None:
    room = Room(max_posts_per_minute=1000)
    for number in range(length):
        room.post(str(number))
    room.journal.lose(kept=4)
    room.journal.refusing = False
    room.post("more")
    room.journal.sync()
    assert room.read() == ["0", "more"]


def test_a_wait_that_is_cancelled_loses_nothing() -> None:
    room = Room()
    message = Message("note", "kept", agent_id="a", owner="o")
    operation = room.backbone.append("room", message)
    answer = Pending(operation)
    operation.cancel()
    assert isinstance(answer.error, CancelledError)
    other = room.post("more")
    room.journal.sync()
    assert other.result.cursor == 2
    assert room.read() == ["kept", "more"]


def test_evidence_of_earlier_runs_counts_against_the_caps() -> None:
    first = Room()
    Pending(first.backbone.put_artifact("room", ADDRESS, DATA))
    second = Room(first.journal.events, max_total_artifact_bytes=len(DATA))
    other = b"x"
    refused = Pending(second.backbone.put_artifact("room", sha256(other).hexdigest(), other))
    assert "capped at 8 bytes" in str(refused.error)


def test_the_record_of_a_post_is_its_exact_bytes() -> None:
    room = Room()
    posted = room.post("text")
    room.journal.sync()
    assert posted.result.message_json == room.journal.events[-1].said[0].message_json  # type: ignore[union-attr]


def test_what_its_caller_does_to_a_message_while_it_waits_for_its_turn_changes_nothing() -> None:
    log = SharedLog(Clock())
    backbone = Backbone(log.journal(), Clock())
    backbone.create_channel("room")
    log.run()
    fields: Any = {"type": "note", "msg_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "agent_id": "a", "owner": "o"}
    fields |= {"body": "as it was", "to": ["bob"]}
    data: Any = bytearray(DATA)
    posting = Pending(backbone.append("room", fields))
    putting = Pending(backbone.put_artifact("room", ADDRESS, data))
    fields["body"] = "otherwise"
    fields["to"].append("carol")
    data[0] ^= 1
    log.run()
    assert (posting.result.message.body, posting.result.message.to) == ("as it was", ("bob",))
    assert putting.result.sha256 == ADDRESS
