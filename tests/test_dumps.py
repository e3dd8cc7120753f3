"""State is made by events, or by ``load()`` of what ``dump()`` gave: which of them, nobody can tell."""

from __future__ import annotations

import random
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from caucus.access.tokens import Tokens
from caucus.core.backbone import Backbone
from caucus.core.core import Asked
from caucus.limits import Limits
from caucus.model.events import ClaimsChanged, Event, EvidenceAdded, Instant, Lived, RequestKey, Stepped
from caucus.model.messages import Message
from caucus.model.records import Identity
from caucus.rules.state import State, StateDump
from caucus.rules.timeline import Timeline, TimelineDump
from tests.journals import SlowJournal

LIMITS = Limits(max_posts_per_minute=4, max_tracked_agents=3, max_idempotency_keys=9, max_minted_tokens=3)
NAMES = [Identity(f"agent-{number}", f"owner-{number % 3}") for number in range(5)]


def some_events(seed: int, count: int) -> list[Event]:  # noqa: C901  # a kind of operation each
    """What a backbone has recorded of operations of every kind, over hours and some restarts."""
    chance, clock, journal = random.Random(seed), Clock(), SlowJournal()
    clock.advance(1e9)
    backbone = Backbone(journal, clock, LIMITS)
    backbone.replay()
    for number in range(count):
        who, room = chance.choice(NAMES), f"room-{chance.randrange(3)}"
        author: Any = {"agent_id": who.agent_id, "owner": who.owner}
        target: Any = {"target": f"t{chance.randrange(4)}", "lease_ttl": chance.choice([None, 30, 300])}
        asked = backbone
        if chance.random() < 0.3:
            key = RequestKey(who.owner.encode(), b"%d" % chance.randrange(20), b"f%d" % number)
            asked = backbone._as_asked(Asked(key=key))
        data = b"%d" % number
        doing: Deferred[Any]
        if chance.random() < 0.4:
            backbone.heard_of(who)
            doing = something_with_a_lease(asked, chance, room, who)
            doing.addErrback(lambda _: None)
            clock.advance(chance.choice([0, 0.5, 5, 40]))
            continue
        if chance.random() < 0.1:
            since = backbone._core.state.runs.text(backbone.journal.durable << 20)
            backbone.note_told(who, f"session-{chance.randrange(4)}", room, since)
        match chance.randrange(8):
            case 0:
                doing = asked.create_channel(room, created_by=who.owner)
            case 1 | 2 | 3:
                doing = asked.append(room, Message("note", f"{number // 2}", **author))
            case 4:
                doing = asked.claim(room, Message("claim", "x", **author, **target))
            case 5:
                doing = asked.mark_claim_done(room, Message("claim", "x", **author, **target))
            case 6:
                doing = asked.put_artifact(room, sha256(data).hexdigest(), data)
            case _:
                digest = sha256(data).digest()
                doing = backbone.change_tokens((digest, who), agent_id=chance.choice(NAMES).agent_id)
        doing.addErrback(lambda _: None)
        clock.advance(chance.choice([0, 0.5, 5, 40]))
        if chance.random() < 0.02:
            backbone.end_run().addErrback(lambda _: None)
            backbone = Backbone(SlowJournal(journal.events), clock, LIMITS)
            backbone.replay()
    return journal.events


def something_with_a_lease(
    backbone: Backbone, chance: random.Random, room: str, who: Identity
) -> Deferred[Any]:
    """Take one, or do something with one that there is, mostly as its agent."""
    leases = list(backbone._core.state.claims.leases)
    if not leases or chance.random() < 0.5:
        wanted = {
            "targets": chance.sample(["a/", "a/x", "t1", "t2", "**"], chance.choice([1, 1, 2])),
            "note": "mine",
            "lease_ttl": chance.choice([30, 300, 900]),
            "mode": chance.choice(["exclusive", "shared"]),
            "renewal": chance.choice(["activity", "explicit"]),
            "wait": True,
            "takeover": chance.random() < 0.2,
        }
        return backbone.take_claim(room, wanted, who)
    lease = chance.choice(leases)
    place, by = (lease.channel, lease.claim), Identity(lease.agent.agent_id, lease.agent.owner)
    match chance.randrange(5):
        case 0:
            return backbone.renew_claim(*place, by)
        case 1:
            return backbone.release_claim(*place, by)
        case 2:
            return backbone.offer_claim(*place, by, owner=who.owner)
        case 3:
            return backbone.accept_claim(*place, who)
        case _:
            return backbone.revoke_claim(*place, "because", who)


class Made:
    """State and time that events have made."""

    def __init__(self) -> None:
        self.state = State(LIMITS, Tokens(), "01")
        self.timeline = Timeline()

    def apply(self, events: list[Event], after: int = 0) -> None:
        for position, event in enumerate(events[after:], start=after + 1):
            evidence = SlowJournal.kept[event.sha256] if isinstance(event, EvidenceAdded) else b""
            self.state.apply(event, position, position, self.timeline.advance(event.when), evidence)

    def dump(self) -> tuple[bytes, bytes]:
        now = self.timeline.now
        return msgspec.msgpack.encode(self.state.dump(now)), msgspec.msgpack.encode(self.timeline.dump())

    def load(self, state: bytes, timeline: bytes) -> None:
        self.state.load(msgspec.msgpack.decode(state, type=StateDump))
        self.timeline.load(msgspec.msgpack.decode(timeline, type=TimelineDump))


@pytest.mark.parametrize("seed", range(10))
def test_a_state_that_was_loaded_goes_on_as_the_one_that_was_dumped(seed: int) -> None:
    events = some_events(seed, 400)
    for kind, count in ((Stepped, 30), (ClaimsChanged, 30), (Lived, 1)):
        assert sum(isinstance(event, kind) for event in events) > count
    chance, whole = random.Random(seed), Made()
    whole.apply(events)
    for _ in range(10):
        after = chance.randrange(len(events))
        first, second = Made(), Made()
        first.apply(events[:after])
        second.load(*first.dump())
        assert second.dump() == first.dump()
        assert second.state.claims.ends.next >= first.state.claims.ends.next
        second.apply(events, after)
        assert second.dump() == whole.dump()
        assert (second.state.artifacts, second.state.artifact_bytes) == (
            whole.state.artifacts,
            whole.state.artifact_bytes,
        )
        far = whole.timeline.now + 1e6
        assert second.state.claims.ends.take(far) == whole_again(events).state.claims.ends.take(far)


def whole_again(events: list[Event]) -> Made:
    made = Made()
    made.apply(events)
    return made


@pytest.mark.parametrize("seed", range(10))
def test_a_timeline_that_was_loaded_goes_on_as_the_one_that_was_dumped(seed: int) -> None:
    chance, first, second = random.Random(seed), Timeline(), Timeline()
    boots = [b"", b"one", b"two"]
    instants = [
        Instant(1e9 + chance.uniform(-4000, 9000), chance.uniform(0, 9000), chance.choice(boots))
        for _ in range(100)
    ]
    for when in instants[:50]:
        first.advance(when)
    second.load(first.dump())
    assert [second.advance(when) for when in instants[50:]] == [first.advance(when) for when in instants[50:]]
